"""Measure many contestants in turns, each time in a process of its own, so that they share the machine's moods.

A contestant is measured by this program started again with ``--measure NAME …``; it prints one JSON document.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

DEADLINE_S = 300.0


def take_turns(
    program: str, contestants: Iterable[str], rounds: int, *arguments: str
) -> dict[str, list[dict[str, Any]]]:
    """Return what each contestant printed in each round, the rounds interleaved."""
    names = list(contestants)
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for turn in range(rounds):
        for name in names if turn % 2 == 0 else reversed(names):
            command = [sys.executable, program, "--measure", name, *arguments]
            done = subprocess.run(
                command, stdout=subprocess.PIPE, check=True, timeout=DEADLINE_S, cwd=Path(program).parent
            )
            found[name].append(json.loads(done.stdout.splitlines()[-1]))
    return found


def median_of(turns: Sequence[Mapping[str, Any]], key: str) -> float:
    """Return the median over the rounds of one figure."""
    return statistics.median(float(turn[key]) for turn in turns)


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return a percentile of sorted values, by nearest rank."""
    return ordered[min(len(ordered) - 1, max(0, -(-int(len(ordered) * share * 1000) // 1000) - 1))]


def cpu_seconds() -> float:
    """Return the CPU time of this process and of those of its children that were waited for."""
    mine, theirs = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return mine.ru_utime + mine.ru_stime + theirs.ru_utime + theirs.ru_stime


def timed(work: Callable[[], object]) -> float:
    """Return the seconds ``work`` takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
