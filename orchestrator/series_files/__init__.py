"""Memory series in files: read them in every form there is, judge each one, say what came out.

::

    paths --discovery--> result_series, seed_series ----------> MeasuredSeries --finding--> Finding --words--> text
                         tool_files, tables --> table_series -->
                         (columns, numbers, times, units)

How a series is judged is :mod:`orchestrator.analysis`' business.
"""
