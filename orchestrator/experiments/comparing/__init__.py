"""Two runs side by side.

In reading order: ``comparability`` (whether two runs may be compared), ``comparison`` (what differs).
"""
