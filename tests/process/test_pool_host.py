"""A pool is never in its host's way: signals, threads, forks, the interpreter's exit and a ``kill -9`` of the host.

What would disturb the test's own process happens in a *host*: a Python process of its own, watched from here.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from orchestrator.pool.jobs import Call
from orchestrator.pool.pool import Pool

EXIT_DEADLINE_S = 10.0
KILL_DEADLINE_S = 5.0

HOST = """
import json, os, signal, sys, threading, time
sys.path.insert(0, {tests!r})
from orchestrator.errors import ForkedPoolError
from orchestrator.pool.async_pool import AsyncPool
from orchestrator.pool.executor import PoolExecutor
from orchestrator.pool.jobs import Call, EngineJob
from orchestrator.pool.pool import Pool
import pool_functions
from pool_functions import synthetic

def tell(**facts):
    print(json.dumps(facts), flush=True)

def busy(pool, count):
    while pool.stats().running < count:
        time.sleep(0.005)
    return [slot.worker.pid for slot in pool.stats().slots]

def fault(how, **more):
    return EngineJob("model", "asr", options={{"fault": {{"how": how, **more}}}})

"""


@pytest.fixture
def pids() -> Iterator[list[int]]:
    """Processes that must not outlive the test, whatever it finds."""
    found: list[int] = []
    yield found
    for pid in found:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def start_host(script: str) -> "subprocess.Popen[str]":
    source = HOST.format(tests=os.path.dirname(__file__)) + textwrap.dedent(script)
    return subprocess.Popen(
        [sys.executable, "-X", "dev", "-c", source], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def run_host(script: str, pids: list[int]) -> tuple[int, list[dict[str, object]], str]:
    """Return the exit code, the facts it told and its standard error."""
    with start_host(script) as host:
        pids.append(host.pid)
        try:
            out, err = host.communicate(timeout=4 * EXIT_DEADLINE_S)
        finally:
            host.kill()
    # In its development mode asyncio remarks on every step that takes 0.1 s, as on a busy machine all do.
    said = [line for line in err.splitlines(keepends=True) if not line.startswith("Executing <")]
    return host.returncode, [json.loads(line) for line in out.splitlines()], "".join(said)


def none_alive(pids: list[int], deadline_s: float) -> None:
    processes = []
    for pid in pids:
        try:
            processes.append(psutil.Process(pid))
        except psutil.NoSuchProcess:
            continue
    _, alive = psutil.wait_procs(processes, timeout=deadline_s)
    assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []


# --------------------------------------------------------------------------- signals, hooks, threads


def signals_and_hooks() -> list[object]:
    wakeup = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(wakeup)
    handlers: list[object] = [signal.getsignal(number) for number in sorted(signal.valid_signals())]
    hooks = [sys.excepthook, threading.excepthook, sys.unraisablehook, asyncio.get_event_loop_policy()]
    return [*handlers, *hooks, signal.pthread_sigmask(signal.SIG_BLOCK, []), wakeup]


@pytest.mark.usefixtures("nothing_left")
def test_signals_and_hooks_of_the_host_stay_as_they_are() -> None:
    before = signals_and_hooks()
    with Pool(workers=2) as pool:
        pool.run(Call("pool_functions:add", 1, 1))
        assert signals_and_hooks() == before
    assert signals_and_hooks() == before


@pytest.mark.usefixtures("nothing_left")
def test_many_threads_use_one_pool_at_once() -> None:
    def work(thread: int) -> None:
        cancelled = [pool.submit(Call("pool_functions:nap", 30.0)) for _ in range(2)]
        assert all(future.cancel() for future in cancelled)
        futures = [pool.submit(Call("pool_functions:add", thread * 1000, job)) for job in range(25)]
        assert pool.stats().queue_length >= 0
        assert [future.result() for future in futures] == [thread * 1000 + job for job in range(25)]

    with Pool(workers=2, max_queue=50) as pool, ThreadPoolExecutor(12) as threads:
        pending = [threads.submit(work, thread) for thread in range(12)]
        for one in pending:
            one.result()
        outcomes = pool.stats().outcomes["call"]
    assert outcomes["result"] == 12 * 25
    assert outcomes["cancelled"] == 12 * 2


# --------------------------------------------------------------------------- forks of the host


def test_a_forked_copy_gets_a_clear_error_and_leaves_the_pool_to_its_owner(
    tmp_path: Path, pids: list[int]
) -> None:
    script = """
    import warnings
    warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of forking beside threads
    pool = Pool(workers=2)
    gate = GATE
    future = pool.submit(Call("pool_functions:wait_for", gate))
    workers = busy(pool, 1)
    copy = os.fork()
    if copy == 0:
        errors = []
        for use in (lambda: pool.submit(Call("pool_functions:pid")), pool.stats, lambda: list(pool.map([Call("m:f")]))):
            try:
                use()
            except ForkedPoolError as error:
                errors.append([error.owner_pid == os.getppid(), str(error)])
        tell(errors=errors, closed=pool.close(), cancelled=future.cancel())
        sys.exit(7)  # through the exit handlers
    status = os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1])
    open(gate, "w").close()
    tell(status=status, first=future.result() == gate, second=pool.run(Call("pool_functions:add", 1, 1)))
    pool.close()
    """
    script = script.replace("GATE", repr(str(tmp_path / "gate")))
    code, (in_copy, in_owner), err = run_host(script, pids)
    assert (code, err) == (0, "")
    assert len(in_copy["errors"]) == 3  # type: ignore[arg-type]
    for owner, text in in_copy["errors"]:  # type: ignore[attr-defined]
        assert owner
        assert "make a new Pool after the fork" in text
    assert in_owner == {"status": 7, "first": True, "second": 2}


def test_a_forked_copy_does_not_keep_workers_alive(pids: list[int]) -> None:
    script = """
    import warnings
    warnings.simplefilter("ignore", DeprecationWarning)
    pool = Pool(models=[synthetic()], workers=2)
    jobs = [pool.submit(fault(how)) for how in ("hang", "hang_holding_gil")]
    workers = busy(pool, 2)
    copy = os.fork()
    if copy == 0:
        signal.pause()
    tell(workers=workers, copy=copy)
    signal.pause()
    """
    facts = kill_host(script, pids)
    none_alive(facts["workers"], KILL_DEADLINE_S)
    assert psutil.pid_exists(facts["copy"])


# --------------------------------------------------------------------------- the interpreter's exit


@pytest.mark.parametrize(
    "jobs",
    [
        'Call("pool_functions:nap", 60.0)',
        'fault("hang_ignoring_sigterm")',
        'fault("hang_holding_gil")',
        'fault("grandchild", ms=60000)',
    ],
    ids=["sleeps", "ignores SIGTERM", "holds the GIL", "grandchild"],
)
def test_the_interpreter_ends_with_an_open_pool(pids: list[int], jobs: str) -> None:
    """Running jobs and queued ones: quick, silent, and with the exit code the host wanted."""
    script = f"""
    pool = Pool(models=[synthetic(job_ms=60000)], workers=2)
    futures = [pool.submit({jobs}) for _ in range(10)]
    tell(workers=busy(pool, 2), at=time.monotonic())
    sys.exit(3)
    """
    code, (facts,), err = run_host(script, pids)
    ended_s = _monotonic()
    assert (code, err) == (3, "")
    assert ended_s - facts["at"] < EXIT_DEADLINE_S  # type: ignore[operator]
    none_alive(facts["workers"], KILL_DEADLINE_S)  # type: ignore[arg-type]


def test_the_interpreter_ends_with_the_other_front_doors_open(pids: list[int]) -> None:
    script = """
    import asyncio
    executor = PoolExecutor(1)
    finished = executor.submit(pool_functions.nap, 0.5)  # an executor's calls are waited for, as by the standard ones
    finished.add_done_callback(lambda _: tell(at=time.monotonic()))
    async def main():
        pool = AsyncPool(workers=1)
        return pool, await pool.submit(Call("pool_functions:nap", 60.0))
    kept = asyncio.run(main())
    """
    code, told, err = run_host(script, pids)
    ended_s = _monotonic()
    assert (code, err) == (0, "")
    (facts,) = told
    assert ended_s - facts["at"] < EXIT_DEADLINE_S  # type: ignore[operator]


def test_an_error_of_the_host_is_all_that_is_seen_of_its_exit(pids: list[int]) -> None:
    script = """
    pool = Pool(workers=1)
    future = pool.submit(Call("pool_functions:nap", 60.0))
    busy(pool, 1)
    raise LookupError("of the host")
    """
    code, _, err = run_host(script, pids)
    assert code == 1
    assert err.splitlines()[-1] == "LookupError: of the host"
    assert "orchestrator" not in err


def _monotonic() -> float:
    import time

    return time.monotonic()  # one clock for all processes of the system


# --------------------------------------------------------------------------- kill -9 of the host


def kill_host(script: str, pids: list[int]) -> dict[str, list[int]]:
    """Wait for what the host tells, then kill it."""
    with start_host(script) as host:
        pids.append(host.pid)
        assert host.stdout is not None
        facts = json.loads(host.stdout.readline())
        for one in facts.values():
            pids += one if isinstance(one, list) else [one]
        host.kill()
    return facts  # type: ignore[no-any-return]


def test_nobody_outlives_a_killed_host(pids: list[int]) -> None:
    """One worker holds the GIL in native code, one sleeps, one has a grandchild and works on."""
    script = """
    import psutil
    pool = Pool(models=[synthetic(job_ms=60000)], workers=3)
    jobs = [fault("hang_holding_gil"), fault("hang_ignoring_sigterm"), fault("grandchild", ms=60000)]
    futures = [pool.submit(job) for job in jobs]
    workers = busy(pool, 3)
    while not (grandchildren := [two.pid for one in psutil.Process().children() for two in one.children()]):
        time.sleep(0.005)
    tell(workers=workers, grandchildren=grandchildren)
    signal.pause()
    """
    facts = kill_host(script, pids)
    assert len(facts["workers"]) == 3
    assert len(facts["grandchildren"]) == 1
    none_alive([*facts["workers"], *facts["grandchildren"]], KILL_DEADLINE_S)
