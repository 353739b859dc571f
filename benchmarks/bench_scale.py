"""How cost grows with work: with the number of workers, of queued jobs, and of all the jobs a pool has ever done.

    python benchmarks/bench_scale.py [--most-workers 64] [--most-jobs 1000000]

Cost is the CPU time of this process a job: it does not depend on how many cores the workers have to share. Memory
of a queued job is what this process grows by while jobs with their futures wait behind a slow one. Each line is
measured in a process of its own. Writes ``benchmarks/results/scale.json``.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import time
from itertools import takewhile
from typing import Any

from recording import host, record, show
from rounds import take_turns

from orchestrator.pool.jobs import Call
from orchestrator.pool.pool import Pool
from orchestrator.process.sampling.resident import ResidentReader

WORKERS = (1, 2, 4, 8, 16, 32, 64)
QUEUES = (1_000, 10_000, 100_000, 1_000_000)
JOBS_PER_WORKER_COUNT = 50_000
RSS_AFTER = 10_000
KIB, MIB = 1024, 1024 * 1024


def nothing(number: int = 0) -> Call:
    return Call("small_jobs:nothing", number)


def resident_bytes() -> int:
    gc.collect()
    reader = ResidentReader(os.getpid())
    try:
        return reader.read()[0]
    finally:
        reader.close()


def with_workers(workers: int) -> dict[str, Any]:
    """Return the cost of a mapped job with so many workers, all of them used."""
    with Pool(workers=workers, memory_budget="64GiB") as pool:
        for future in [pool.submit(Call("time:sleep", 0.2)) for _ in range(workers)]:
            future.result()
        for _ in pool.map(nothing(number) for number in range(2000)):
            pass
        began, cpu = time.perf_counter(), time.process_time()
        for _ in pool.map(nothing(number) for number in range(JOBS_PER_WORKER_COUNT)):
            pass
        return {
            "cpu_us": (time.process_time() - cpu) / JOBS_PER_WORKER_COUNT * 1e6,
            "jobs_per_s": JOBS_PER_WORKER_COUNT / (time.perf_counter() - began),
        }


def with_queue(jobs: int) -> dict[str, Any]:
    """Return the cost and memory of a job when so many are submitted before the first is done."""
    with Pool(max_queue=jobs + 10) as pool:
        for _ in pool.map(nothing(number) for number in range(2000)):
            pass
        before = resident_bytes()
        pool.submit(Call("time:sleep", 1.0 + jobs / 50_000))
        began, cpu = time.perf_counter(), time.process_time()
        futures = [pool.submit(nothing(number)) for number in range(jobs)]
        submitted_cpu = time.process_time() - cpu
        grown = resident_bytes() - before
        submitted = time.perf_counter() - began
        cpu = time.process_time()
        right = sum(future.result() == number for number, future in enumerate(futures))
        assert right == jobs
        return {
            "cpu_us": (submitted_cpu + time.process_time() - cpu) / jobs * 1e6,
            "submit_us": submitted / jobs * 1e6,
            "kib_per_job": grown / jobs / KIB,
        }


def over_life(jobs: int) -> dict[str, Any]:
    """Return what this process holds after a few, and after very many jobs of one ``map``."""
    peak = 0
    with Pool() as pool:
        for number, _ in enumerate(pool.map(nothing(number) for number in range(jobs)), 1):
            if number == RSS_AFTER:
                early = resident_bytes()
            if number % 50_000 == 0:
                peak = max(peak, resident_bytes())
        late = resident_bytes()
    return {"early_mb": early / MIB, "late_mb": late / MIB, "peak_mb": max(peak, late) / MIB}


def measure(name: str) -> dict[str, Any]:
    """Run one line."""
    what, _, number = name.partition(" ")
    return {"workers": with_workers, "queue": with_queue, "life": over_life}[what](int(number))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--most-workers", type=int, default=WORKERS[-1])
    parser.add_argument("--most-jobs", type=int, default=QUEUES[-1])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.measure:
        print(json.dumps(measure(said.measure)))
        return
    workers = list(takewhile(lambda count: count <= said.most_workers, WORKERS))
    queues = list(takewhile(lambda count: count <= said.most_jobs, QUEUES))
    names = [f"workers {count}" for count in workers] + [f"queue {count}" for count in queues]
    turns = take_turns(__file__, names, said.rounds)
    life = take_turns(__file__, [f"life {said.most_jobs}"], 1)[f"life {said.most_jobs}"][0]
    best = {name: min(found, key=lambda one: float(one["cpu_us"])) for name, found in turns.items()}
    first = {"workers": best[names[0]]["cpu_us"], "queue": best[f"queue {queues[0]}"]["cpu_us"]}
    worker_rows = [
        [
            count,
            f"{one['cpu_us']:.1f}",
            f"{one['cpu_us'] / first['workers']:.2f}",
            f"{one['jobs_per_s']:,.0f}",
        ]
        for count in workers
        if (one := best[f"workers {count}"])
    ]
    queue_rows = [
        [
            f"{count:,}",
            f"{one['cpu_us']:.1f}",
            f"{one['cpu_us'] / first['queue']:.2f}",
            f"{one['kib_per_job']:.2f}",
        ]
        for count in queues
        if (one := best[f"queue {count}"])
    ]
    life_rows = [[f"{life['early_mb']:.1f}", f"{life['late_mb']:.1f}", f"{life['peak_mb']:.1f}"]]
    tables: dict[str, tuple[list[str], list[list[Any]]]] = {
        "workers": (["workers", "CPU µs/job", "of one worker's", "jobs/s"], worker_rows),
        "queue": (["queued jobs", "CPU µs/job", "of the fewest", "KiB/job"], queue_rows),
        "life": ([f"MB after {RSS_AFTER:,} jobs", f"after {said.most_jobs:,}", "largest"], life_rows),
    }
    for name, (header, rows) in tables.items():
        show(name, header, rows)
    document = {
        "command": f"python benchmarks/bench_scale.py --most-workers {said.most_workers}"
        f" --most-jobs {said.most_jobs} --rounds {said.rounds}",
        "host": host("msgspec"),
        "tables": {name: {"header": header, "rows": rows} for name, (header, rows) in tables.items()},
        "turns": {**turns, "life": life},
    }
    print(f"\nwritten to {record('scale', document)}")


if __name__ == "__main__":
    main()
