"""Replacements are forked from a fork server: as fresh, as well watched and as surely gone as executed workers."""

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from told_by_kernel import surely_told

from orchestrator.errors import WorkerDiedError
from orchestrator.pool.events import WorkerStarted
from orchestrator.pool.jobs import Call, EngineJob
from orchestrator.pool.models import Model
from orchestrator.pool.pool import Pool
from orchestrator.pool.recycling import Recycle
from orchestrator.process import fork_server as fork_server_module
from orchestrator.process import orphans
from orchestrator.process.exit_status import describe_exit
from orchestrator.process.fork_server import ForkServer, ForkServerLostError
from orchestrator.process.offspring import LOST_STATUS
from orchestrator.process.spawn import child_environment, start_fork_server
from orchestrator.process.worker_process import WorkerProcess

DEADLINE_S = 60.0
FRESH = Recycle(max_jobs=1)
pytestmark = [
    pytest.mark.usefixtures("nothing_left", "patience_with_the_fork_server"),
    pytest.mark.skipif(
        not hasattr(os, "pidfd_open"), reason="workers are forked only where there are pidfds"
    ),
]


@pytest.fixture
def patience_with_the_fork_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that does not answer in time is given up, and workers are executed again. Here a busy machine may be late."""
    monkeypatch.setattr(fork_server_module, "ANSWER_TIMEOUT_S", DEADLINE_S)


def wait_until(true: Callable[[], Any]) -> None:
    ends_s = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < ends_s
        time.sleep(0.005)


def fork_servers() -> list[psutil.Process]:
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.Error):  # a worker that is just ending has no command line any more
            if "fork_server" in child.cmdline():
                found.append(child)
    return found


def parent_of_a_worker(pool: Pool) -> int:
    """Run a job in a process of its own; return the number of that process's parent."""
    return int(pool.run(Call("os:getppid")))


def use_fork_server(pool: Pool) -> psutil.Process:
    """Replace workers until they come from a fork server; return that."""
    wait_until(lambda: parent_of_a_worker(pool) != os.getpid())
    return fork_servers()[0]


@pytest.fixture
def fork_server(patience_with_the_fork_server: None) -> Any:
    found = start_fork_server(child_environment({}))
    wait_until(lambda: found.ready)
    yield found
    found.close()


def gone(worker: WorkerProcess) -> int:
    def pumped() -> bool:
        worker.pump()
        return worker.returncode is not None

    wait_until(pumped)
    worker.close()
    assert worker.returncode is not None
    return worker.returncode


def test_a_pool_that_replaces_nothing_has_no_fork_server() -> None:
    with Pool(workers=2) as pool:
        for _ in range(5):
            assert parent_of_a_worker(pool) == os.getpid()
        assert fork_servers() == []


def test_replacements_come_from_one_fork_server_and_each_is_a_process_of_its_own() -> None:
    events: list[Any] = []
    with Pool(workers=2, recycle=FRESH, on_event=events.append) as pool:
        fork_server = use_fork_server(pool)
        parents = {parent_of_a_worker(pool) for _ in range(10)}
        processes = list(pool.map(Call("os:getpid") for _ in range(20)))
        assert parents - {os.getpid()} == {fork_server.pid}  # the first worker of the other slot was executed
        assert len(set(processes)) == 20
        assert fork_servers() == [fork_server]
    started = {event.pid: event.start for event in events if isinstance(event, WorkerStarted)}
    # The other slot may still have had its executed worker, and an executed successor of that.
    assert [started[process] for process in processes].count("fork") >= 18
    assert next(iter(started.values())) == "exec"


def test_a_forked_worker_knows_nothing_of_the_host_or_of_jobs_before(tmp_path: Path) -> None:
    (tmp_path / "marked.py").write_text("seen = []\ndef note():\n    seen.append(1)\n    return len(seen)\n")
    sys.path.insert(0, str(tmp_path))
    try:
        with Pool(recycle=FRESH) as pool:
            use_fork_server(pool)
            assert [pool.run(Call("marked:note")) for _ in range(3)] == [1, 1, 1]
    finally:
        sys.path.remove(str(tmp_path))


def test_a_model_with_an_environment_of_its_own_is_executed() -> None:
    model = Model(name="model", engine="function", env={"MALLOC_ARENA_MAX": "2"})
    with Pool(models=[model], recycle=FRESH) as pool:
        for _ in range(4):
            pool.run(Call("os:getpid"))
        job = EngineJob("model", "call", options={"target": "os:getppid"})
        assert {pool.run(job) for _ in range(5)} == {os.getpid()}


