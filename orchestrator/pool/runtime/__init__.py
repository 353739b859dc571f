"""The side effects that the supervisor asks for: threads, descriptors, processes and the clock.

In reading order:

- ``event_loop``: the loop that feeds the supervisor, run by one thread; complete by itself
- ``hearing``: what workers say reaches the supervisor
- ``selector``: waits for descriptors, and can be woken
- ``effects``: carries out what the supervisor decides
- ``tickets``: ids of commands that nobody can guess
- ``pool_sampling``: the workers' memory, read by a process of its own
- ``process_link``: one worker process and its pipes
- ``start_method``: executed or forked from a fork server
- ``template_link``: the process that has loaded a model, from which workers are forked
- ``admission``: the bounded queue, and callers that wait for a place in it
- ``worker_groups``: a control group of its own for a worker, where the system delegates one
- ``oom_kills``: what the kernel's counters say about processes that ran out of memory
- ``output_log``: what workers print, in the log

- ``calling_threads``: the fast path, which may be left out: callers that run the loop themselves
"""
