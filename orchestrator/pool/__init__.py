"""The pool: jobs in isolated, recycled workers. ``docs/architecture.md`` has the reading order.

Pure policy: states, scheduling, budget, recycling, retries, restart_limit, exits, deadlines. What owns workers:
supervisor (decides), loop (the one thread), process_link (the real worker). Doors: pool, async_pool, executor.
"""
