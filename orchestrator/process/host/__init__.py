"""The process that starts workers, and its machine: what they take over from it, and what it allows them.

In reading order: ``interpreter`` (which Python runs workers), ``flags`` (with which flags), ``supported`` (hosts in
which no pool can work), ``cores`` (how many there are to use), ``passed_environment`` (which variables workers get),
``usable_memory`` (how much memory workers may use when the user does not say).
"""
