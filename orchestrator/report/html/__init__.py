"""The report as one HTML page that works offline: verdicts in words, charts, tables, provenance.

In reading order: ``content`` (what a page is made from), ``decimation`` (a long time series, thinned out), ``charts``
(Vega-Lite specifications, and pictures of them; ``charts.engine`` asks Vega for both), ``plain`` (the same charts
without Vega), ``verdicts`` (the words), ``markup`` (escaping), ``figures``, ``small_charts``,
``summary_part``, ``experiment_charts``, ``experiment_part``, ``icicle``, ``located_part``, ``plan_part``,
``calibration_part``, ``provenance``, ``document`` (head, style, policy and scripts around any page), ``page``; beside
the page ``markdown``. Everything but ``charts.engine`` is pure: content in, text out.
"""
