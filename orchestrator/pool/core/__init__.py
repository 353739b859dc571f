"""Every decision of a pool: events come in, effects go out.

Sans-I/O: no thread, no select, no process and no clock, held by an import contract.

In reading order:

- ``states``: the states of workers and jobs, and the reasons why a worker exits
- ``job``, ``slot``, ``waiting``, ``model_queue``, ``registry``: the entities, and where all of them are found
- ``settings``: what a pool was told
- ``supervisor``: takes each event, asks the modules below, returns the effects
- ``scheduling``, ``dispatch``, ``prefetch``: which worker gets which job, and which jobs are sent ahead
- ``after_job``: what happens to a worker when its job has ended
- ``termination``, ``exit_reasons``, ``outcomes``: how workers leave, why, and how jobs end
- ``timers``: all timers
- ``memory_monitor``, ``memory_budget``, ``restart_limit``: limits
- ``auto_recycling``, ``growth_model``: recycling that is learnt while the pool runs
- ``histogram``: counts of durations
"""
