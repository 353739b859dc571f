"""The report as one HTML page that works offline: verdicts in words, charts, tables, provenance.

Reading order: :mod:`.content` (what a page is made from), :mod:`.palette`, the charts (:mod:`.memory_chart`,
:mod:`.timeline_chart`, :mod:`.composition_chart`, :mod:`.phases_chart`: plain Vega-Lite specifications),
:mod:`.verdicts` (the words), :mod:`.markup` (escaping), :mod:`.experiment_part`, :mod:`.provenance`, :mod:`.page`;
beside the page :mod:`.images` and :mod:`.markdown`.
Everything but :mod:`.engine`, which asks Vega for its code and pictures, is pure: content in, text out.
"""
