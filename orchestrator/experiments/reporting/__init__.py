"""What a report page shows of a run.

In reading order: ``report_content`` (what is on it), ``run_report`` (writes it).
"""
