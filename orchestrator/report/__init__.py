"""Reports: what was measured, as text for people. Pure: summaries in, lines out.

In reading order: ``lever_summaries`` and ``summaries`` (the numbers of a series), ``judged_words`` (a judgement in
words, short and long), ``shape`` (which of the original study's tables fit an experiment), ``names`` (what columns
and rows are called), ``cells`` (how numbers read), ``layout`` (ruled tables), ``method_tables``, ``model_tables``,
``tables``; the lines below a table (``verdict_lines``, ``warm_lines``, ``lever_lines``, ``remarks``), those of other
commands (``plan_lines``, ``calibration_lines``), ``headers``; ``html`` is the page.
"""
