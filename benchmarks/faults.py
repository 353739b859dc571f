"""One job with a fault among 20 good ones, through six pools: what becomes of the good ones, and of the pool.

    python benchmarks/faults.py [--deadline-s 20]

A good job is lost when it has no right answer. When all have settled, or after 14 seconds, one more good job is
submitted: the pool *works* when that is answered and none was refused before, is *broken* when it raises, and
*hung* when there is no answer by the deadline. Each cell is a process of its own, taken away then with all that is
in its session. A pool that has a limit of time per job (ours, pebble, billiard) is given 1 s for the bad one. Prints
a table and writes ``benchmarks/results/faults.json``. Needs the packages pebble, loky and billiard.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import psutil
from faulty_jobs import FAULTS, bad, good
from recording import host, record, show

GOOD_JOBS = 20
WORKERS = 2
JOB_LIMIT_S = 1.0
PATIENCE_S = 14.0
"""More than the 10 s that billiard takes to miss a dead worker."""
Answer = Callable[[], Any]
Submit = Callable[[Callable[[Any], Any], Any], Answer]


def concurrent_futures() -> Submit:
    pool = ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context("spawn"))
    return lambda function, argument: pool.submit(function, argument).result


def multiprocessing_pool() -> Submit:
    pool = multiprocessing.get_context("spawn").Pool(WORKERS)
    return lambda function, argument: pool.apply_async(function, (argument,)).get


def pebble() -> Submit:
    from pebble import ProcessPool  # noqa: PLC0415 - only the peer of this cell is loaded

    pool = ProcessPool(WORKERS, context=multiprocessing.get_context("spawn"))

    def submit(function: Callable[[Any], Any], argument: Any) -> Answer:
        limit_s = JOB_LIMIT_S if function is bad else None
        future: Future[Any] = pool.schedule(function, args=(argument,), timeout=limit_s)
        return future.result

    return submit


def loky() -> Submit:
    from loky import get_reusable_executor  # noqa: PLC0415

    pool = get_reusable_executor(WORKERS)
    return lambda function, argument: pool.submit(function, argument).result


def billiard() -> Submit:
    import billiard  # noqa: PLC0415

    pool = billiard.get_context("spawn").Pool(WORKERS, timeout=60.0)  # without it, no limit of a job counts

    def submit(function: Callable[[Any], Any], argument: Any) -> Answer:
        limit_s = JOB_LIMIT_S if function is bad else None
        return pool.apply_async(function, (argument,), timeout=limit_s).get  # type: ignore[no-any-return]

    return submit


def orchestrator() -> Submit:
    from orchestrator.pool.jobs import Call  # noqa: PLC0415
    from orchestrator.pool.pool import Pool  # noqa: PLC0415

    pool = Pool(workers=WORKERS)

    def submit(function: Callable[[Any], Any], argument: Any) -> Answer:
        limit_s = JOB_LIMIT_S if function is bad else None
        return pool.submit(Call(f"faulty_jobs:{function.__name__}", argument), timeout_s=limit_s).result

    return submit


POOLS: dict[str, Callable[[], Submit]] = {
    "ProcessPoolExecutor": concurrent_futures,
    "mp.Pool": multiprocessing_pool,
    "pebble": pebble,
    "loky": loky,
    "billiard": billiard,
    "ours": orchestrator,
}


def tell(**facts: Any) -> None:
    os.write(FACTS_FD, json.dumps(facts).encode() + b"\n")


FACTS_FD = 1


def cell(name: str, how: str) -> None:
    """Run one cell and tell, step by step, how it goes. The parent ends it."""
    global FACTS_FD  # noqa: PLW0603 - workers' noise goes elsewhere
    FACTS_FD = os.dup(1)
    os.dup2(2, 1)
    submit = POOLS[name]()
    assert submit(good, 3)() == 9
    answers: list[tuple[int, Answer]] = []
    broken = False
    bad_answer: Answer | None = None
    for number in range(GOOD_JOBS):
        if number == GOOD_JOBS // 2:
            bad_answer = submit(bad, how)
        try:
            answers.append((number, submit(good, number)))
        except Exception:
            broken = True
    assert bad_answer is not None
    waiters = ThreadPoolExecutor(
        GOOD_JOBS + 2
    )  # each answer is waited for alone: one that never comes hides no other
    pending = [waiters.submit(_await_good, number, answer) for number, answer in answers]
    settled = [waiters.submit(_await_bad, bad_answer), *pending]
    wait(settled, PATIENCE_S)
    try:
        tell(usable=submit(good, 7)() == 49 and not broken)
    except Exception as error:
        tell(usable=False, why=type(error).__name__)


def _await_good(number: int, answer: Answer) -> None:
    if answer() == number * number:
        tell(good=number)


def _await_bad(answer: Answer) -> None:
    try:
        answer()
        tell(bad="result")
    except BaseException as error:
        tell(bad=type(error).__name__)


def run_cell(name: str, how: str, deadline_s: float) -> dict[str, Any]:
    """Run one cell in a session of its own, and take away all that is in it."""
    process = subprocess.Popen(
        [sys.executable, __file__, "--cell", name, how],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        start_new_session=True,
        cwd=Path(__file__).parent,
    )
    assert process.stdout is not None
    with process.stdout as facts_pipe:
        told = _listen(facts_pipe.fileno(), deadline_s)
    _take_away(process.pid)
    process.wait()
    facts = [json.loads(line) for line in told.decode().splitlines()]
    ended = {key: value for one in facts for key, value in one.items()}
    done = sum("good" in one for one in facts)
    after = "hung" if "usable" not in ended else "works" if ended["usable"] else "broken"
    return {
        "pool": name,
        "fault": how,
        "lost": GOOD_JOBS - done,
        "bad": ended.get("bad", "no answer"),
        "after": after,
    }


def _listen(descriptor: int, deadline_s: float) -> bytes:
    """Return the whole lines told until the last fact, the end of file or the deadline."""
    ends_s = time.monotonic() + deadline_s
    told = b""
    while b'"usable"' not in told and (left_s := ends_s - time.monotonic()) > 0:
        if select.select([descriptor], [], [], left_s)[0]:
            chunk = os.read(descriptor, 65536)
            if not chunk:
                break
            told += chunk
    return told[: told.rfind(b"\n") + 1]


def _take_away(session: int) -> None:
    """Kill everybody in the cell's session: some pools' workers outlive their host."""
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session:
                process.kill()
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue


def _in_short(result: dict[str, Any]) -> str:
    unanswered = ", no answer" if result["bad"] == "no answer" else ""
    return f"{result['lost']} lost{unanswered}, {result['after']}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--deadline-s", type=float, default=20.0)
    parser.add_argument("--cell", nargs=2, help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.cell:
        cell(*said.cell)
        signal.pause()  # until it is taken away with its workers
    cells = [(name, how) for how in FAULTS for name in POOLS]
    with ThreadPoolExecutor(2) as threads:
        results = list(threads.map(lambda one: run_cell(*one, said.deadline_s), cells))
    by_cell = {(one["pool"], one["fault"]): one for one in results}
    rows = [[how, *(_in_short(by_cell[name, how]) for name in POOLS)] for how in FAULTS]
    show(f"of {GOOD_JOBS} good jobs beside one with the fault; the pool afterwards", ["fault", *POOLS], rows)
    totals = [
        [
            name,
            sum(one["lost"] for one in results if one["pool"] == name),
            sum(one["bad"] == "no answer" for one in results if one["pool"] == name),
            sum(one["after"] == "broken" for one in results if one["pool"] == name),
            sum(one["after"] == "hung" for one in results if one["pool"] == name),
        ]
        for name in POOLS
    ]
    show(
        f"over {len(FAULTS)} faults",
        ["pool", "good jobs lost", "bad ones never answered", "broken", "hung"],
        totals,
    )
    document = {
        "command": f"python benchmarks/faults.py --deadline-s {said.deadline_s:g}",
        "host": host("pebble", "loky", "billiard", "msgspec"),
        "good_jobs": GOOD_JOBS,
        "workers": WORKERS,
        "cells": results,
        "totals": totals,
    }
    print(f"\nwritten to {record('faults', document)}")


if __name__ == "__main__":
    main()
