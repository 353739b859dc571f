"""A pool's stats as Prometheus metrics. Needs the extra ``prometheus``; nothing else imports this module.

Every scrape asks the pool once, and nothing is kept between scrapes. Labels are models, states, reasons, tasks and
slots, never pids, so that recycling makes no new time series. How metrics are served is the application's choice::

    REGISTRY.register(PoolCollector(pool))
    start_http_server(9000)
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from orchestrator.errors import EngineUnavailableError
from orchestrator.pool.core.states import ExitReason, WorkerState
from orchestrator.pool.metrics import HistogramStats
from orchestrator.pool.stats import PoolStats, WorkerStats

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from orchestrator.pool.async_pool import AsyncPool
    from orchestrator.pool.executor import PoolExecutor
    from orchestrator.pool.pool import Pool

_STATES = [state for state in WorkerState if state is not WorkerState.GONE]


class PoolCollector:
    """Collects one pool's metrics; register it in a registry of ``prometheus_client``.

    Names carry no pool, so several pools of one process need a registry each. A closed pool keeps its last counts.
    A scrape may be served by any thread; it blocks until the pool's thread has answered, well below a millisecond.

    Raises:
        EngineUnavailableError: The package prometheus-client is not installed.
    """

    def __init__(self, pool: Pool | AsyncPool | PoolExecutor) -> None:
        _families()
        # AsyncPool.stats is a coroutine, and a scrape is none.
        self._stats = pool._controller.stats  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of this moment; what a registry calls."""
        return metrics_of(self._stats())


def metrics_of(stats: PoolStats) -> Iterator[Metric]:
    """Yield ``stats`` as metric families.

    Raises:
        EngineUnavailableError: The package prometheus-client is not installed.
    """
    yield from _of_workers(stats)
    yield from _of_slots(stats)
    yield from _of_jobs(stats)


def _of_workers(stats: PoolStats) -> Iterator[Metric]:
    families = _families()
    present = families.GaugeMetricFamily(
        "orchestrator_workers",
        "Worker processes, successors and leaving ones too.",
        labels=["model", "state"],
    )
    exits = families.CounterMetricFamily(
        "orchestrator_worker_exits", "Workers that left, by reason.", labels=["model", "reason"]
    )
    states = [(worker.model, worker.state) for worker in _workers(stats)]
    for model in stats.models:
        for state in _STATES:
            present.add_metric([model.model, state.value], states.count((model.model, state.value)))
        for reason in ExitReason:  # zeros too: a rate needs a series that was there before
            exits.add_metric([model.model, reason.value], model.exits.get(reason.value, 0))
    yield present
    yield exits
    yield _counter("orchestrator_worker_spawns", "Workers started.", stats.spawns)
    yield _counter(
        "orchestrator_evictions", "Workers that left to make room for another model.", stats.evictions
    )
    yield _histogram(
        "orchestrator_model_load_duration_seconds", "Seconds to load a model.", stats.load_duration_histogram
    )


def _workers(stats: PoolStats) -> Iterator[WorkerStats]:
    for slot in stats.slots:
        if slot.worker is not None:
            yield slot.worker
        if slot.successor is not None:
            yield slot.successor
    yield from stats.leaving


def _of_slots(stats: PoolStats) -> Iterator[Metric]:
    families = _families()
    resident = families.GaugeMetricFamily(
        "orchestrator_worker_resident_memory_bytes",
        "Resident memory of the slot's worker in use, read from outside; 0 when the slot is free.",
        labels=["slot"],
    )
    peak = families.GaugeMetricFamily(
        "orchestrator_worker_memory_peak_bytes",
        "Most resident memory that any worker of the slot was seen with.",
        labels=["slot"],
    )
    for slot in stats.slots:
        resident.add_metric([str(slot.slot)], slot.worker.rss_bytes if slot.worker else 0)
        peak.add_metric([str(slot.slot)], slot.peak_bytes)
    yield resident
    yield peak
    yield _counter(
        "orchestrator_worker_missed_readings",
        "Times at which no memory was read while workers worked: limits were not looked at then.",
        stats.missed_readings,
    )


def _of_jobs(stats: PoolStats) -> Iterator[Metric]:
    families = _families()
    ended = families.CounterMetricFamily("orchestrator_jobs", "Jobs that ended.", labels=["task", "outcome"])
    for task, outcomes in stats.outcomes.items():
        for outcome, count in outcomes.items():
            ended.add_metric([task, outcome], count)
    yield ended
    yield families.GaugeMetricFamily(
        "orchestrator_queue_depth",
        "Jobs that wait, those between two attempts too.",
        value=stats.queue_length,
    )
    yield _histogram(
        "orchestrator_queue_wait_seconds",
        "Seconds from submit to the start of work.",
        stats.queue_wait_histogram,
    )
    yield _histogram(
        "orchestrator_job_duration_seconds",
        "Seconds from the start of a job's last attempt to its end.",
        stats.job_duration_histogram,
    )


def _counter(name: str, help_text: str, count: int) -> Metric:
    found: Metric = _families().CounterMetricFamily(name, help_text, value=count)
    return found


def _histogram(name: str, help_text: str, stats: HistogramStats) -> Metric:
    bounds = [*(str(bound) for bound in stats.bounds_s), "+Inf"]
    buckets = list(zip(bounds, accumulate(stats.counts), strict=True))
    found: Metric = _families().HistogramMetricFamily(name, help_text, buckets=buckets, sum_value=stats.sum_s)
    return found


def _families() -> Any:
    try:
        return import_module("prometheus_client.core")
    except ImportError as error:
        raise EngineUnavailableError(
            f"metrics for Prometheus need the package prometheus-client ({error})",
            "pip install 'orchestrator[prometheus]'",
        ) from error
