"""Memory series in files: read them in every form there is, judge each one, say what came out.

::

    paths --discovery--> readers --> MeasuredSeries --finding--> Finding --words--> text
                         csv_series, seed_series, result_series

How a series is judged is :mod:`orchestrator.analysis`' business.
"""
