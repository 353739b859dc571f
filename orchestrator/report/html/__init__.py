"""The report as one HTML page that works offline: verdicts in words, charts, tables, provenance.

In reading order: ``content`` (what a page is made from), ``decimation`` (a long time series, thinned out), ``charts``
(plain Vega-Lite specifications; ``charts.engine`` asks Vega for its code and pictures), ``verdicts`` (the words),
``markup`` (escaping), ``figures``, ``small_charts`` (SVG that needs no script), ``summary_part``, ``experiment_part``,
``icicle``, ``located_part``, ``plan_part``, ``calibration_part``, ``provenance``, ``document`` (head, style, policy and
scripts around any page), ``page``; beside the page ``markdown``.
Everything but ``charts.engine`` is pure: content in, text out.
"""
