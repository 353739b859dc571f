"""What a pool looks like from outside, at one moment: frozen records, made on the pool's event loop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from math import isfinite
from typing import Literal

import msgspec

from orchestrator.config.model import SandboxMode
from orchestrator.pool.core.auto_recycling import worker_best_jobs, worker_limit
from orchestrator.pool.core.entities import ModelQueue, Sample, Slot, Template, Worker
from orchestrator.pool.core.registry import Registry
from orchestrator.pool.core.states import JobState
from orchestrator.pool.metrics import HistogramStats

FREE = "free"


class WorkerStats(msgspec.Struct, frozen=True, kw_only=True):
    """One worker process, its children's memory included. Bytes and seconds.

    Of one that was forked from a template: what it has besides the pages that it shares with that. ``rss_bytes`` of
    an idle one is from the end of its last job.

    ``reserved_bytes`` is its part of the memory budget; ``limit_bytes`` what it may take before it is replaced or
    killed: ``max_rss``, ``hard_rss``, a hard budget, or what is learnt, whichever is least. None: no limit.

    ``sandbox`` is what the process is confined to, asked for or by default: ``strict``, ``files`` or ``off``.
    """

    generation: int
    pid: int
    model: str
    state: str
    rss_bytes: int
    peak_bytes: int
    reserved_bytes: int
    jobs: int
    age_s: float
    limit_bytes: int | None = None
    sandbox: SandboxMode = "off"


class SlotStats(msgspec.Struct, frozen=True, kw_only=True):
    """One slot. ``state`` is its worker's, or ``free``; ``generation`` the newest it had.

    ``exits`` counts by exit reason; ``peak_bytes`` and ``jobs`` are over all generations; ``series`` is its memory of
    the last minute or so of work, oldest first.
    """

    slot: int
    state: str
    generation: int
    worker: WorkerStats | None
    successor: WorkerStats | None
    jobs: int
    peak_bytes: int
    exits: dict[str, int]
    series: tuple[Sample, ...]


class Latency(msgspec.Struct, frozen=True):
    """Seconds, over the last 1,024 jobs; zeros before the first."""

    count: int = 0
    mean_s: float = 0.0
    p50_s: float = 0.0
    p99_s: float = 0.0
    max_s: float = 0.0


class LearnedGrowth(msgspec.Struct, frozen=True, kw_only=True):
    """What the pool has learnt of a model that is recycled automatically. Bytes; rates are bytes per job.

    ``rate`` with its 95 % interval is None while readings are few; ``certain`` says whether memory surely grows.
    ``base_bytes`` is a worker's RSS after its first job, ``largest_rise_bytes`` the most that one job has gone above
    the readings before it, ``peak_above_base_bytes`` the highest peak within a job above them, ``limit_bytes`` what a
    worker may take, ``best_jobs`` the period while others wait for memory. Of the newest worker; ``lives``
    counts those that told something.
    """

    readings: int
    lives: int
    rate: float | None
    rate_low: float | None
    rate_high: float | None
    certain: bool
    base_bytes: int
    largest_rise_bytes: int
    peak_above_base_bytes: int
    limit_bytes: int | None
    best_jobs: float | None


class TemplateStats(msgspec.Struct, frozen=True, kw_only=True):
    """The process that has loaded a model and forks its workers, of which ``workers`` live.

    ``rss_bytes``, 0 while it loads, are counted once: the workers' bytes are what each has besides.
    """

    pid: int
    state: Literal["loading", "ready"]
    rss_bytes: int
    reserved_bytes: int
    workers: int
    age_s: float


class ModelStats(msgspec.Struct, frozen=True, kw_only=True):
    """One model. ``need_bytes`` is what is reserved for a worker of it; ``learnt`` once that was measured.

    ``waiting`` are jobs that have not begun, prefetched ones too. ``exits`` counts its workers' exits by
    reason; ``growth`` is there for a model that is recycled automatically. ``start``: whether workers are forked with
    it loaded; ``cold_because`` says why not, where that was wished, and ``template`` is what they are forked from.
    ``need_bytes`` is then what a worker has for itself.
    """

    model: str
    waiting: int
    workers: int
    need_bytes: int
    learnt: bool
    start_s: float | None
    exits: dict[str, int]
    out_of_use: str | None
    growth: LearnedGrowth | None = None
    start: Literal["cold", "warm"] = "cold"
    cold_because: str = ""
    template: TemplateStats | None = None


class PoolStats(msgspec.Struct, frozen=True, kw_only=True):
    """The whole pool.

    ``outcomes`` counts ended jobs by task and outcome, ``queue_length`` those that wait, delayed ones included.
    ``overshoot_peak_bytes`` is the most by which workers' RSS was ever seen above their reservations.
    The histograms are over the pool's whole life; loads are the engine's own seconds. ``shortage`` is what the system
    said when it refused a process, while fewer workers run for that. ``cgroup`` is ``own`` where workers with
    ``hard_rss`` have control groups of their own, in which the kernel holds that limit, else ``none:`` and why.
    ``sampled_by`` is ``process`` once workers' memory is read by a process of its own, else ``loop``;
    ``missed_readings`` counts the times at which nothing was read while workers worked.
    """

    slots: tuple[SlotStats, ...]
    models: tuple[ModelStats, ...]
    leaving: tuple[WorkerStats, ...]
    queue_length: int
    delayed: int
    running: int
    outcomes: dict[str, dict[str, int]]
    exits: dict[str, int]
    spawns: int
    evictions: int
    retries: int
    queue_wait: Latency
    job_duration: Latency
    queue_wait_histogram: HistogramStats
    job_duration_histogram: HistogramStats
    load_duration_histogram: HistogramStats
    budget_bytes: int
    reserved_bytes: int
    overshoot_peak_bytes: int
    shortage: str | None = None
    cgroup: str = ""
    sampled_by: str = "loop"
    missed_readings: int = 0


def take_stats(registry: Registry, now: float) -> PoolStats:
    """Return the present state of a pool."""
    metrics = registry.metrics
    outcomes: dict[str, dict[str, int]] = {}
    for (task, outcome), count in metrics.outcomes.items():
        outcomes.setdefault(task, {})[outcome] = count
    exits: dict[str, int] = {}
    for slot in registry.slots:
        for reason, count in slot.exits.items():
            exits[reason] = exits.get(reason, 0) + count
    models = tuple(_models(registry, now))
    return PoolStats(
        slots=tuple(_slot(slot, registry, now) for slot in registry.slots),
        models=models,
        leaving=tuple(_worker(worker, registry, now) for worker in registry.leaving),
        queue_length=sum(model.waiting for model in models) + len(registry.delayed),
        delayed=len(registry.delayed),
        running=sum(worker.job is not None for worker in registry.workers()),
        outcomes=outcomes,
        exits=exits,
        spawns=metrics.spawns,
        evictions=metrics.evictions,
        retries=metrics.retries,
        queue_wait=latency(metrics.waits_s),
        job_duration=latency(metrics.runs_s),
        queue_wait_histogram=metrics.wait_durations.stats(),
        job_duration_histogram=metrics.run_durations.stats(),
        load_duration_histogram=metrics.load_durations.stats(),
        budget_bytes=registry.budget.limit_bytes,
        reserved_bytes=registry.budget.reserved_bytes,
        overshoot_peak_bytes=metrics.overshoot_peak_bytes,
        shortage=registry.start_pause.why,
        cgroup=registry.effects.groups,
        sampled_by=registry.effects.sampled_by,
        missed_readings=registry.effects.missed_readings,
    )


def _slot(slot: Slot, registry: Registry, now: float) -> SlotStats:
    worker, successor = slot.worker, slot.successor
    peak_bytes = max(slot.peak_bytes, worker.peak_bytes if worker else 0)
    return SlotStats(
        slot=slot.index,
        state=worker.state.value if worker else FREE,
        generation=slot.generation,
        worker=_worker(worker, registry, now) if worker else None,
        successor=_worker(successor, registry, now) if successor else None,
        jobs=slot.jobs,
        peak_bytes=peak_bytes,
        exits=dict(slot.exits),
        series=tuple(slot.series),
    )


def _worker(worker: Worker, registry: Registry, now: float) -> WorkerStats:
    return WorkerStats(
        generation=worker.generation,
        pid=worker.pid,
        model=worker.model_queue.name,
        state=worker.state.value,
        rss_bytes=worker.rss_bytes,
        peak_bytes=worker.peak_bytes,
        reserved_bytes=registry.budget.held_by(worker),
        jobs=worker.jobs,
        age_s=now - worker.started_at,
        limit_bytes=_limit(worker, registry),
        sandbox=worker.link.sandbox,
    )


def _limit(worker: Worker, registry: Registry) -> int | None:
    learnt = worker_limit(registry, worker) if worker.trace is not None and worker.trace.jobs else None
    whole = registry.budget.limit_bytes if registry.settings.hard_budget else None
    limits = (worker.limits.rss_bytes, worker.limits.hard_rss_bytes, learnt, whole)
    return min((limit for limit in limits if limit is not None), default=None)


def _models(registry: Registry, now: float) -> Iterable[ModelStats]:
    prefetched = Counter(
        job.model_queue
        for worker in registry.with_prefetched
        for job in worker.prefetched
        if job.state is JobState.SENT
    )
    for model_queue in registry.model_queues.values():
        yield ModelStats(
            model=model_queue.name,
            waiting=len(model_queue.waiting) + prefetched[model_queue],
            workers=len(model_queue.workers),
            need_bytes=model_queue.need_bytes(registry.budget.limit_bytes),
            learnt=bool(model_queue.measured_bytes),
            start_s=model_queue.start_s,
            exits=dict(model_queue.exits),
            out_of_use=None if model_queue.out_of_use is None else str(model_queue.out_of_use),
            growth=_growth(model_queue, registry),
            start="warm" if model_queue.cold_because is None else "cold",
            cold_because=model_queue.cold_because or "",
            template=_template(model_queue.template, registry, now),
        )


def _template(template: Template | None, registry: Registry, now: float) -> TemplateStats | None:
    if template is None:
        return None
    return TemplateStats(
        pid=template.link.pid,
        state="loading" if template.ready_at is None else "ready",
        rss_bytes=template.rss_bytes,
        reserved_bytes=registry.budget.held_by(template),
        workers=template.workers,
        age_s=now - template.started_at,
    )


def _growth(model_queue: ModelQueue, registry: Registry) -> LearnedGrowth | None:
    if model_queue.learner is None:
        return None
    growth = model_queue.learner.growth
    told = [worker for worker in model_queue.workers if worker.trace is not None and worker.trace.jobs]
    newest = max(told, key=lambda worker: worker.started_at, default=None)
    return LearnedGrowth(
        readings=growth.readings,
        lives=growth.lives,
        rate=growth.rate,
        rate_low=growth.rate_low if isfinite(growth.rate_low) else None,
        rate_high=growth.rate_high,
        certain=growth.certain,
        base_bytes=growth.base,
        largest_rise_bytes=growth.rise,
        peak_above_base_bytes=growth.above,
        limit_bytes=None if newest is None else worker_limit(registry, newest),
        best_jobs=None if newest is None else worker_best_jobs(newest),
    )


def latency(seconds: Iterable[float]) -> Latency:
    """Summarise durations; percentiles by nearest rank."""
    ordered = sorted(seconds)
    if not ordered:
        return Latency()
    count = len(ordered)
    return Latency(
        count=count,
        mean_s=sum(ordered) / count,
        p50_s=ordered[(count - 1) // 2],
        p99_s=ordered[-(-count * 99 // 100) - 1],
        max_s=ordered[-1],
    )
