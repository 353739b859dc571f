"""The large charts in a simpler form, as SVG that we write ourselves: for a page made without Vega.

They show what the full ones show (:mod:`orchestrator.report.html.charts`), in the same colours, dashes and shapes, but
do not answer to a mouse. In reading order: ``frame`` (axes with round numbers around a picture), ``memory_lines``,
``memory_parts``, ``time_series``, ``phase_times``. Pure.
"""
