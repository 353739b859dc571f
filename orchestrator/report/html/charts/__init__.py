"""The charts of the report page, as Vega-Lite specifications and as images.

In reading order:

- ``palette``: colours, shapes and dashes of the charts
- ``symbols``: the shapes as paths, for pictures of our own
- ``legend``: what colours, dashes and shapes mean, as a line of words
- ``fit``: the fitted line and its interval, as something to draw over the readings. Pure
- ``drawable``: text without the characters that no picture can hold. Pure
- ``engine``: what Vega does for us through vl-convert, in a process of its own
- ``drawing_program``: the program of that process
- ``spec``: what all charts share: Vega-Lite's settings, axes with units, scales by name. Pure
- ``still``: a chart as a picture that stands in the page, with a quarter of the bytes that Vega writes. Pure
- ``readings``: what a chart of memory shows, whoever draws it: readings, fits, warm-ups, the axis. Pure
- ``composition_chart``: what the memory is made of over iterations: a stacked chart for one method. Pure
- ``memory_chart``: the main chart: memory of each method over iterations on common axes. Pure
- ``phases_chart``: how long each phase takes under each method
- ``timeline_chart``: the time series of one method
- ``images``: the main figure as one picture
"""
