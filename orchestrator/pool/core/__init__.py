"""Every decision of a pool: events come in, effects go out.

Sans-I/O: no thread, no select, no process and no clock. An import contract in pyproject.toml holds it.

In reading order:

- ``states``: the states of workers and jobs, and the reasons why a worker exits
- ``job_queue``: waiting jobs by priority
- ``interfaces``: what is needed of the outside, for callers and for processes
- ``entities``: job, worker, slot and model queue
- ``registry``: where all of them are found
- ``supervisor``: takes each event, asks the modules below, returns the effects
- ``scheduling``, ``dispatch``: which worker gets which job, decided and carried out
- ``prefetch``: short jobs that are sent before the worker is free
- ``starts``: what comes of a worker's start
- ``after_job``: what an answer brings, to its caller and to the worker
- ``termination``, ``outcomes``: how workers leave and why, and how jobs end
- ``timers``: when which worker or job must be looked at
- ``memory_monitor``, ``memory_budget``, ``restart_limit``: limits
- ``auto_recycling``: recycling by what is learnt while the pool runs
- ``recovery``: consistent again after a decision that was interrupted half way

The folder ``recycling`` has the rules by which a worker is replaced; ``warm`` decides about templates, from which
workers are forked with their model loaded.
"""
