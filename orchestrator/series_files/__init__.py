"""Memory series in files: read them in many forms, judge each one, print the result.

::

    paths --discovery--> result_series, seed_series ----------> MeasuredSeries --finding--> Finding --words--> text
                         tool_files, tables --> table_series -->
                         (columns, numbers, times, units)

How a series is judged is decided in :mod:`orchestrator.analysis`.
"""
