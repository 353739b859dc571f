"""Two sides of runs beside each other, as one HTML page in the look of a run's report.

In reading order: ``content`` (what a page is made from), ``words`` (what has changed, in a sentence), ``pair_chart``
(both sides' readings on one axis, a difference with its interval), ``differences_part`` (the table of all numbers),
``verdicts_part`` (what each side does, method by method), ``origin_part`` (what differs in the set-up, each run's
numbers, where they come from), ``page``. Side A is the first, and grey; side B the second, and coloured. All pure.
"""
