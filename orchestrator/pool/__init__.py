"""The pool: jobs in isolated, recycled workers. ``docs/architecture.md`` has the reading order.

The doors are ``pool``, ``async_pool``, ``executor`` and ``prometheus``; what users handle are ``jobs``, ``results``,
``models``, ``recycling``, ``retries``, ``futures``, ``stream``, ``async_stream``, ``stats`` and ``events``. Behind the
doors: ``submission`` (a job made ready), ``runtime`` (threads and processes), ``core`` (every decision).
"""