def test_what_the_host_sets_in_its_environment_later_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    with Pool(recycle=FRESH) as pool:
        use_fork_server(pool)
        monkeypatch.setenv("ORCHESTRATOR_TEST_LATE", "yes")
        pool.run(Call("os:getpid"))  # the worker that was loaded already
        assert pool.run(Call("os:getenv", "ORCHESTRATOR_TEST_LATE")) == "yes"


def test_deaths_are_reported_as_they_were(fork_server: ForkServer) -> None:
    for number in (signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL, signal.SIGTERM):
        worker = WorkerProcess(fork_server=fork_server)
        assert worker.start == "fork"
        wait_until(worker.pump)
        worker.signal_group(number)
        assert gone(worker) == -number


def test_a_crash_is_told_with_its_signal_and_stderr_tail() -> None:
    with Pool(recycle=Recycle(max_jobs=2)) as pool:
        wait_until(lambda: parent_of_a_worker(pool) != os.getpid())
        with pytest.raises(WorkerDiedError, match="SIGABRT"):
            pool.run(Call("os:abort"))
        assert parent_of_a_worker(pool) == fork_servers()[0].pid
        assert pool.stats().exits["crash"] == 1


def test_an_exit_code_comes_through(fork_server: ForkServer) -> None:
    worker = WorkerProcess(fork_server=fork_server)
    wait_until(worker.pump)
    worker.send_frame(b"\xff\xff\xff\xff")
    assert describe_exit(gone(worker)) == "exit code 114"


def test_a_dead_worker_keeps_its_number_until_it_is_reaped(fork_server: ForkServer) -> None:
    worker = WorkerProcess(fork_server=fork_server)
    os.kill(worker.pid, signal.SIGKILL)
    wait_until(lambda: psutil.Process(worker.pid).status() == psutil.STATUS_ZOMBIE)
    assert gone(worker) == -signal.SIGKILL
    assert not psutil.pid_exists(worker.pid)


def test_when_the_fork_server_dies_no_job_is_lost_and_another_takes_its_place() -> None:
    with Pool(recycle=FRESH) as pool:
        first = use_fork_server(pool)
        first.kill()
        assert all(pool.map(Call("os:getpid") for _ in range(10)))
        wait_until(lambda: parent_of_a_worker(pool) not in {os.getpid(), first.pid, 1})
        assert use_fork_server(pool).pid != first.pid


@pytest.mark.parametrize("silent", [False, True])
def test_a_worker_whose_fork_server_is_gone_works_on_and_its_end_is_told_as_the_system_tells_it(
    fork_server: ForkServer, silent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if silent:  # as an older kernel whose first process was quicker
        monkeypatch.setattr(orphans, "_of_a_zombie", lambda pid, pidfd: None)
        monkeypatch.setattr(orphans, "_GET_INFO", 0)
    worker = WorkerProcess(fork_server=fork_server)
    wait_until(worker.pump)
    os.kill(fork_server.pid, signal.SIGKILL)
    wait_until(lambda: psutil.Process(worker.pid).ppid() != fork_server.pid)
    worker.signal_group(signal.SIGTERM)
    ends = {LOST_STATUS} if silent else {-signal.SIGTERM}
    assert gone(worker) in (ends if silent or surely_told() else {*ends, LOST_STATUS})
    assert fork_server.lost
    with pytest.raises(ForkServerLostError):
        fork_server.fork((0, 1, 2, 3))
    replacement = WorkerProcess(fork_server=fork_server)
    assert replacement.start == "exec"
    replacement.close()


def test_a_forked_worker_dies_with_its_lifeline(fork_server: ForkServer) -> None:
    worker = WorkerProcess(fork_server=fork_server)
    wait_until(worker.pump)
    worker._ends.close_one("lifeline")
    assert gone(worker) == -signal.SIGKILL


def test_a_fork_server_ends_when_its_host_is_gone() -> None:
    child = start_fork_server(child_environment({}))
    wait_until(lambda: child.ready)
    process = psutil.Process(child.pid)
    child._channel.close()  # what the kernel does for a host that was killed
    wait_until(lambda: process.status() == psutil.STATUS_ZOMBIE)
    child.close()
    assert not process.is_running()
