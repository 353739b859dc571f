"""What is said of one series of a run: everything that is said of any, and which series it is and how it ended."""

from __future__ import annotations

from orchestrator.analysis.judging.judged import Judged


class Judgement(Judged, frozen=True):
    """The judgement of one series of a run; its rates and reasons are those of :class:`.judged.Judged`.

    Attributes:
        experiment: Name of the experiment.
        series: Key of the series: a method, or ``method@variant``.
        method: ``recreate``, ``restart``, ``reuse`` or ``recycle``.
        outcome: How the series ended: ``completed``, ``crashed``, ``failed``, ``timeout``, …
        sentence: The same with its place and cause, such as ``crashed at iteration 3 …: SIGABRT``.
        boundary: Where the readings were taken: ``after_unload`` or ``after_infer``.
        abandoned: Why its models were abandoned and not destroyed; empty where they were not.
    """

    experiment: str
    series: str
    method: str
    outcome: str
    sentence: str
    boundary: str
    abandoned: str = ""
