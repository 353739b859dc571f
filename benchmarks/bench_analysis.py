"""What judging costs: 3,000 made series of every shape, judged one after the other on one core.

    python benchmarks/bench_analysis.py [--series 3000]

The series are made here, so that anybody has the same: seven shapes, three lengths, with and without the heap
channel. The yardstick of the machine is one ``numpy.median`` of 10,000 floats, taken in turn with them. Prints
a table by shape and length and writes ``benchmarks/results/analysis.json``.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from recording import host, record, show
from rounds import percentile

from orchestrator.analysis import MemorySeries, judge

Floats = npt.NDArray[np.float64]
LENGTHS = (30, 50, 100)
SEED = 20261121
YARDSTICK_EVERY = 100


def _steps(count: int) -> Floats:
    return np.repeat(np.arange(count // 10 + 1), 10)[:count] * 4.0


SHAPES: dict[str, Callable[[Floats], Floats]] = {
    "rest": np.zeros_like,
    "leak, 0.3 MB an iteration": lambda index: 0.3 * index,
    "leak in steps of 4 MB": lambda index: _steps(index.size),
    "pool: growth that comes to rest": lambda index: 20 * (1 - np.exp(-index / 8)),
    "growth that slows down": lambda index: 5 * np.log1p(index),
    "bounded: up and down": lambda index: 6 * np.abs(np.sin(index / 5)),
    "cache emptied every 12": lambda index: 0.5 * (index % 12),
}
"""Live bytes above the base by the number of the iteration, MB."""


def make(number: int, generator: np.random.Generator) -> tuple[str, int, MemorySeries]:
    """Return a series with its shape and length; every other one has the heap channel."""
    shape = list(SHAPES)[number % len(SHAPES)]
    length = LENGTHS[number // len(SHAPES) % len(LENGTHS)]
    live = 40 + SHAPES[shape](np.arange(length, dtype=np.float64))
    rss = 60 + live + generator.normal(0, 0.4, length) + 8 * np.exp(-np.arange(length) / 2)
    if number % 2:
        return shape, length, MemorySeries.of(rss)
    held = np.abs(generator.normal(3, 0.5, length))
    return shape, length, MemorySeries.of(rss, rss_anon_mb=rss - 12, live_mb=live, held_mb=held)


def measure(count: int) -> tuple[dict[tuple[str, int], list[float]], Counter[str], list[float]]:
    """Return the CPU ms of each series by shape and length, the verdicts, and the yardstick's ms."""
    generator = np.random.default_rng(SEED)
    took: dict[tuple[str, int], list[float]] = {}
    verdicts: Counter[str] = Counter()
    yardstick: list[float] = []
    floats = generator.normal(size=10_000)
    for number in range(count):
        shape, length, series = make(number, generator)
        began = time.process_time()
        verdicts[judge(series).verdict] += 1
        took.setdefault((shape, length), []).append((time.process_time() - began) * 1e3)
        if number % YARDSTICK_EVERY == 0:
            began = time.process_time()
            np.median(floats)
            yardstick.append((time.process_time() - began) * 1e3)
    return took, verdicts, yardstick


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--series", type=int, default=3000)
    count: int = parser.parse_args().series
    began = time.perf_counter()
    took, verdicts, yardstick = measure(count)
    wall = time.perf_counter() - began
    every = sorted(ms for found in took.values() for ms in found)
    totals: dict[str, Any] = {
        "series": count,
        "mean_cpu_ms": round(statistics.fmean(every), 2),
        "p50_cpu_ms": round(percentile(every, 0.5), 2),
        "p99_cpu_ms": round(percentile(every, 0.99), 2),
        "wall_ms_a_series": round(wall * 1e3 / count, 2),
        "median_of_10000_floats_ms": round(statistics.median(yardstick), 3),
    }
    rows = [
        [
            shape,
            *(
                f"{statistics.fmean(took[shape, length]):.1f}"
                for length in LENGTHS
                if (shape, length) in took
            ),
        ]
        for shape in SHAPES
    ]
    header = ["CPU ms a series", *(f"{length} iterations" for length in LENGTHS)]
    show(f"Judging {count} series on one core", header, rows)
    show("All of them (goal: a mean of at most 15 ms)", list(totals), [list(totals.values())])
    document = {
        "command": f"python benchmarks/bench_analysis.py --series {count}",
        "host": host("numpy"),
        "totals": totals,
        "verdicts": dict(verdicts),
        "header": header,
        "rows": rows,
    }
    print(f"\nwritten to {record('analysis', document)}")


if __name__ == "__main__":
    main()
