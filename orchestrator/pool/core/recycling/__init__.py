"""When a worker is replaced: by limits that a user sets, or by what is learnt of its growth. Pure: knows no pool.

- ``rules``: when a worker is due to be replaced
- ``growth_model``: how a model's workers grow, learnt job by job
- ``learned``: what follows from that: stay, prepare a successor, stop
"""
