"""Where a pool's worker dies × how it dies → how its job ends, and under which reason the death is counted.

Real processes throughout. In each cell another model of the same pool works on afterwards, and when the pool is
closed nothing is left: no child, descriptor or thread of ours, and nobody in the process groups of its workers.

``start`` is before the handshake, in an interpreter that is broken; ``load`` and ``run`` in the engine; ``reply``
in the middle of a reply; ``stop`` when the worker was told to leave. Nothing is unloaded in a pool: a worker
holds its model until it leaves.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from pool_functions import synthetic

from orchestrator.errors import JobError, JobTimeoutError, ModelOutOfUseError, WorkerDiedError
from orchestrator.pool.events import PoolEvent, WorkerLeft, WorkerStarted
from orchestrator.pool.jobs import Call, EngineJob, Job
from orchestrator.pool.models import Model
from orchestrator.pool.pool import Pool
from orchestrator.pool.recycling import Recycle
from orchestrator.pool.stats import PoolStats

pytestmark = pytest.mark.usefixtures("nothing_left")
HANGS = ("hang", "hang_ignoring_sigterm", "hang_holding_gil")
BREAKS = ("garbage", "garbage_frame", "oversized_frame")
ENDS = ("exit", "abort", "segfault", "kill")
HARMLESS = ("noise", "grandchild", "grandchild_fork")
EVERY_HOW = ("raise", "sys_exit", *ENDS, *HANGS, *BREAKS, *HARMLESS, "allocate")

HARD_RSS = "200MiB"
HANG_TIMEOUT_S = 0.3
START_TIMEOUT_S = 5.0
"""Of the model that hangs; the one beside it must have started by then, on a busy machine too."""
DEADLINE_S = 60.0

Ending = tuple[type[BaseException] | None, str | None]
"""The type of the future's exception, and the exit reason of the worker; None: none."""


def reason_of(how: str, otherwise: str) -> str:
    """Return the reason that is the same wherever it happens."""
    if how in BREAKS:
        return "protocol"
    return {"kill": "killed", "allocate": "hard-rss"}.get(how, otherwise)


def at_start(how: str) -> Ending:
    return (None, None) if how in HARMLESS else (ModelOutOfUseError, reason_of(how, "start-failed"))


def in_run(how: str) -> Ending:
    if how in HARMLESS:
        return None, None
    if how in ("raise", "sys_exit"):
        return JobError, None
    if how in HANGS:
        return JobTimeoutError, "timeout"
    return WorkerDiedError, reason_of(how, "crash")


def in_reply(how: str) -> Ending:
    """Whatever follows half a reply is taken for its other half, and makes no message."""
    if how in ("raise", "sys_exit", *HARMLESS):
        return WorkerDiedError, "protocol"
    return in_run(how)


def fault_of(how: str) -> dict[str, Any]:
    size_kib = {"noise": 2 * 1024, "allocate": 4 * 1024 * 1024}
    return {"how": how, "kib": size_kib[how]} if how in size_kib else {"how": how}


class Watched:
    """A pool with a model that becomes the victim and one that must not notice."""

    def __init__(self, victim: Model | None = None, **options: Any) -> None:
        self.started: list[int] = []
        self.left: list[tuple[str, str]] = []
        models = [victim or synthetic("victim", tokens=4), synthetic("good")]
        self.pool = Pool(models=models, on_event=self._take, **options)

    def _take(self, event: PoolEvent) -> None:
        if isinstance(event, WorkerStarted):
            self.started.append(event.pid)
        elif isinstance(event, WorkerLeft):
            self.left.append((event.model, event.reason))

    def ends_with(self, job: Job, *, timeout_s: float | None = None) -> BaseException | None:
        with self.pool as pool:
            future = pool.submit(job, timeout_s=timeout_s)
            error = future.exception()
            pool.run(EngineJob("good", "asr"))
        return error

    def reasons(self, model: str) -> list[str]:
        """Return why workers of ``model`` left, but for the shutdown in the end."""
        return [
            reason for name, reason in self.left if name == model and reason not in ("shutdown", "evicted")
        ]

    @property
    def stats(self) -> PoolStats:
        return self.pool.stats()

    def check(self, error: BaseException | None, ending: Ending, model: str, times: int = 1) -> None:
        expected, reason = ending
        assert type(error) is (expected or type(None)), error
        assert self.reasons(model) == ([reason] * times if reason else [])
        if reason:
            assert self.stats.exits[reason] == times
        assert self.reasons("good") == []
        nobody_in_the_groups_of(self.started)


