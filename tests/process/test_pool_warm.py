"""Warm starts with real processes: workers are forked from a template, which has their model loaded."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from told_by_kernel import surely_told

from orchestrator.errors import WorkerDiedError
from orchestrator.pool.events import WorkerStarted
from orchestrator.pool.jobs import EngineJob
from orchestrator.pool.models import Model
from orchestrator.pool.pool import Pool
from orchestrator.pool.recycling import Recycle
from orchestrator.pool.stats import ModelStats
from orchestrator.process import fork_server as fork_server_module

DEADLINE_S = 60.0
MIB = 1 << 20
JOB = EngineJob("m", "synthetic", text="what is said")
pytestmark = [
    pytest.mark.usefixtures("nothing_left", "patience"),
    pytest.mark.skipif(
        not (hasattr(os, "pidfd_open") and Path("/proc/self/task").is_dir()),
        reason="warm starts need pidfds and /proc",
    ),
]


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A template that does not answer in time is given up. Here a busy machine may be late."""
    monkeypatch.setattr(fork_server_module, "ANSWER_TIMEOUT_S", DEADLINE_S)


def wait_until(true: Callable[[], Any]) -> None:
    ends_s = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < ends_s
        time.sleep(0.005)


def model(**options: Any) -> Model:
    return Model(name="m", engine="synthetic", start="warm", options={"may_fork": True, **options})


def of_model(pool: Pool) -> ModelStats:
    return next(each for each in pool.stats().models if each.model == "m")


def parents(pool: Pool) -> set[int]:
    """Return whose children the workers are."""
    found: set[int] = set()
    for slot in pool.stats().slots:
        with suppress(psutil.NoSuchProcess):  # its job was its last
            found |= {psutil.Process(slot.worker.pid).ppid()} if slot.worker is not None else set()
    return found


@contextmanager
def warm(
    given: Model | None = None, *, workers: int = 1, max_jobs: int = 1, **options: Any
) -> Iterator[tuple[Pool, list[str]]]:
    """A pool of one model, and how each of its workers was started."""
    starts: list[str] = []

    def note(event: Any) -> None:
        if isinstance(event, WorkerStarted):
            starts.append(event.start)

    with Pool(
        models=[given or model()],
        workers=workers,
        recycle=Recycle(max_jobs=max_jobs),
        on_event=note,
        **options,
    ) as pool:
        yield pool, starts


def test_every_worker_is_forked_from_one_template_that_never_runs_a_job() -> None:
    with warm(workers=2) as (pool, starts):
        results = [pool.run(JOB) for _ in range(8)]
        template = of_model(pool).template
        assert template is not None
        assert template.state == "ready"
        wait_until(lambda: parents(pool) == {template.pid})
    assert results == [{"job": 1, "text": "what is said"}] * 8
    assert len(starts) >= 8
    assert set(starts) == {"warm"}


def test_a_warm_worker_says_what_a_cold_one_says() -> None:
    with warm() as (pool, _), Pool(models=[Model(name="m", engine="synthetic")]) as cold:
        assert pool.run(JOB) == cold.run(JOB)


@pytest.mark.parametrize(
    ("left", "reason"),
    [
        ("thread", "a fork copies no threads"),
        ("socket", "every fork would share"),
        ("shared", "writable memory"),
    ],
)
def test_what_a_fork_cannot_copy_makes_the_model_cold_and_is_said_once(
    left: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.WARNING, "orchestrator.pool"),
        warm(model(load_leaves=left)) as (pool, starts),
    ):
        for _ in range(3):
            pool.run(JOB)
        stats = of_model(pool)
    assert reason in stats.cold_because
    assert (stats.start, stats.template) == ("cold", None)
    assert "warm" not in starts
    assert len([record for record in caplog.records if "started cold" in record.message]) == 1


def test_an_engine_that_does_not_say_that_it_may_be_forked_is_cold() -> None:
    with warm(Model(name="m", engine="synthetic", start="warm")) as (pool, starts):
        pool.run(JOB)
        assert "does not say" in of_model(pool).cold_because
    assert "warm" not in starts


