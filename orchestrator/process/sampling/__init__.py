"""The memory of other processes, read at a fixed pace.

In reading order:

- ``deadlines``: deadlines at a fixed pace that do not drift. Pure: the time is passed in
- ``resident``: how much of another process is resident, read fast: for time series
- ``descendants``: a worker's descendants and what they hold
- ``sample_record``: one record of the time series
- ``samples``: the time series on disk
- ``watch``: one watched process
- ``sampler``: reads the memory of an experiment's workers at a fixed pace
"""
