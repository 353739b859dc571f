"""A worker under a tracer: what lives when, by call stack, goes to files.

In reading order:

- ``marks``: what each command leaves in a trace, so that its reader knows what was alive when
- ``memray_tracing``: by memray, which writes every allocation
- ``preloaded``: by heaptrack or jemalloc, which were loaded before everything else
- ``begin``: the tracer that the parent has chosen
"""
