"""What a notebook shows of our results, and how they become frames of pandas or polars, neither of which is required.

In reading order:

- ``colors``: our colours on light and on dark ground
- ``marks``: a verdict's word, sign and colour
- ``fragment``: a piece of HTML that stands in somebody else's page
- ``frames``: columns become a frame
- ``shown``: what every object has that a notebook shows
- ``table``: rows of one kind
- ``rates``: rates as people read them
- ``verdict_rows``: one row for a verdict
- ``verdict_card``: a verdict as HTML
- ``verdict_views``: both of them, for every kind of verdict
"""
