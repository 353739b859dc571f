"""One series of readings and everything that is found about it. Runs and foreign files are both judged here.

::

    memory channels  --judge-->        verdict  --+
    descriptors, threads --judge_count--> counts --+-->  fields of a Judged (Judgement of a run, Finding of a file)
    fresh processes  --hold_readings_against-->  --+

Who read the series, and how it ended, is known to the caller, who passes its words.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from orchestrator.analysis.judging.baseline import hold_against, level_above_fresh
from orchestrator.analysis.judging.decision import ChannelVerdict
from orchestrator.analysis.judging.judged import (
    AgainstBaseline,
    CountJudgement,
    JudgedAs,
    count_judgement,
    rates_of,
)
from orchestrator.analysis.judging.memory_series import MemorySeries
from orchestrator.analysis.judging.pace import EACH_ITERATION, Pace
from orchestrator.analysis.judging.verdict import Verdict, judge, pace_of
from orchestrator.analysis.series import SeriesLike


class JudgedReadings:
    """Readings of one series at one boundary; each channel is fitted once, when it is first asked for."""

    def __init__(
        self,
        memory: MemorySeries | None,
        *,
        descriptors: SeriesLike | None = None,
        threads: SeriesLike | None = None,
        tolerance: float | None = None,
    ) -> None:
        """Keep the readings.

        Args:
            memory: The memory channels; None without any reading.
            descriptors: Open descriptors, one count per reading; None if they were not counted throughout.
            threads: Threads, the same.
            tolerance: Accepted growth, see :func:`~orchestrator.analysis.judging.verdict.judge`.
        """
        self.memory = memory
        self._descriptors = descriptors
        self._threads = threads
        self._tolerance = tolerance

    def __len__(self) -> int:
        """Return the number of readings."""
        return 0 if self.memory is None else len(self.memory)

    @cached_property
    def verdict(self) -> Verdict | None:
        """What all memory channels say; None without a reading."""
        return None if self.memory is None or not len(self) else judge(self.memory, tolerance=self._tolerance)

    @property
    def _pace(self) -> Pace:
        return EACH_ITERATION if self.memory is None else pace_of(self.memory)

    @cached_property
    def descriptors(self) -> CountJudgement | None:
        """What the open descriptors say."""
        return count_judgement(self._descriptors, "descriptors", pace=self._pace)

    @cached_property
    def threads(self) -> CountJudgement | None:
        """What the threads say."""
        return count_judgement(self._threads, "threads", pace=self._pace)

    @property
    def leak_series(self) -> ChannelVerdict | None:
        """What the leak series says by itself; None without a reading."""
        if self.verdict is None:
            return None
        channels = dict(self.verdict.channels)
        return channels.get("rss_anon", channels["rss"])

    def fields(
        self,
        *,
        ending: JudgedAs | None = None,
        first_reasons: Sequence[str] = (),
        last_reasons: Sequence[str] = (),
    ) -> dict[str, Any]:
        """Return the fields of a :class:`~orchestrator.analysis.judging.judged.Judged`, without the baseline.

        Args:
            ending: The verdict of a series that did not come to its end; its rates are those of the readings before.
            first_reasons: Reasons of the caller that stand before those of the verdict.
            last_reasons: Reasons of the caller that stand after them.
        """
        verdict = self.verdict
        found = () if verdict is None else verdict.reasons
        said: dict[str, Any] = {
            "verdict": ending or (verdict.verdict if verdict else "inconclusive"),
            "iterations": len(self),
            "reasons": [*first_reasons, *found, *last_reasons],
            "heap_off": self.memory.heap_off if self.memory else None,
            "descriptors": self.descriptors,
            "threads": self.threads,
        }
        if verdict is not None:
            said |= rates_of(verdict)
            said["settle"] = [] if ending else list(verdict.settle)
        return said


def hold_readings_against(
    own: JudgedReadings,
    fresh: JudgedReadings,
    *,
    series: str,
    boundary: str,
    life: int,
    fresh_lives: Sequence[int],
    recycle_after: int,
) -> AgainstBaseline | None:
    """Return a method held against fresh processes, both read at the same boundary; None if either has no reading.

    Args:
        own: The method's readings.
        fresh: Those of the fresh processes.
        series: Key of the baseline.
        boundary: Where both were read.
        life: Iterations that the method's process had done at its last reading.
        fresh_lives: The same for each reading of the fresh processes.
        recycle_after: After how many iterations there is a fresh process.
    """
    if own.verdict is None or fresh.verdict is None or own.memory is None or fresh.memory is None:
        return None
    by_life: dict[int, list[float]] = {}
    for age, rss_mb in zip(fresh_lives, fresh.memory.rss.tolist(), strict=True):
        by_life.setdefault(age, []).append(rss_mb)
    return hold_against(
        own.verdict,
        fresh.verdict,
        series=series,
        boundary=boundary,
        iterations=len(fresh),
        level=level_above_fresh(life, float(own.memory.rss[-1]), by_life, recycle_after),
    )
