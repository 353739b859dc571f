"""What a comparison's page is made from: plain numbers of both sides. MB are 1024² bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from orchestrator.report.summaries import SeriesSummary

Change = Literal["worse", "better", "same", "unknown"]
"""``same``: no difference is shown. ``unknown``: one side has no number, or too few runs to say."""


@dataclass(frozen=True, slots=True)
class RunOrigin:
    """Where the numbers of one run come from: ``name`` as the user typed it, ``facts`` as the run recorded them."""

    name: str
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class MethodRun:
    """One method in one run: what was judged, and its readings as (iteration, MB) at the method's own boundary."""

    summary: SeriesSummary
    readings: Sequence[tuple[int, float]] = ()


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One number of one method on both sides; ``difference`` is B less A, with its interval where there is one.

    ``first`` and ``second`` are means over the runs of a side, ``first_runs`` and ``second_runs`` the number of each
    run. ``smallest`` is the smallest difference that counts.
    """

    metric: str
    unit: str
    first: float | None
    second: float | None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    smallest: float | None = None
    change: Change = "unknown"
    first_runs: Sequence[float | None] = ()
    second_runs: Sequence[float | None] = ()


@dataclass(frozen=True, slots=True)
class MethodPair:
    """One method that all runs have: its runs on both sides, and the numbers that were compared."""

    experiment: str
    method: str
    first: Sequence[MethodRun]
    second: Sequence[MethodRun]
    rows: Sequence[MetricRow] = ()

    @property
    def name(self) -> str:
        """Return what the page calls it: experiment and method."""
        return f"{self.experiment} {self.method}"


@dataclass(frozen=True, slots=True)
class Unlike:
    """One fact of the set-up that is not the same on both sides; ``where`` are the experiments it is said of."""

    what: str
    first: str
    second: str
    where: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ComparisonContent:
    """Two sides. ``warnings`` are what is not told by ``unlike``; ``notes`` what number and order of runs do not tell.

    ``alone`` are methods that one side lacks, in words; ``alike`` the kinds of facts that do not differ.
    """

    first: Sequence[RunOrigin]
    second: Sequence[RunOrigin]
    methods: Sequence[MethodPair]
    unlike: Sequence[Unlike] = ()
    alike: Sequence[str] = ()
    warnings: Sequence[str] = ()
    notes: Sequence[str] = ()
    alone: Sequence[str] = ()
