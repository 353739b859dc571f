"""What follows from verdicts. Pure.

In reading order: ``recycling``, ``model_plan`` (when to recycle), ``levers``, ``lever_words`` (what a trim,
the baseline and variants prove), ``smallest_leak``, ``calibration`` (what this machine finds).
"""
