"""Decide, iteration by iteration, whether a series may end before its last one.

Here: when a series is looked at, where its readings are taken, and what ending early has saved. Which numbers are
settled is decided in :mod:`orchestrator.analysis.judging.settled`.

::

    iteration --[a look?]--> readings so far, at each boundary --settled--> Settlement | go on

The baseline is read at two boundaries where an in-process method is held against it at its own; it ends when
both are settled. It may end earlier or later than they do: its slope is taken over its own iterations, and
the interval of the difference says what a shorter baseline costs. With several iterations in one process it
has to have come through three processes, so that it is not judged by one life.
"""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.analysis import Settlement, is_look, settled
from orchestrator.analysis.judging.settled import fewest_iterations
from orchestrator.config.types import Experiment, MethodName, Plan, Series
from orchestrator.experiments.judging.readings import boundary_readings, memory_series, own_boundary
from orchestrator.experiments.storage.records import Boundary, IterationRecord, SeriesRecords

_FEWEST_GENERATIONS = 3


class EarlyStop:
    """Watches one series. ``before`` are the iterations that count from before a break.

    Where the experiment's ``stop`` is ``never``, it never asks for an end.
    """

    def __init__(
        self, experiment: Experiment, series: Series, before: Iterable[IterationRecord] = ()
    ) -> None:
        self._records = list(before)
        self._on = experiment.stop == "settled"
        self._planned = experiment.iterations
        self._boundaries = _boundaries(experiment, series)
        self._fewest = _FEWEST_GENERATIONS * experiment.recycle_after if series.method == "recycle" else 1

    def looks_after(self, iteration: int) -> bool:
        """Tell whether the series is looked at when ``iteration`` is complete, so that it may be the last."""
        return self._on and self._fewest <= iteration < self._planned and is_look(iteration)

    def add(self, record: IterationRecord) -> Settlement | None:
        """Take a complete iteration; return why the series ends with it, or None to go on.

        Costs up to three verdicts a boundary at a look, some 0.1 s, and nothing between looks.
        """
        self._records.append(record)
        if not self.looks_after(record.iteration) or len(self._records) != record.iteration:
            return None
        found = [self._settlement(boundary) for boundary in self._boundaries]
        if any(one is None or not one.settled for one in found):
            return None
        return next((one for one in found if one and one.answer == "leak"), found[0])

    def _settlement(self, boundary: Boundary) -> Settlement | None:
        readings = boundary_readings(self._records, boundary)
        series = memory_series(readings) if len(readings) == len(self._records) else None
        return None if series is None else settled(series, self._planned)


def earliest_end(experiment: Experiment, series: Series) -> int | None:
    """Return the first iteration after which the series may be settled; None where it runs to its last."""
    if not experiment.heap or series.allocator is not None:
        return None  # without the heap channel nothing is settled early
    watch = EarlyStop(experiment, series)
    fewest = min(
        fewest_iterations("clean", experiment.iterations), fewest_iterations("leak", experiment.iterations)
    )
    return next((one for one in range(fewest, experiment.iterations) if watch.looks_after(one)), None)


def may_end_early(plan: Plan) -> bool:
    """Tell whether any series of the plan may be settled before its last iteration."""
    return any(earliest_end(one, series) for one in plan.experiments for series in one.series)


def _boundaries(experiment: Experiment, series: Series) -> list[Boundary]:
    """Return where the series is read: its own boundary, then those at which others are held against it."""
    methods: list[MethodName] = [series.method]
    if series.method == "recycle":
        methods.extend(each.method for each in experiment.series)
    found: dict[Boundary, None] = {own_boundary(method): None for method in methods}
    return list(found)


def saving_words(records: Iterable[SeriesRecords]) -> str:
    """Return ``early stopping saved 36 of 150 iterations (about 21 s)``; nothing where none was saved.

    The time is that of the iterations spared at the pace of those that ran.
    """
    ended = [each.end for each in records if each.end is not None and each.end.outcome == "completed"]
    saved = sum(end.saved for end in ended)
    if not saved:
        return ""
    planned = sum(end.iterations + end.saved for end in ended)
    seconds = sum(end.elapsed_s / end.iterations * end.saved for end in ended if end.iterations)
    return f"early stopping saved {saved} of {planned} iterations (about {seconds:.0f} s)"
