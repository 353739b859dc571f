"""What it costs to read another process's memory, which file tells the truth, and what sampling misses.

    python benchmarks/bench_sampling.py [--seconds 10] [--rounds 3]

Prints tables and writes ``benchmarks/results/sampling.json``. Best on a quiet machine: the floor, a bare loop
of the same system calls at the same pace, runs in turn with the thread that samples and the process that does, alone
and beside a host that runs pure Python, so that their ratio holds on a busy machine too.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
from recording import host, record, show

from orchestrator.process.memory import read_boundary, reset_peak
from orchestrator.process.sampling.descendants import descendants
from orchestrator.process.sampling.sample_record import RECORD_SIZE
from orchestrator.process.sampling.sampler import Sampler
from orchestrator.process.sampling.samples import SampleWriter
from orchestrator.process.sampling.sampling_process import SamplingProcess

MB = 1024 * 1024
KB = 1024
WORKERS = 16
INTERVAL_S = 0.01
HOLD_S = 0.02

CHILD = """
import ctypes, mmap, sys, threading, time, timeit
held, idle = [], threading.Event()
def take(size, huge=False):
    block = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if huge:
        block.madvise(mmap.MADV_HUGEPAGE)
    block[::4096] = b"x" * len(range(0, size, 4096))
    held.append(block)
