"""No-op jobs a second when many are under way: ``map`` through 1 and 2 workers of every pool, one message per job.

    python benchmarks/bench_throughput.py [--rounds 3] [--jobs 200000]

Peers slower than ours do a quarter of the jobs, or the run would take minutes; jobs a second do not depend on it. CPU
seconds are those of the measuring process and of its workers together. Prints a table and writes
``benchmarks/results/throughput.json``. Needs pebble, loky and billiard.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

from peers import PACKAGES, PEERS, opened
from recording import host, record, show
from rounds import cpu_seconds, median_of, take_turns
from small_jobs import nothing

WORKERS = (1, 2)
WARM_UP = 1000


def measure(name: str, workers: int, jobs: int) -> dict[str, Any]:
    """Return jobs a second, and CPU microseconds a job."""
    cpu_before = cpu_seconds()
    with opened(name, workers) as peer:
        assert sum(1 for _ in peer.results(nothing, range(WARM_UP))) == WARM_UP
        began = time.perf_counter()
        right = sum(
            left == right for left, right in zip(peer.results(nothing, range(jobs)), range(jobs), strict=True)
        )
        seconds = time.perf_counter() - began
    assert right == jobs
    return {"jobs_per_s": jobs / seconds, "cpu_us": (cpu_seconds() - cpu_before) / jobs * 1e6}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=200_000)
    parser.add_argument("--only", nargs="*", help="names of pools; nothing is recorded then")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("--workers", type=int, help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.measure:
        jobs = said.jobs if said.measure == "ours" else said.jobs // 4
        print(json.dumps(measure(said.measure, said.workers, jobs)))
        return
    names = said.only or list(PEERS)
    turns = {
        workers: take_turns(__file__, names, said.rounds, "--workers", str(workers), "--jobs", str(said.jobs))
        for workers in WORKERS
    }
    rows: list[list[object]] = []
    for name in names:
        row: list[object] = [name]
        for workers in WORKERS:
            found, ours = turns[workers][name], turns[workers].get("ours")
            speed = median_of(found, "jobs_per_s")
            ratio = f"{median_of(ours, 'jobs_per_s') / speed:.2f}" if ours else "–"
            row += [f"{speed:,.0f}", ratio, f"{median_of(found, 'cpu_us'):.1f}"]
        rows.append(row)
    header = ["pool"]
    for workers in WORKERS:
        header += [f"jobs/s, {workers} w", "ours / it", "CPU µs/job"]
    show(f"map of {said.jobs:,} no-op jobs, medians of {said.rounds} rounds", header, rows)
    if said.only:
        return
    document = {
        "command": f"python benchmarks/bench_throughput.py --rounds {said.rounds} --jobs {said.jobs}",
        "host": host(*PACKAGES),
        "header": header,
        "rows": rows,
        "turns": turns,
    }
    print(f"\nwritten to {record('throughput', document)}")


if __name__ == "__main__":
    main()
