"""The side effects that the supervisor asks for: threads, descriptors, processes and the clock.

In reading order:

- ``event_loop``: the one loop that feeds the supervisor and carries out its effects
- ``selector``: waits for descriptors and for the waker
- ``effects``: carries out one effect
- ``process_link``: one worker process and its pipes
- ``start_method``: executed or forked from a fork server
- ``admission``: the bounded queue, and callers that wait for a place in it
- ``oom_kills``: what the kernel's counters say about processes that ran out of memory
- ``output_log``: the last bytes that a worker printed
"""
