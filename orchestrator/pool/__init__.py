"""The pool: jobs in isolated, recycled workers. ``docs/architecture.md`` has the reading order.

The doors are ``pool``, ``async_pool`` (both made by ``door``), ``executor`` and ``prometheus``. Users handle ``jobs``,
``results``, ``models``, ``recycling``, ``retries``, ``futures``, streams, ``stats`` and ``events``;
``options`` is what a pool is told. Behind the doors: ``submission`` (a job made ready), ``runtime`` (threads and
processes), ``core`` (every decision).
"""
