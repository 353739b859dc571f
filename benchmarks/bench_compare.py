"""How often `orchestrator compare` is wrong: identical code called different, and a slower TTFT not found.

Runs are simulated as processes are on a real machine: each run has a level of its own (its place in memory, its
threads), the machine drifts from run to run, and the iterations within a run are correlated (first-order
autoregression) and have outliers. A comparison is of three methods with seven numbers each, as a run of ours has.
Beside our rule stands the one that takes the iterations of all runs as independent (Welch), as `compare` did.

    python benchmarks/bench_compare.py [--comparisons 2000]
"""

from __future__ import annotations

import argparse
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
from recording import host, record, show
from scipy.signal import lfilter

from orchestrator.analysis.judging.difference import mean_difference
from orchestrator.experiments.comparing.deciding import Sides, decide_together
from orchestrator.experiments.comparing.figures import SMALLEST_GROWTH, SMALLEST_SHARE, Pick, mean_of

ITERATIONS = 30
METHODS = 3
TTFT_MS, SPEED, LOAD_S = 400.0, 80.0, 1.5
CORRELATION = 0.5
DRIFT = 0.004
"""Per run, of all levels: a machine that grows warm."""

RATE_SPREAD_MB = 0.03
"""How much the growth of the same code differs from run to run."""


X: Pick = itemgetter("x")


class Machine(NamedTuple):
    """Relative spreads of the same code: of a run's level, and of an iteration; and the share of outliers of + 50 %."""

    between: float
    within: float
    outliers: float


MACHINES = {
    "quiet": Machine(0.01, 0.03, 0.0),
    "usual": Machine(0.02, 0.05, 0.01),
    "busy": Machine(0.05, 0.1, 0.05),
}


def levels(
    rng: np.random.Generator, runs: int, spread: float, *, in_turn: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return the level of each run of both sides, 1 on average: A B A B …, or all of one side first."""
    drift = DRIFT * np.cumsum(rng.standard_normal(2 * runs))
    every = (1 + drift) * (1 + spread * rng.standard_normal(2 * runs))
    return (every[0::2], every[1::2]) if in_turn else (every[:runs], every[runs:])


def iterations(rng: np.random.Generator, level: np.ndarray, machine: Machine) -> np.ndarray:
    """Return the times of the iterations of each run, a row a run."""
    shocks = rng.standard_normal((level.size, ITERATIONS)) * (1 - CORRELATION**2) ** 0.5
    noise = lfilter([1], [1, -CORRELATION], shocks, axis=1)
    late = rng.random(noise.shape) < machine.outliers
    return level[:, None] * (1 + machine.within * noise + 0.5 * late)


def welch(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether Welch's test calls two samples different at 5 %."""
    found = mean_difference(first.ravel(), second.ravel())
    return found.resolved


def compared(
    rng: np.random.Generator, runs: int, machine: Machine, slower: float, *, in_turn: bool
) -> dict[str, float]:
    """Return for one comparison: whether anything is called different, and whether TTFT is, by both rules."""
    rows: list[Sides] = []
    naive: list[bool] = []
    ttft_rows: list[int] = []
    for _ in range(METHODS):
        sides = levels(rng, runs, machine.between, in_turn=in_turn)
        for unit, more, effect in ((TTFT_MS, False, slower), (SPEED, True, 0.0), (LOAD_S, False, 0.0)):
            times = [iterations(rng, level, machine) for level in sides]
            times[1] = times[1] * (1 + effect)
            means = [[unit * (mean_of([{"x": x} for x in run], X) or 0.0) for run in side] for side in times]
            if unit == TTFT_MS:
                ttft_rows.append(len(rows))
            rows.append(Sides(means[0], means[1], more, SMALLEST_SHARE * unit))
            naive.append(welch(times[0], times[1]))
        growth = rng.standard_normal((2, runs)) * RATE_SPREAD_MB
        for noise in (0.0, 0.005, 0.002):  # of the leak series, RSS, live heap: the same memory, read thrice
            seen = growth + noise * rng.standard_normal((2, runs))
            rows.append(Sides(seen[0].tolist(), seen[1].tolist(), smallest=SMALLEST_GROWTH))
        rows.append(Sides([3.0] * runs, [3.0] * runs, smallest=0.1))  # an error rate: the same text each time
    changes = [change for _, change in decide_together(rows)]
    return {
        "any": any(change in ("worse", "better") for change in changes),
        "ttft": any(changes[row] == "worse" for row in ttft_rows),
        "every_ttft": sum(changes[row] == "worse" for row in ttft_rows) / len(ttft_rows),
        "naive_any": any(naive),
    }


def cell(seed: int, comparisons: int, runs: int, machine: Machine, *, in_turn: bool = True) -> dict[str, Any]:
    """Return the shares of one setting, per cent."""
    rng = np.random.default_rng(seed)
    same = [compared(rng, runs, machine, 0.0, in_turn=in_turn) for _ in range(comparisons)]
    slower = [compared(rng, runs, machine, 0.1, in_turn=in_turn) for _ in range(comparisons)]

    def share(found: list[dict[str, float]], key: str) -> float:
        return round(100 * float(np.mean([each[key] for each in found])), 1)

    return {
        "false_any": share(same, "any"),
        "false_any_iterations_as_independent": share(same, "naive_any"),
        "slower_10_percent_found_per_method": share(slower, "every_ttft"),
        "slower_10_percent_found_in_any_method": share(slower, "ttft"),
    }


def main() -> None:
    """Simulate every setting, record and show the shares."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--comparisons", type=int, default=2000, help="comparisons for each setting")
    asked = parser.parse_args()
    found: list[dict[str, Any]] = []
    settings = [(name, runs, True) for name in MACHINES for runs in (2, 3, 5, 8)]
    for name, runs, in_turn in [*settings, ("usual", 5, False)]:
        shares = cell(1000 * runs + len(found), asked.comparisons, runs, MACHINES[name], in_turn=in_turn)
        found.append(
            {"machine": name, **MACHINES[name]._asdict(), "runs_a_side": runs, "in_turn": in_turn, **shares}
        )
    document = {"host": host("numpy", "scipy"), "comparisons": asked.comparisons, "settings": found}
    path = record("compare", document)
    header = [
        "machine",
        "runs a side",
        "in turn",
        "false, any of 21",
        "iterations independent",
        "10 % slower found",
    ]
    show(
        f"per cent of {asked.comparisons} comparisons each ({path})",
        header,
        [
            (
                f"{each['machine']} ({100 * each['between']:g} %)",
                each["runs_a_side"],
                "yes" if each["in_turn"] else "no",
                each["false_any"],
                each["false_any_iterations_as_independent"],
                each["slower_10_percent_found_per_method"],
            )
            for each in found
        ],
    )


if __name__ == "__main__":
    main()
