"""What a leak check says: a judgement per call, with what it counted and how small a leak it would have found."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.analysis.judging.judged import CountJudgement
from orchestrator.analysis.judging.judgement import Judgement

RESOURCES = ("descriptors", "threads", "children", "zombies", "shared_memory")
"""What is counted beside memory, by the names of the settings."""


class LeakCheckResult(Judgement, frozen=True):
    """The judgement of one check. An iteration is one call; rates are MB per call, however many a reading stands for.

    Attributes:
        calls: Calls that were made, warm-up included.
        calls_per_reading: Calls between two of the readings that were judged; ``iterations`` counts those readings.
        smallest_leak_bytes: The smallest growth per call that would have been found, bytes; None where none could be.
        children: Descendant processes that run; None where they were not counted, or must not be.
        zombies: Descendants that have ended and were not waited for.
        shared_memory: Segments of shared memory.
        python_blocks: Python's allocated blocks, judged where the heap cannot be read.
    """

    calls: int = 0
    calls_per_reading: int = 1
    smallest_leak_bytes: float | None = None
    children: CountJudgement | None = None
    zombies: CountJudgement | None = None
    shared_memory: CountJudgement | None = None
    python_blocks: CountJudgement | None = None

    @property
    def resources(self) -> Mapping[str, CountJudgement]:
        """What was counted, by the names of the settings."""
        found = {name: getattr(self, name) for name in RESOURCES}
        return {name: judged for name, judged in found.items() if judged is not None}

    @property
    def leaking_resources(self) -> list[str]:
        """Names of the resources of which every so many calls keep one more."""
        return [name for name, judged in self.resources.items() if judged.verdict == "leak"]


def within_accepted(judged: LeakCheckResult) -> bool:
    """Whether whatever still grows does so, with its whole interval, within what is accepted per call."""
    high = (judged.ci_high, judged.rss_ci_high)
    accepted = judged.tolerance
    return accepted is not None and all(each is not None and each <= accepted for each in high)
