"""Where the microseconds of one job go: a clock around each part of the round trip of a no-op job.

    python benchmarks/bench_job_parts.py [--jobs 3000]

Each part without the parts within it, as the mean over the jobs but the slowest 5 %. The clocks themselves cost time,
so the shares tell, not the sum; the plain round trip of the same run stands above them. Writes
``benchmarks/results/job_parts.json``.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

from recording import host, record, show

from orchestrator.pool.core.supervisor import Supervisor
from orchestrator.pool.jobs import Call
from orchestrator.pool.pool import Pool
from orchestrator.pool.runtime.event_loop import EventLoop
from orchestrator.pool.runtime.process_link import ProcessLink
from orchestrator.pool.runtime.selector import Selector
from orchestrator.pool.submission.controller import Controller

PARTS: list[tuple[type, str, str]] = [
    (Controller, "prepare", "prepare: check and encode"),
    (Controller, "enter", "enter: a place in the queue"),
    (Supervisor, "submit", "decide and give"),
    (ProcessLink, "send_frame", "write, while the worker may have the core"),
    (Selector, "wait_for_replies", "wait for the reply"),
    (Selector, "share", "change who waits"),
    (ProcessLink, "read_replies", "read and decode"),
    (Supervisor, "received", "end: registry, result, next job"),
    (EventLoop, "submit", "the loop around a submit"),
    (EventLoop, "drive", "the loop around a wait"),
    (Pool, "submit", "the front door"),
]
WARM_UP = 500


class Clocks:
    """Own time of each part within one job."""

    def __init__(self) -> None:
        self._open: list[int] = []  # time taken by parts within the open ones
        self.job: dict[str, int] = {}

    def around(self, part: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``call`` with a clock around it."""

        def clocked(*arguments: Any, **named: Any) -> Any:
            self._open.append(0)
            began = time.perf_counter_ns()
            try:
                return call(*arguments, **named)
            finally:
                took = time.perf_counter_ns() - began
                own = took - self._open.pop()
                self.job[part] = self.job.get(part, 0) + own
                if self._open:
                    self._open[-1] += took

        return clocked


def round_trips(jobs: int, each: Callable[[], None]) -> list[float]:
    """Return microseconds of each job, after a warm-up; ``each`` is called after every job."""
    found: list[float] = []
    with Pool() as pool:
        for _ in range(WARM_UP + jobs):
            began = time.perf_counter_ns()
            pool.submit(Call("small_jobs:nothing", 1)).result()
            found.append((time.perf_counter_ns() - began) / 1000)
            each()
    return found[WARM_UP:]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=3000)
    jobs: int = parser.parse_args().jobs
    plain = statistics.median(round_trips(jobs, lambda: None))
    clocks = Clocks()
    for owner, name, part in PARTS:
        setattr(owner, name, clocks.around(part, getattr(owner, name)))
    seen: list[dict[str, int]] = []

    def next_job() -> None:
        seen.append(clocks.job)
        clocks.job = {}

    clocked = round_trips(jobs, next_job)
    mean = {
        part: statistics.fmean(sorted(job.get(part, 0) / 1000 for job in seen[WARM_UP:])[: jobs * 95 // 100])
        for _, _, part in PARTS
    }
    total = sum(mean.values())
    rows = [[part, f"{mean[part]:.1f}", f"{mean[part] / total:.0%}"] for _, _, part in PARTS]
    header = ["part", "µs", "share"]
    title = f"one no-op job, {plain:.1f} µs, with the clocks {statistics.median(clocked):.1f} µs"
    show(title, header, rows)
    document = {
        "command": f"python benchmarks/bench_job_parts.py --jobs {jobs}",
        "host": host("msgspec"),
        "plain_us": plain,
        "clocked_us": statistics.median(clocked),
        "header": header,
        "rows": rows,
    }
    print(f"\nwritten to {record('job_parts', document)}")


if __name__ == "__main__":
    main()