@pytest.mark.parametrize(
    ("start", "may_fork", "warm_or_cold"),
    [("auto", True, "warm"), ("auto", False, "cold"), ("cold", True, "cold"), ("warm", True, "warm")],
)
def test_without_a_word_a_model_is_warm_where_its_engine_allows_it(
    start: Any, may_fork: bool, warm_or_cold: str, caplog: pytest.LogCaptureFixture
) -> None:
    given = Model(name="m", engine="synthetic", start=start, options={"may_fork": may_fork})
    with caplog.at_level(logging.INFO, "orchestrator.pool"), Pool(models=[given]) as pool:
        pool.run(JOB)
        stats = of_model(pool)
    assert (stats.start, stats.cold_because, stats.template is None) == (
        warm_or_cold,
        "",
        warm_or_cold == "cold",
    )
    said = [record.levelno for record in caplog.records if "its workers are started" in record.message]
    assert said == ([logging.INFO] if warm_or_cold == "warm" else [])


def test_a_hard_budget_is_kept_with_a_template() -> None:
    with warm(model(base_kib=50 * 1024), workers=2, memory_budget=300 * MIB, hard_budget=True) as (
        pool,
        starts,
    ):
        assert len(list(pool.map([JOB] * 12))) == 12
        assert of_model(pool).cold_because == ""
    assert set(starts) == {"warm"}


def test_a_template_that_is_killed_costs_no_job_and_is_replaced() -> None:
    with warm(workers=2) as (pool, starts):
        pool.run(JOB)
        first = of_model(pool).template
        assert first is not None
        os.kill(first.pid, signal.SIGKILL)
        for _ in range(10):
            pool.run(JOB)
        wait_until(lambda: (now := of_model(pool).template) is not None and now.state == "ready")
        second = of_model(pool).template
        assert second is not None
        assert second.pid != first.pid
        assert starts[-1] == "warm" or "exec" in starts


def test_how_a_worker_ends_is_told_after_its_template_was_killed() -> None:
    crash = EngineJob("m", "synthetic", options={"fault": "segfault"})
    with warm(max_jobs=100) as (pool, starts):
        pool.run(JOB)
        template = of_model(pool).template
        assert template is not None
        os.kill(template.pid, signal.SIGKILL)
        wait_until(lambda: (now := of_model(pool).template) is None or now.pid != template.pid)
        with pytest.raises(WorkerDiedError, match="SIGSEGV" if surely_told() else "SIGSEGV|exit code 255"):
            pool.run(crash)
    assert starts[0] == "warm"


def test_a_crash_is_told_with_its_signal_once_the_template_has_shown_that_it_works() -> None:
    crash = EngineJob("m", "synthetic", options={"fault": "segfault"})
    with warm(max_jobs=100) as (pool, starts):
        pool.run(JOB)
        with pytest.raises(WorkerDiedError, match="SIGSEGV"):
            pool.run(crash)
        assert pool.run(JOB)
        assert of_model(pool).cold_because == ""
    assert set(starts) == {"warm"}


def test_a_first_worker_that_dies_is_followed_by_a_cold_one() -> None:
    fault = {"when": "run", "job": 1, "how": "segfault"}
    with warm(model(faults=[fault])) as (pool, starts):
        with pytest.raises(WorkerDiedError, match="SIGSEGV"):
            pool.run(JOB)
        assert "the first worker of its template failed (crash: SIGSEGV)" in of_model(pool).cold_because
    assert starts[0] == "warm"
    assert "exec" in starts


def test_a_load_that_fails_is_told_as_ever() -> None:
    with warm(model(load_ms="soon")) as (pool, _):
        with pytest.raises(Exception, match="load_ms"):
            pool.run(JOB)
        assert "the load failed in its template" in of_model(pool).cold_because


def test_a_template_that_dies_while_it_loads_is_followed_by_cold_workers() -> None:
    fault = {"when": "load", "how": "abort"}
    with warm(model(faults=[fault])) as (pool, _):
        with pytest.raises(Exception, match="SIGABRT"):
            pool.run(JOB)
        assert of_model(pool).cold_because == "its template ended while it loaded: SIGABRT"


def test_the_environment_and_the_limits_of_the_model_are_the_templates_too() -> None:
    given = Model(
        name="m",
        engine="synthetic",
        start="warm",
        env={"ORCHESTRATOR_TEST_OWN": "yes"},
        limits={"nofile": 200},
        options={"may_fork": True},
    )
    with warm(given) as (pool, starts):
        pool.run(JOB)
        template = of_model(pool).template
        assert template is not None
        process = psutil.Process(template.pid)
        assert process.environ()["ORCHESTRATOR_TEST_OWN"] == "yes"
        assert process.rlimit(psutil.RLIMIT_NOFILE) == (200, 200)
    assert set(starts) == {"warm"}


