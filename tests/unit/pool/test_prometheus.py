"""What a scrape says: names, labels and numbers, without a process."""

import signal
import sys

import pytest
from fake_pool import FakePool

from orchestrator.errors import EngineUnavailableError
from orchestrator.pool.core.states import ExitReason
from orchestrator.pool.metrics import BOUNDS_S, Histogram
from orchestrator.pool.prometheus import PoolCollector, metrics_of
from orchestrator.pool.stats import PoolStats, take_stats

pytest.importorskip("prometheus_client", reason="the extra 'prometheus' is not installed")
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

NAMES = {
    "orchestrator_workers": {"model", "state"},
    "orchestrator_worker_spawns": set(),
    "orchestrator_worker_exits": {"model", "reason"},
    "orchestrator_worker_resident_memory_bytes": {"slot"},
    "orchestrator_worker_memory_peak_bytes": {"slot"},
    "orchestrator_worker_missed_readings": set(),
    "orchestrator_jobs": {"task", "outcome"},
    "orchestrator_job_duration_seconds": set(),
    "orchestrator_queue_wait_seconds": set(),
    "orchestrator_queue_depth": set(),
    "orchestrator_model_load_duration_seconds": set(),
    "orchestrator_evictions": set(),
}


class Scrape:
    """What a registry prints of some stats, parsed again by the reference parser."""

    def __init__(self, stats: PoolStats) -> None:
        registry = CollectorRegistry()
        registry.register(type("Collector", (), {"collect": lambda _: metrics_of(stats)})())
        text = generate_latest(registry).decode()
        self.families = {family.name: family for family in text_string_to_metric_families(text)}

    def __call__(self, name: str, **labels: str) -> float:
        found = [
            sample.value
            for family in self.families.values()
            for sample in family.samples
            if sample.name == name and sample.labels == labels
        ]
        assert len(found) == 1, (name, labels)
        return found[0]


def scrape(pool: FakePool) -> Scrape:
    return Scrape(take_stats(pool.registry, pool.now))


def test_exactly_the_names_and_labels_that_are_promised() -> None:
    pool = FakePool("one", workers=2, need_mib=64)
    pool.submit("one")
    pool.ready_all()
    pool.done(pool.worker())
    found = scrape(pool)
    labels = {
        name: {key for sample in family.samples for key in sample.labels} - {"le"}
        for name, family in found.families.items()
    }
    assert labels == NAMES


def test_the_numbers_are_those_of_the_stats() -> None:
    pool = FakePool("one", "two", workers=2, need_mib=64)
    pool.submit("one")
    pool.ready_all()
    pool.done(pool.worker())
    pool.submit("one")
    pool.die(pool.worker(), -signal.SIGSEGV)
    found = scrape(pool)
    assert found("orchestrator_worker_exits_total", model="one", reason="crash") == 1
    assert found("orchestrator_worker_exits_total", model="two", reason="crash") == 0
    assert found("orchestrator_jobs_total", task="call", outcome="result") == 1
    assert found("orchestrator_jobs_total", task="call", outcome="died") == 1
    assert found("orchestrator_worker_memory_peak_bytes", slot="0") == 64 * 1024 * 1024
    assert found("orchestrator_worker_spawns_total") == take_stats(pool.registry, pool.now).spawns
    assert found("orchestrator_job_duration_seconds_count") == 2
    assert found("orchestrator_job_duration_seconds_bucket", le="+Inf") == 2
    assert found("orchestrator_queue_wait_seconds_count") == 2
    assert found("orchestrator_model_load_duration_seconds_count") >= 1
    assert found("orchestrator_queue_depth") == 0


def test_readings_that_were_missed_are_counted() -> None:
    pool = FakePool("one", workers=1, need_mib=64)
    assert scrape(pool)("orchestrator_worker_missed_readings_total") == 0
    pool.missed_readings = 3
    assert scrape(pool)("orchestrator_worker_missed_readings_total") == 3


def test_every_reason_has_a_series_from_the_start_and_workers_are_counted_by_state() -> None:
    found = scrape(FakePool("one", workers=1))
    for reason in ExitReason:
        assert found("orchestrator_worker_exits_total", model="one", reason=reason.value) == 0
    assert found("orchestrator_worker_resident_memory_bytes", slot="0") == 0
    pool = FakePool("one", workers=1)
    pool.submit("one")
    assert scrape(pool)("orchestrator_workers", model="one", state="starting") == 1
    assert scrape(pool)("orchestrator_workers", model="one", state="busy") == 0


def test_a_bound_belongs_to_the_bucket_below_it_and_nothing_is_lost() -> None:
    histogram = Histogram()
    durations = [*BOUNDS_S, 1e-9, 1e9]
    for seconds in durations:
        histogram.add(seconds)
    stats = histogram.stats()
    assert stats.counts == (2, *([1] * len(BOUNDS_S)))
    assert stats.count == len(durations)
    assert stats.sum_s == pytest.approx(sum(durations))


def test_without_the_package_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "prometheus_client"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(EngineUnavailableError, match=r"orchestrator\[prometheus\]"):
        PoolCollector(None)  # type: ignore[arg-type] # refused before the pool is looked at
