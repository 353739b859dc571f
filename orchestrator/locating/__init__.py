"""Run work under a tracer of allocations and find where it leaks. A traced worker is never judged.

In reading order:

- ``schedule``: how many iterations, in how many blocks
- ``rounds``: run one method in one worker, traced or not
- ``tracers``: what can trace a worker
- ``replay``: blocks alive at each boundary, from the records of a trace in their order
- ``capture``: what memray has written: its records, its marks, its stacks
- ``heaptrack_file``, ``jemalloc_profile``: the same of other tracers; ``symbols``: frames from their addresses
- ``modules``, ``elf_file``: the module of each native frame, its build id and its functions
- ``reading``: have that done in a worker of its own
- ``flame_graph``: memray's own page about a trace
- ``locate``: from work to the answer
- ``keeping``: beside the run whose leak it explains
- ``work``: the methods of a plan, or one function
- ``issue``: a bug report for a library's maintainers
- ``schema``: the JSON Schema of the answer
"""
