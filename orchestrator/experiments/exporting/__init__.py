"""Results in other people's hands: a notebook's, and files for other programs.

In reading order: ``facts`` (what a run is, without anybody's folders), ``rows`` (one row an iteration, one a
reading), ``verdicts`` (one a method), ``sample_chunks`` (the time series, piece by piece), ``sample_table`` (the same
as a frame), ``summary_view`` (what a notebook shows of a run), ``recorded`` (``Results``: all of it by its path),
``writers`` (CSV, JSON lines, Parquet), ``export`` (which rows, which file, and that a cut leaves no half of it).
"""
