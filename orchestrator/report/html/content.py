"""What a page is made from: plain numbers of one run, collected by who knows the files. MB are 1024² bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestrator.analysis.judging.judgement import Judgement
from orchestrator.analysis.locating.located import Located
from orchestrator.analysis.planning.calibration import Calibration
from orchestrator.analysis.planning.model_plan import RunPlan
from orchestrator.config.types import Experiment
from orchestrator.report.html.decimation import Bucket
from orchestrator.report.summaries import SeriesSummary


@dataclass(frozen=True, slots=True)
class Point:
    """One iteration of a series, read at the method's own boundary; None: the system does not tell.

    ``leak_series_mb`` is what the leak is judged by: anonymous and shared memory and swap, else RSS.
    """

    iteration: int
    rss_mb: float
    leak_series_mb: float
    file_mb: float | None = None
    swap_mb: float | None = None
    live_mb: float | None = None
    held_mb: float | None = None
    shared_mb: float | None = None

    @property
    def outside_mb(self) -> float | None:
        """Anonymous memory, swapped or not, that is not the C allocator's; None when a channel is missing."""
        if self.live_mb is None or self.held_mb is None:
            return None
        return self.leak_series_mb - self.live_mb - self.held_mb - (self.shared_mb or 0.0)


@dataclass(frozen=True, slots=True)
class PhaseTime:
    """How long one phase took over the iterations of a series, in seconds."""

    phase: str
    median_s: float
    shortest_s: float
    longest_s: float


@dataclass(frozen=True, slots=True)
class SeriesContent:
    """One method of an experiment.

    ``name`` is what tables call it. ``timeline`` is the time series, decimated; ``how_to_get_it`` and ``stderr_tail``
    belong to a series that did not come to its end.
    """

    key: str
    name: str
    method: str
    judgement: Judgement
    points: Sequence[Point] = ()
    timeline: Sequence[Bucket] = ()
    phase_times: Sequence[PhaseTime] = ()
    how_to_get_it: str = ""
    stderr_tail: str = ""


@dataclass(frozen=True, slots=True)
class ExperimentContent:
    """One experiment: its series in the order of the tables' columns, and their summaries by key.

    ``fresh`` are the baselines once more, read after infer, where a method beside them is read there: charts draw
    each method with the fresh processes it is held against.
    """

    experiment: Experiment
    title: str
    series: Sequence[SeriesContent]
    summaries: Mapping[str, SeriesSummary]
    fresh: Sequence[SeriesContent] = ()

    @property
    def drawn(self) -> list[SeriesContent]:
        """Return the series of a chart of readings at boundaries."""
        return [*self.series, *self.fresh]


@dataclass(frozen=True, slots=True)
class CalibrationContent:
    """The calibration that lies beside the results, None without one, and why it may not speak for this run."""

    calibration: Calibration | None = None
    doubts: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class LocatedContent:
    """Where one method leaks. ``flame_graph`` is the link to the tracer's own page, empty where there is none."""

    located: Located
    flame_graph: str = ""


@dataclass(frozen=True, slots=True)
class ReportContent:
    """A whole run. ``facts`` are the manifest's, as built-in types, and the page's provenance.

    ``worker_starts`` is how its worker processes began: ``exec``, ``fork``, ``warm``; empty when none is recorded.
    """

    run_id: str
    created_at: str
    state: str
    profile: str
    profile_reason: str
    tool_version: str
    experiments: Sequence[ExperimentContent]
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    notes: Sequence[str] = ()
    plan: RunPlan | None = None
    calibration: CalibrationContent = CalibrationContent()
    worker_starts: Sequence[str] = ()
    located: Sequence[LocatedContent] = ()