def spread(size):
    threads = [threading.Thread(target=take, args=(size,)) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
def free(count):
    for _ in range(count):
        held.pop().close()
def flash(size, hold_s):
    take(size); time.sleep(hold_s); free(1)
def threads(count):
    for _ in range(count):
        threading.Thread(target=idle.wait, daemon=True).start()
def heap(pieces):
    from orchestrator_worker import allocator
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.free.argtypes = [ctypes.c_void_p]
    def fragment():
        blocks = [libc.malloc(2000) for _ in range(2 * pieces // 4)]
        [libc.free(block) for block in blocks[::2]]
        idle.wait(0.2)
    if pieces:
        spreading = [threading.Thread(target=fragment) for _ in range(4)]
        [thread.start() for thread in spreading]
        [thread.join() for thread in spreading]
    allocator.read_heap()
    return min(timeit.repeat(allocator.read_heap, number=200, repeat=5)) / 200 * 1e6
for line in sys.stdin:
    print(eval(line), flush=True)
"""


class Child:
    """A process that evaluates what it is told."""

    def __init__(self) -> None:
        environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        self.process = subprocess.Popen(
            [sys.executable, "-c", CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environ,
        )
        self.pid = self.process.pid
        self.tell("take(4096)")

    def tell(self, expression: str) -> str:
        """Have it evaluate; return the value's text when that is done."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(expression, file=self.process.stdin, flush=True)
        return self.process.stdout.readline().strip()


@contextlib.contextmanager
def children(count: int) -> Iterator[list[Child]]:
    started = [Child() for _ in range(count)]
    try:
        yield started
    finally:
        for child in started:
            child.process.kill()
            child.process.communicate()


# ------------------------------------------------------------------ which file tells the truth


def agreement() -> list[dict[str, Any]]:
    """RSS by each file against status, in KB, after each kind of allocation."""
    steps = [
        ("at rest", "None"),
        ("+ 1 MB", "take(1 << 20)"),
        ("+ 10 MB", "take(10 << 20)"),
        ("+ 100 MB", "take(100 << 20)"),
        ("+ 4 threads x 3 MB", "spread(3 << 20)"),
        ("- those 12 MB", "free(4)"),
        ("+ 64 MB in huge pages", "take(64 << 20, True)"),
        ("- 164 MB", "free(2)"),
        ("300 x 4 MB, 4 threads, freed", "[(spread(1 << 20), free(4)) for _ in range(300)] and None"),
    ]
    rows, highest = [], 0
    with children(1) as (child,):
        for name, expression in steps:
            child.tell(expression)
            found = _all_rss(child.pid)
            status = found.pop("status")
            highest = max(highest, status)
            hwm = read_boundary(child.pid).peak or 0
            row = {f"{key}_minus_status_kb": (value - status) // KB for key, value in found.items()}
            rows.append(
                {
                    "step": name,
                    "status_kb": status // KB,
                    **row,
                    "hwm_minus_highest_kb": (hwm - highest) // KB,
                }
            )
    return rows


def _all_rss(pid: int) -> dict[str, int]:
    page = os.sysconf("SC_PAGE_SIZE")
    read = {
        name: Path(f"/proc/{pid}/{name}").read_text() for name in ("statm", "stat", "status", "smaps_rollup")
    }
    return {
        "statm": int(read["statm"].split()[1]) * page,
        "stat": int(read["stat"].rpartition(")")[2].split()[21]) * page,
        "smaps_rollup": int(read["smaps_rollup"].partition("Rss:")[2].split()[0]) * KB,
        "status": int(read["status"].partition("VmRSS:")[2].split()[0]) * KB,
    }


# ------------------------------------------------------------------ what a reading costs


def costs() -> list[dict[str, Any]]:
    """Microseconds of each way to read, best of five rounds."""
    rows = []
    with children(1) as (child,):
        for size_mb in (10, 110):
            if size_mb > 10:
                child.tell("take(100 << 20)")
            where = f"of a process of about {size_mb} MB"
            files = ("statm", "stat", "status", "smaps_rollup")
            rows += [_cost(f"{name}, kept descriptor, {where}", _kept(child.pid, name)) for name in files]
        pid, process = child.pid, psutil.Process(child.pid)
        rows += [
            _cost("status, opened each time", Path(f"/proc/{pid}/status").read_bytes),
            _cost("psutil memory_info()", process.memory_info),
            _cost("read_boundary()", lambda: read_boundary(pid)),
            _cost("descendants(), 1 thread", lambda: descendants(pid)),
        ]
        child.tell("threads(7)")
        rows.append(_cost("descendants(), 8 threads", lambda: descendants(pid)))
        rows.append({"what": "read_heap() inside, at rest", "us": round(float(child.tell("heap(0)")), 2)})
        us = round(float(child.tell("heap(10_000)")), 2)
        rows.append({"what": "read_heap() inside, 4 more arenas, 10,000 free chunks", "us": us})
    return rows


def _kept(pid: int, name: str) -> Callable[[], object]:
    file = Path(f"/proc/{pid}/{name}").open("rb", buffering=0)  # noqa: SIM115 - closed with the closure
    return lambda: os.pread(file.fileno(), 4096, 0)


def _cost(what: str, read: Callable[[], object]) -> dict[str, Any]:
    started = time.perf_counter()
    read()
    count = max(5, min(5_000, int(0.05 / (time.perf_counter() - started))))
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        for _ in range(count):
            read()
        best = min(best, (time.perf_counter() - started) / count)
    return {"what": what, "us": round(best * 1e6, 2)}


# ------------------------------------------------------------------ what sampling costs and misses


def pace(seconds: float, rounds: int) -> list[dict[str, Any]]:
    """CPU of this process and of the sampling one while idle children are read, in turn with the floor."""
    rows: list[dict[str, Any]] = []
    with children(WORKERS) as started, tempfile.TemporaryDirectory() as folder:
        pids = [child.pid for child in started]
        for number in range(rounds):
            found = {
                "floor": _floor(pids, seconds),
                "thread": _sampled(pids, seconds, Path(folder), apart=False),
                "process": _sampled(pids, seconds, Path(folder)),
                "process, private pages too": _sampled(pids, seconds, Path(folder), private_every=10),
            }
            for apart in (False, True):
                with _busy():
                    row = _sampled(pids, seconds, Path(folder), apart=apart)
                found[f"{'process' if apart else 'thread'} beside pure Python work"] = row
            rows += [{"round": number, "what": what, **row} for what, row in found.items()]
    return rows


@contextlib.contextmanager
def _busy() -> Iterator[None]:
    until = threading.Event()
    spinner = threading.Thread(target=_spin, args=(until,))
    spinner.start()
    try:
        yield
    finally:
        until.set()
        spinner.join()


def _spin(until: threading.Event) -> None:
    while not until.is_set():
        sum(range(1000))


def _floor(pids: list[int], seconds: float) -> dict[str, Any]:
    """A bare loop: sleep, then one pread of statm for each child. No parsing, no peak, no record."""
    descriptors = [os.open(f"/proc/{pid}/statm", os.O_RDONLY) for pid in pids]
    never = threading.Lock()
    never.acquire()
    cpu, started, rounds = time.process_time(), time.monotonic(), 0
    while (now := time.monotonic()) < started + seconds:
        rounds += 1
        never.acquire(timeout=max(0.0, started + rounds * INTERVAL_S - now))
        for descriptor in descriptors:
            os.pread(descriptor, 128, 0)
    cpu = time.process_time() - cpu
    for descriptor in descriptors:
        os.close(descriptor)
    readings = rounds * len(pids)
    return _share(cpu, time.monotonic() - started, readings)


def _sampled(
    pids: list[int], seconds: float, folder: Path, *, apart: bool = True, private_every: int = 0
) -> dict[str, Any]:
    writer = SampleWriter(folder)
    size = (folder / "samples.bin").stat().st_size
    with contextlib.closing(writer), Sampler(INTERVAL_S, sink=writer.write, apart=apart) as sampler:
        watches = [sampler.watch(pid, slot, private_every=private_every) for slot, pid in enumerate(pids)]
        process = sampler.process
        while process is not None and not process.serves():
            time.sleep(0.01)
        for watch in watches:
            watch.take_peak()
        mine, its = time.process_time(), _processor_s(process)
        started, missed = time.monotonic(), sampler.missed_deadlines
        time.sleep(seconds)
        readings = sum(watch.take_peak().readings for watch in watches)
        mine, its = time.process_time() - mine, _processor_s(process) - its
        elapsed, missed = time.monotonic() - started, sampler.missed_deadlines - missed
        memory = {} if process is None else _weight(process.pid or 0)
    assert (folder / "samples.bin").stat().st_size - size >= readings * RECORD_SIZE
    return {
        **_share(mine + its, elapsed, readings),
        "host_percent_of_one_core": round(100 * mine / elapsed, 3),
        "process_percent_of_one_core": round(100 * its / elapsed, 3),
        "missed_deadlines": missed,
        "deadlines": int(elapsed / INTERVAL_S),
        **memory,
    }


def _processor_s(process: SamplingProcess | None) -> float:
    """Seconds of processor time that the process and its second thread have had."""
    if process is None:
        return 0.0
    threads = Path(f"/proc/{process.pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


def _weight(pid: int) -> dict[str, float]:
    memory = read_boundary(pid)
    return {"rss_mb": round(memory.rss / MB, 1), "private_mb": round((memory.uss or 0) / MB, 1)}


def _share(cpu_s: float, elapsed_s: float, readings: int) -> dict[str, Any]:
    return {
        "cpu_percent_of_one_core": round(100 * cpu_s / elapsed_s, 3),
        "readings_per_s": round(readings / elapsed_s, 1),
        "cpu_us_per_reading": round(1e6 * cpu_s / max(1, readings), 2),
    }


def peaks(*, busy: bool, repeats: int = 50) -> dict[str, Any]:
    """Error of the sampled maximum against VmHWM for 64 MB held 20 ms, with all children watched."""
    errors: list[float] = []
    beside = _busy() if busy else contextlib.nullcontext()
    with children(WORKERS) as started, Sampler(INTERVAL_S) as sampler, beside:
        watches = [sampler.watch(child.pid, slot) for slot, child in enumerate(started)]
        while sampler.process is not None and not sampler.process.serves():
            time.sleep(0.01)
        missed = sampler.missed_deadlines
        for number in range(repeats):
            child, watch = started[number % WORKERS], watches[number % WORKERS]
            if not reset_peak(child.pid):
                return {"skipped": "this system does not let us reset VmHWM"}
            watch.take_peak()
            child.tell(f"flash({64 * MB}, {HOLD_S})")
            kernel = read_boundary(child.pid).peak or 1
            errors.append(100 * (watch.take_peak().rss - kernel) / kernel)
        missed = sampler.missed_deadlines - missed
    worst = max(errors, key=abs)
    return {
        "host": "busy with pure Python" if busy else "idle",
        "held_ms": HOLD_S * 1e3,
        "interval_ms": INTERVAL_S * 1e3,
        "missed_deadlines": missed,
        "worst_error_percent": round(worst, 3),
        "median_error_percent": round(statistics.median(errors), 3),
        "errors_percent": [round(error, 3) for error in errors],
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement of the pace")
    parser.add_argument("--rounds", type=int, default=3, help="of floor and sampler in turn")
    options = parser.parse_args()
    document: dict[str, Any] = {"host": host("psutil", "msgspec")}
    document["agreement"] = agreement()
    document["costs"] = costs()
    document["pace"] = pace(options.seconds, options.rounds)
    document["peaks"] = [peaks(busy=busy) for busy in (False, True)]
    _print(document)
    print(f"\nwritten: {record('sampling', document)}")


def _print(document: dict[str, Any]) -> None:
    print(", ".join(f"{key} {value}" for key, value in document["host"].items()))
    rows = document["agreement"]
    show("RSS by file, against status (KB)", list(rows[0]), [list(row.values()) for row in rows])
    show("A reading", ["what", "µs"], [[row["what"], row["us"]] for row in document["costs"]])
    header = [
        "what",
        "CPU, % of one core",
        "host",
        "process",
        "readings/s",
        "µs a reading",
        "missed",
        "of deadlines",
    ]
    keys = [
        "what",
        "cpu_percent_of_one_core",
        "host_percent_of_one_core",
        "process_percent_of_one_core",
        "readings_per_s",
        "cpu_us_per_reading",
        "missed_deadlines",
        "deadlines",
    ]
    title = f"{WORKERS} idle children every {INTERVAL_S * 1e3:g} ms"
    show(title, header, [[row.get(key, "–") for key in keys] for row in document["pace"]])
    lines = [
        {key: value for key, value in row.items() if key != "errors_percent"} for row in document["peaks"]
    ]
    show("The sampled maximum against VmHWM, 64 MB", list(lines[0]), [list(row.values()) for row in lines])


if __name__ == "__main__":
    main()
