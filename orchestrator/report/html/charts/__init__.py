"""The charts of the report page, as Vega-Lite specifications and as images."""
