"""Memory series in files: read them in many forms, judge each one, print the result.

::

    paths --discovery--> result_series, seed_series ----------> MeasuredSeries --finding--> Finding --words--> text
                         tool_files, tables --> table_series -->
                         (columns, numbers, times, units)

How a series is judged is decided in :mod:`orchestrator.analysis`.

In reading order:

- ``numbers``: numbers as people and tools write them
- ``measured``: one memory series as it was read from a file, whatever the file's form
- ``times``: times as files write them
- ``units``: in which unit readings are
- ``finding``: what is said of one series in a file: the object a line of ``analyze --json``
- ``recording``: record the memory of a running process that is not ours
- ``result_series``: our own results
- ``seed_series``: plain JSON results, such as those of the studies this project grew out of
- ``columns``: what a column is, by its name
- ``words``: a finding as a block of lines
- ``tables``: text in columns, whatever separates them, as tables of cells
- ``table_cells``: the columns of a table as numbers
- ``tool_files``: files that are no plain table, as tables
- ``table_series``: from a table to the memory series in it
- ``discovery``: from the paths a user names to the series in them; a bad file spoils only itself
"""
