"""What the way in which runs were recorded lets a comparison say, in sentences. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.experiments.comparing.deciding import FEWEST_RUNS
from orchestrator.experiments.results.results_file import Results

ENOUGH_RUNS = 3
"""With two runs a side only large differences can be shown: two degrees of freedom tell the variance badly."""


def design_notes(
    first: Sequence[Mapping[str, Results]], second: Sequence[Mapping[str, Results]]
) -> list[str]:
    """Return what a reader must know about the number of runs and their order."""
    counts = len(first), len(second)
    if counts != (1, 1) and min(counts) < FEWEST_RUNS:
        return [
            f"{counts[0]} against {counts[1]} run{'s' if counts[1] > 1 else ''}: how much a number varies from run to "
            "run is not known of the side with one run, so nothing is said of any difference, not even of growth; "
            "record 3 or more runs a side, in turn, or compare one run with one"
        ]
    if min(counts) < FEWEST_RUNS:
        return [
            "1 against 1 run: how much TTFT, speed and load vary "
            "from run to run is not known, so nothing is said of their differences; record 3 or more runs a side, "
            "in turn, and name the second side behind --against"
        ]
    told: list[str] = []
    if min(counts) < ENOUGH_RUNS:
        told.append("2 runs a side show large differences only; 3 or more, 5 at best, show a tenth of TTFT")
    begun = [sorted(_begun(run) for run in side) for side in (first, second)]
    if all(side[0] for side in begun) and (begun[0][-1] < begun[1][0] or begun[1][-1] < begun[0][0]):
        told.append(
            "all runs of one side were made before those of the other: what changed on the machine meanwhile looks "
            "like a difference; record them in turn"
        )
    return told


def _begun(run: Mapping[str, Results]) -> str:
    """Return when a run began, as its name tells; "" where it does not."""
    return min((str(results.config.get("run_id") or "") for results in run.values()), default="")