def test_a_model_file_that_changes_is_loaded_again(tmp_path: Path) -> None:
    file = tmp_path / "model.bin"
    file.write_bytes(b"one")
    given = Model(name="m", engine="synthetic", start="warm", file=file, options={"may_fork": True})
    with warm(given) as (pool, _):
        pool.run(JOB)
        first = of_model(pool).template
        file.write_bytes(b"another one")
        assert first is not None
        wait_until(lambda: pool.run(JOB) and (now := of_model(pool).template) and now.pid != first.pid)
        wait_until(lambda: not psutil.pid_exists(first.pid))


def test_what_workers_share_is_counted_once() -> None:
    """The double of a model of 100 MiB: of the workers only what each has for itself."""
    with warm(model(base_kib=100 * 1024), workers=4, max_jobs=100) as (pool, _):
        assert len(list(pool.map([JOB] * 16))) == 16
        stats = pool.stats()
        template = of_model(pool).template
    assert template is not None
    assert template.rss_bytes > 100 * MIB
    workers = [slot.worker for slot in stats.slots if slot.worker is not None]
    assert workers
    for worker in workers:
        assert 0 < worker.rss_bytes < 50 * MIB
    assert stats.reserved_bytes < template.rss_bytes * 1.1 + 4 * 50 * MIB


def test_four_workers_fit_where_two_cold_ones_do(tmp_path: Path) -> None:
    file = tmp_path / "model.bin"
    with file.open("wb") as sparse:
        sparse.truncate(200 * MIB)  # by its size the need of a model is guessed before it is known
    base = model(base_kib=200 * 1024, job_ms=50)
    budget = 600 * MIB  # two times 200 MiB and what a worker takes besides; a third cold one has no room

    def most_workers(given: Model) -> int:
        with Pool(models=[given], workers=4, memory_budget=budget) as pool:
            pool.run(JOB)
            assert len(list(pool.map([JOB] * 40))) == 40
            return sum(slot.worker is not None for slot in pool.stats().slots)

    for start, most in (("cold", 2), ("warm", 4)):
        given = Model(name="m", engine="synthetic", start=start, file=file, options=base.options)  # type: ignore[arg-type]
        assert most_workers(given) == most


HOST = """
import sys, time
from orchestrator import EngineJob, Model, Pool
from orchestrator.process import fork_server
fork_server.ANSWER_TIMEOUT_S = 60.0
if __name__ == "__main__":
    model = Model(name="m", engine="synthetic", start="warm", options={"may_fork": True})
    pool = Pool(models=[model])
    pool.run(EngineJob("m", "synthetic"))
    worker = pool.stats().slots[0].worker
    template = next(each.template for each in pool.stats().models if each.model == "m")
    print(template.pid, worker.pid, flush=True)
    time.sleep(600)
"""


def test_template_and_worker_die_with_a_host_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "host.py"
    script.write_text(HOST)
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as host:
        assert host.stdout is not None
        pids = [int(each) for each in host.stdout.readline().split()]
        host.kill()
    assert len(pids) == 2
    wait_until(lambda: not any(_lives(pid) for pid in pids))


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


LOADING_HOST = """
import sys, time
from orchestrator import EngineJob, Model, Pool
if __name__ == "__main__":
    model = Model(name="m", engine="synthetic", start="warm", options={"may_fork": True, "load_ms": 600000})
    pool = Pool(models=[model])
    pool.submit(EngineJob("m", "synthetic"))
    while (template := next(each.template for each in pool.stats().models if each.model == "m")) is None:
        time.sleep(0.01)
    print(template.pid, flush=True)
    time.sleep(600)
"""


def test_a_template_that_loads_dies_with_a_host_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "host.py"
    script.write_text(LOADING_HOST)
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as host:
        assert host.stdout is not None
        pid = int(host.stdout.readline())
        host.kill()
    wait_until(lambda: not _lives(pid))


def test_a_pool_closes_at_once_while_a_template_loads() -> None:
    with Pool(models=[model(load_ms=600_000)]) as pool:
        future = pool.submit(JOB)
        wait_until(lambda: of_model(pool).template is not None)
        template = of_model(pool).template
        assert future.cancel()
    assert template is not None
    assert not _lives(template.pid), "close waits for its end, and not for its load"


@pytest.mark.soak
def test_a_fork_for_every_job_loses_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The short form of benchmarks/soak_warm.py, by the same code."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    from soak_warm import soak

    outcome = soak(jobs=300, workers=2, seed=1)
    assert outcome.problems() == []
    assert {"result", "JobError", "WorkerDiedError"} <= outcome.endings.keys()
