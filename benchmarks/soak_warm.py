"""A forked process for every job, many thousand times, 2 % of them with a fault: nothing lost, nothing left, no growth.

    python benchmarks/soak_warm.py [--jobs 10000] [--workers 2] [--seed 1]

Every job runs in a process of its own, forked from one template. Looked at: every job ends once and as its fault says,
the template's memory and descriptors are flat, and neither it nor this process has a zombie, a child or a descriptor
more at the end. Writes ``benchmarks/results/soak_warm.json``.
"""

from __future__ import annotations

import argparse
import random
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from recording import host, record, show

from orchestrator.errors import JobError, WorkerDiedError
from orchestrator.pool.events import WorkerStarted
from orchestrator.pool.jobs import EngineJob
from orchestrator.pool.models import Model
from orchestrator.pool.pool import Pool
from orchestrator.pool.recycling import Recycle

MIB = 1024 * 1024
FAULT_SHARE = 0.02
FAULTS: dict[str, type[BaseException]] = {
    "raise": JobError,
    "exit": WorkerDiedError,
    "abort": WorkerDiedError,
    "segfault": WorkerDiedError,
    "kill": WorkerDiedError,
}
BASE_MIB = 16
MOST_GROWTH_MIB = 2.0
AHEAD = 16
"""Jobs that are handed in before the oldest is waited for."""


@dataclass
class Outcome:
    """What was seen."""

    jobs: int
    endings: Counter[str] = field(default_factory=Counter[str])
    wrong: list[str] = field(default_factory=list)
    starts: Counter[str] = field(default_factory=Counter[str])
    templates: set[int] = field(default_factory=set[int])
    template_mib: list[float] = field(default_factory=list[float])
    template_descriptors: list[int] = field(default_factory=list[int])
    zombies: int = 0
    own_descriptors: tuple[int, int] = (0, 0)
    children_left: int = 0
    seconds: float = 0.0

    def problems(self) -> list[str]:
        """Return what is not as it must be."""
        found = list(self.wrong)
        if sum(self.endings.values()) != self.jobs:
            found.append(f"{self.jobs} jobs, {sum(self.endings.values())} ends")
        if len(self.templates) != 1:
            found.append(f"{len(self.templates)} templates")
        if self.starts.keys() != {"warm"}:
            found.append(f"starts: {dict(self.starts)}")
        if self.template_mib and max(self.template_mib) - self.template_mib[0] > MOST_GROWTH_MIB:
            found.append(
                f"the template grew from {self.template_mib[0]:.1f} to {max(self.template_mib):.1f} MiB"
            )
        if (
            self.template_descriptors
            and max(self.template_descriptors) > min(self.template_descriptors) + AHEAD
        ):
            found.append(f"the template's descriptors: {self.template_descriptors}")
        if self.children_left or self.zombies:
            found.append(f"{self.children_left} children and {self.zombies} zombies are left")
        if self.own_descriptors[1] > self.own_descriptors[0]:
            found.append(f"descriptors of this process: {self.own_descriptors}")
        return found


def soak(jobs: int, workers: int, seed: int) -> Outcome:
    """Run the jobs; return what was seen."""
    outcome, draw, this = Outcome(jobs), random.Random(seed), psutil.Process()

    def note(event: Any) -> None:
        if isinstance(event, WorkerStarted):
            outcome.starts[event.start] += 1

    model = Model(
        name="m",
        engine="synthetic",
        start="warm",
        options={"may_fork": True, "base_kib": BASE_MIB * 1024},
    )
    began = time.perf_counter()
    before = this.num_fds(), len(this.children())
    with Pool(models=[model], workers=workers, recycle=Recycle(max_jobs=1), on_event=note) as pool:
        # One that works, before any fault: a first worker that dies is a reason not to trust the template.
        pool.run(EngineJob("m", "synthetic", text="first"))
        waiting: deque[tuple[int, str | None, Any]] = deque()
        for number in range(1, jobs):
            fault = draw.choice(list(FAULTS)) if draw.random() < FAULT_SHARE else None
            options = {} if fault is None else {"fault": fault}
            waiting.append(
                (number, fault, pool.submit(EngineJob("m", "synthetic", text=str(number), options=options)))
            )
            if len(waiting) >= AHEAD:
                _end(waiting.popleft(), outcome)
            if number % max(1, jobs // 100) == 0:
                _look(pool, outcome)
        while waiting:
            _end(waiting.popleft(), outcome)
        outcome.endings["result"] += 1
        _look(pool, outcome)
    outcome.seconds = time.perf_counter() - began
    outcome.own_descriptors = before[0], this.num_fds()
    left = this.children()
    outcome.children_left = len(left) - before[1]
    outcome.zombies = sum(each.status() == psutil.STATUS_ZOMBIE for each in left)
    return outcome


def _end(job: tuple[int, str | None, Any], outcome: Outcome) -> None:
    number, fault, future = job
    try:
        value = future.result()
    except (JobError, WorkerDiedError) as error:
        outcome.endings[type(error).__name__] += 1
        if fault is None or not isinstance(error, FAULTS[fault]):
            outcome.wrong.append(f"job {number}, fault {fault}: {error!r}")
    else:
        outcome.endings["result"] += 1
        if fault is not None or value != {"job": 1, "text": str(number)}:
            outcome.wrong.append(f"job {number}, fault {fault}: {value}")


def _look(pool: Pool, outcome: Outcome) -> None:
    template = next(each.template for each in pool.stats().models if each.model == "m")
    if template is None:
        outcome.wrong.append("there is no template")
        return
    outcome.templates.add(template.pid)
    outcome.template_mib.append(psutil.Process(template.pid).memory_info().rss / MIB)
    outcome.template_descriptors.append(sum(1 for _ in Path(f"/proc/{template.pid}/fd").iterdir()))


def main() -> None:
    """Run, print, record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    outcome = soak(options.jobs, options.workers, options.seed)
    memory = outcome.template_mib
    rows: list[tuple[str, object]] = [
        ("jobs", outcome.jobs),
        ("seconds", round(outcome.seconds)),
        ("endings", dict(outcome.endings)),
        ("starts", dict(outcome.starts)),
        ("template MiB, first and most", f"{memory[0]:.1f}, {max(memory):.1f}"),
        ("template descriptors", sorted(set(outcome.template_descriptors))),
        ("own descriptors, before and after", outcome.own_descriptors),
        ("threads left", threading.active_count()),
        ("problems", outcome.problems() or "none"),
    ]
    show("A forked process for every job", ("what", "seen"), rows)
    found = {name: str(value) for name, value in rows}
    path = record(
        "soak_warm", {"host": host(), "options": vars(options), "found": found, "template_mib": memory}
    )
    print(f"\nwritten to {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")


if __name__ == "__main__":
    main()
