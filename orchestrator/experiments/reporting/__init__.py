"""What a page shows of a run, and of runs that are compared.

In reading order: ``report_content`` (what is on a run's), ``run_report`` (writes it), ``comparison_content`` and
``comparison_report``, the same of two sides of runs.
"""
