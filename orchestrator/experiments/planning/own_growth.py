"""A model's own part of a growth, from the net changes of a summary: what a plan for that model alone reckons with."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.analysis.planning.net_change import Interval
from orchestrator.report.summaries import SeriesSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnGrowth:
    """A model's own part of the growth of a process. MB.

    Attributes:
        finding: ``grows``, ``nothing`` or ``open``.
        per_iteration: Its net change, with interval.
        per_job: What each of its jobs leaves behind, where the number of jobs per load varied; else None.
        total_mb: Growth of the process in the same channel, per iteration.
        channel: ``live`` (live heap) or ``rss``.
    """

    finding: str
    per_iteration: Interval
    per_job: Interval | None
    total_mb: float
    channel: str

    def high_mb(self, process_high_mb: float, jobs: float) -> float:
        """Return the growth per iteration to plan with, of the ``process_high_mb`` to plan the process with.

        What the allocator holds beyond the live heap belongs to the models as their live heaps do. Where jobs and loads
        are told apart, it is that of the ``jobs`` of an iteration: a pool keeps its model loaded.
        """
        if self.finding == "nothing":
            return 0.0
        upper = self.per_iteration.high if self.per_job is None else max(self.per_job.high, 0.0) * jobs
        if self.total_mb <= 0:
            return process_high_mb
        return max(upper, process_high_mb * min(1.0, upper / self.total_mb))


def own_growth(summary: SeriesSummary, role: str) -> OwnGrowth | None:
    """Return a model's own part of the growth of a series; None where nothing is told apart.

    That is where several models share the process, or where the number of jobs per load varied.
    """
    for found in summary.net_changes or ():
        one = found.models.get(role)
        if one is None or (len(found.models) == 1 and one.split is None):
            continue
        return OwnGrowth(
            finding=one.finding,
            per_iteration=one.per_iteration,
            per_job=one.split.per_job if one.split else None,
            total_mb=found.total,
            channel=found.channel,
        )
    return None
