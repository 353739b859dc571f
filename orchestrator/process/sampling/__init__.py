"""The memory of other processes, read at a fixed pace by a process that nobody can hold up.

In reading order:

- ``deadlines``: deadlines at a fixed pace that do not drift. Pure: the time is passed in
- ``layout``: what a sampling process and its host agree on: the ring's bytes, the orders
- ``proc_files``: one process as ``/proc`` shows it, by descriptors that are its own
- ``watched_process``: one process that the sampling process reads, and what of its memory is shared
- ``program``: the sampling process
- ``__main__``: starts it by path, with nothing of the package imported
- ``ring``: the host's end of a ring
- ``sampling_process``: the host's end of a sampling process: started, given orders, looked after
- ``resident``: how much of another process is resident, read fast: for time series
- ``descendants``: a worker's descendants and what they hold
- ``sample_record``: one record of the time series
- ``samples``: the time series on disk
- ``watch``: one watched process
- ``sampler``: reads the memory of an experiment's workers at a fixed pace
"""
