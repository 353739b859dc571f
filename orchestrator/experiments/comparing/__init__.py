"""Two sides of runs beside each other.

In reading order: ``comparability`` (whether runs may be compared), ``design`` (what their number and order let us
know), ``figures`` (the numbers of a run), ``deciding`` (which of them differ), ``comparison`` (all together).
"""