def nobody_in_the_groups_of(pids: list[int]) -> None:
    """Wait until nobody but zombies is in the process groups that these workers led."""
    deadline_s = time.monotonic() + DEADLINE_S
    while left := [process for process in psutil.process_iter() if _in_groups(process, pids)]:
        assert time.monotonic() < deadline_s, left
        time.sleep(0.01)


def _in_groups(process: psutil.Process, pids: list[int]) -> bool:
    try:
        return os.getpgid(process.pid) in pids and process.status() != psutil.STATUS_ZOMBIE
    except (ProcessLookupError, psutil.NoSuchProcess):
        return False


@pytest.fixture
def breakable_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start workers by a script that commits the fault of $BROKEN_START, where a model sets it."""
    script = tmp_path / "python"
    broken = Path(__file__).with_name("broken_start.py")
    script.write_text(
        f'#!/bin/sh\n[ -n "$BROKEN_START" ] && exec "{sys.executable}" "{broken}" "$@"\nexec "{sys.executable}" "$@"\n'
    )
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))


def starts_that_fail(how: str, victim: Model) -> None:
    """Three starts are tried; then the model is out of use, and its jobs end with what was seen."""
    ending = at_start(how)
    limits: dict[str, Any] = {"start_timeout_s": START_TIMEOUT_S} if how in HANGS else {}
    watched = Watched(victim, workers=2, recycle=Recycle(hard_rss=HARD_RSS), **limits)
    error = watched.ends_with(EngineJob("victim", "asr"))
    watched.check(error, ending, "victim", times=3)
    if isinstance(error, ModelOutOfUseError):
        assert len(error.evidence) == 3


@pytest.mark.usefixtures("breakable_interpreter")
@pytest.mark.parametrize("how", EVERY_HOW)
def test_start(how: str) -> None:
    victim = Model(name="victim", engine="synthetic", env={"BROKEN_START": json.dumps(fault_of(how))})
    starts_that_fail(how, victim)


@pytest.mark.parametrize("how", EVERY_HOW)
def test_load(how: str) -> None:
    starts_that_fail(how, synthetic("victim", faults=[{**fault_of(how), "when": "load"}]))


@pytest.mark.parametrize("how", EVERY_HOW)
def test_run(how: str) -> None:
    fault = {**fault_of(how), "after_tokens": 2}
    watched = Watched(workers=2, recycle=Recycle(hard_rss=HARD_RSS))
    job = EngineJob("victim", "asr", options={"fault": fault})
    error = watched.ends_with(job, timeout_s=HANG_TIMEOUT_S if how in HANGS else None)
    watched.check(error, in_run(how), "victim")


@pytest.mark.parametrize("how", EVERY_HOW)
def test_reply(how: str) -> None:
    watched = Watched(workers=2, recycle=Recycle(hard_rss=HARD_RSS))
    job = Call("pool_faults:reply_by_half", fault_of(how))
    error = watched.ends_with(job, timeout_s=HANG_TIMEOUT_S if how in HANGS else None)
    watched.check(error, in_reply(how), "function")


@pytest.mark.parametrize("how", EVERY_HOW)
def test_stop(how: str) -> None:
    """The job was done well; how its worker then leaves changes neither that nor why it left."""
    fault = fault_of(how)
    if how == "allocate":
        fault["kib"] = 64 * 1024
    watched = Watched(workers=2, recycle=Recycle(max_jobs=1))
    error = watched.ends_with(Call("pool_faults:leave_badly", fault))
    assert error is None
    assert watched.reasons("function") == ["jobs"]
    assert watched.reasons("good") == ["jobs"]
    assert watched.stats.exits["jobs"] == 2
    assert watched.stats.spawns == len(watched.started)
    nobody_in_the_groups_of(watched.started)
