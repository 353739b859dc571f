"""The pool: jobs in isolated, recycled workers. ``docs/architecture.md`` has the reading order.

The doors are ``pool``, ``async_pool`` (both made by ``door``), ``executor`` and ``prometheus``. Users handle ``jobs``,
``results``, ``models``, ``recycling``, ``retries``, ``futures``, streams, ``stats`` and ``events``;
``options`` is what a pool is told. Behind the doors: ``submission`` (a job made ready), ``runtime`` (threads and
processes), ``core`` (every decision).

In reading order:

- ``futures``: the caller's side of a job: futures that can be cancelled at any time, and cost little
- ``jobs``: what a caller asks for
- ``events``: what a pool tells its ``on_event`` hook
- ``models``: the models a pool knows, as they are written in code
- ``recycling``: when a pool replaces its workers, as a user says it
- ``retries``: whether a job whose worker died is tried again, and when
- ``metrics``: counts of a pool's whole life: how jobs ended, and durations in fixed buckets
- ``results``: what a job gives back: the worker's answer with times and the worker it came from
- ``stream``: partial results as they come: a bounded buffer between the supervisor and whoever reads
- ``options``: what a pool is told to be
- ``stats``: what a pool looks like from outside, at one moment
- ``async_stream``: partial results for ``async for``
- ``door``: what ``Pool`` and ``AsyncPool`` have in common: the keywords they are made with
- ``importable``: how another process finds a callable, and what is bound to it
- ``own_exceptions``: the exceptions that an executor raises as they are
- ``executor``: the front door for other libraries
- ``pool``: the front door for threads: ``Pool``
- ``async_pool``: the front door for asyncio
- ``prometheus``: a pool's stats as Prometheus metrics
"""
