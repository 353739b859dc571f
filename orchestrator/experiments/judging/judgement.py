"""The judgements of an experiment: the one place that result files, tables, reports, gates and plans ask.

Here: which readings a series is judged by, and what its end means for the verdict. How a series of numbers is judged is
decided in :mod:`orchestrator.analysis`.

::

    records  --[method's own boundary]-->  memory, counts  --JudgedReadings-->  Judgement
    baseline --[the same boundary]------>  memory          --held against---->
    outcome  ---------------------------------------------------------------->  crashed | unavailable
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from orchestrator.analysis.fitting.slope import FEWEST_READINGS
from orchestrator.analysis.judging.judged import AgainstBaseline, JudgedAs, finite
from orchestrator.analysis.judging.judged_readings import JudgedReadings, hold_readings_against
from orchestrator.analysis.judging.judgement import Judgement
from orchestrator.config.types import Experiment, MethodName
from orchestrator.experiments.judging.readings import (
    boundaries,
    boundary_readings,
    channel,
    memory_series,
    own_boundary,
    read_boundary,
    seconds_an_iteration,
)
from orchestrator.experiments.judging.untried import what_would_settle
from orchestrator.experiments.storage.records import (
    Boundary,
    IterationRecord,
    SeriesRecords,
    abandoned_words,
)
from orchestrator.report.shape import pairs_of
from orchestrator.report.summaries import LeakRate

ENDS: dict[str, JudgedAs] = {
    "crashed": "crashed",
    "failed": "crashed",
    "timeout": "crashed",
    "unavailable": "unavailable",
}
"""Outcomes that are a verdict of their own, whatever the readings before them say."""

METHODS: dict[str, MethodName] = {
    "recreate": "recreate",
    "restart": "restart",
    "reuse": "reuse",
    "recycle": "recycle",
    "warm": "warm",
}
"""Methods by their names in files and keys."""


class Judgements:
    """The judgements of one experiment's series.

    Each channel of each series is fitted once at each boundary that somebody asks for, and kept: tables, pages, result
    files and plans are made from the same object. When a series has new records, :meth:`update` drops what was found
    about the old ones.
    """

    def __init__(self, experiment: Experiment, records: Iterable[SeriesRecords] = ()) -> None:
        self.experiment = experiment
        self._records: dict[str, SeriesRecords] = {}
        self._read: dict[tuple[str, Boundary], JudgedReadings] = {}
        self._judged: dict[tuple[str, Boundary | None], Judgement] = {}
        self.update(records)

    @property
    def records(self) -> Mapping[str, SeriesRecords]:
        """The records by series key, in the experiment's order, then any others."""
        known = [series.key for series in self.experiment.series if series.key in self._records]
        return {key: self._records[key] for key in dict.fromkeys((*known, *self._records))}

    def update(self, records: Iterable[SeriesRecords]) -> None:
        """Take these records in place of any older ones of the same series."""
        for each in records:
            if self._records.get(each.series) == each:
                continue
            self._records[each.series] = each
            self._judged.clear()  # another series may be held against this one
            self._read = {at: read for at, read in self._read.items() if at[0] != each.series}

    def of(self, key: str) -> Judgement:
        """Return the judgement of a series at its own boundary, held against its baseline if there is one.

        A series that crashed, failed or ran out of time is ``crashed``: its outcome's sentence is the first reason, its
        rates are those of the iterations before. One that was cut off is judged as far as it came.

        Raises:
            KeyError: There are no records of it.
        """
        return self._judgement(key, None)

    def at(self, key: str, boundary: Boundary) -> Judgement:
        """Return the judgement of a series read at ``boundary``, for itself: a baseline can be read at two.

        Raises:
            KeyError: There are no records of it.
        """
        return self._judgement(key, boundary)

    def leak_rate(self, key: str, boundary: Boundary | None = None) -> LeakRate:
        """Return the slope of the leak series at ``boundary`` (default: where the series is read).

        Raises:
            KeyError: There are no records of it.
        """
        method = series_method(self.experiment, key)
        where = boundary or self.boundary(key)
        if where not in boundaries(method):
            return LeakRate(
                boundary=where, reason=f"{method} is read {own_boundary(method).replace('_', ' ')}"
            )
        count = len(boundary_readings(self._iterations(key), where))
        if count < FEWEST_READINGS:
            why = f"needs {FEWEST_READINGS} iterations, has {count}"
            return LeakRate(boundary=where, iterations=count, reason=why)
        found = self._at(key, where).leak_series
        assert found is not None, "there are readings"
        return LeakRate(
            boundary=where,
            rate_mb_per_iteration=finite(found.slope.rate),
            ci_low=finite(found.slope.low),
            ci_high=finite(found.slope.high),
            iterations=found.slope.count,
            warm_up_iterations=found.warm_up,
        )

    def boundary(self, key: str) -> Boundary:
        """Return where a series is read: at its method's own boundary, if it has a reading there."""
        return read_boundary(series_method(self.experiment, key), self._iterations(key))

    def _judgement(self, key: str, boundary: Boundary | None) -> Judgement:
        if (key, boundary) not in self._judged:
            self._judged[key, boundary] = self._judge(key, boundary)
        return self._judged[key, boundary]

    def _judge(self, key: str, boundary: Boundary | None) -> Judgement:
        records = self._records[key]
        where = boundary or self.boundary(key)
        outcome, sentence = _outcome(records)
        read, ending = self._at(key, where), ENDS.get(outcome)
        said = [] if outcome == "completed" else [sentence]
        if not len(read) and not said:
            said = [f"no reading {where}"]
        judged = Judgement(
            experiment=self.experiment.name,
            series=key,
            method=series_method(self.experiment, key),
            outcome=outcome,
            sentence=sentence,
            boundary=where,
            abandoned=abandoned_words(records.abandoned),
            against_baseline=self._against(key, where, read) if boundary is None else None,
            **read.fields(ending=ending, first_reasons=said),
        )
        settle = what_would_settle(self.experiment, records, judged.settle)
        return msgspec.structs.replace(judged, settle=settle)

    def _against(self, key: str, where: Boundary, own: JudgedReadings) -> AgainstBaseline | None:
        baseline = self._baseline_of(key)
        if baseline is None or not len(own):
            return None
        return hold_readings_against(
            own,
            self._at(baseline, where),
            series=baseline,
            boundary=where,
            life=_lives(self._iterations(key), where)[-1],
            fresh_lives=_lives(self._iterations(baseline), where),
            recycle_after=self.experiment.recycle_after,
        )

    def _baseline_of(self, key: str) -> str | None:
        """Return the key of the baseline of a series: that of its own variant, else the plain one."""
        pairs = {series.key: baseline for series, baseline in pairs_of(self.experiment)}
        baseline = pairs.get(key)
        return baseline.key if baseline and baseline.key in self._records else None

    def _at(self, key: str, where: Boundary) -> JudgedReadings:
        if (key, where) not in self._read:
            readings = boundary_readings(self._iterations(key), where)
            self._read[key, where] = JudgedReadings(
                memory_series(readings, iteration_s=seconds_an_iteration(self._iterations(key))),
                descriptors=channel(readings, "descriptors"),
                threads=channel(readings, "threads"),
            )
        return self._read[key, where]

    def _iterations(self, key: str) -> list[IterationRecord]:
        return sorted(self._records[key].iterations, key=lambda record: record.iteration)


def judge_series(
    experiment: Experiment, records: SeriesRecords, boundary: Boundary | None = None
) -> Judgement:
    """Return the judgement of one series by itself, read at ``boundary`` (default: its method's own)."""
    judgements = Judgements(experiment, [records])
    return judgements.at(records.series, boundary) if boundary else judgements.of(records.series)


def judge_all(experiment: Experiment, records: Iterable[SeriesRecords]) -> dict[str, Judgement]:
    """Return the judgements by series key, in the experiment's order, then any others."""
    judgements = Judgements(experiment, records)
    return {key: judgements.of(key) for key in judgements.records}


def series_method(experiment: Experiment, key: str) -> MethodName:
    """Return the method of the series ``key``: the experiment's word, else what the key itself says.

    Raises:
        KeyError: The key names no method.
    """
    for series in experiment.series:
        if series.key == key:
            return series.method
    return METHODS[key.partition("@")[0]]


def _outcome(records: SeriesRecords) -> tuple[str, str]:
    if records.end is None:
        return "interrupted", f"interrupted after {len(records.iterations)} iterations"
    return records.end.outcome, records.end.sentence


def _lives(iterations: Iterable[IterationRecord], where: Boundary) -> list[int]:
    """Return how many iterations the process had done at each reading at ``where``."""
    return [record.life for record in iterations if record.steps and where in record.steps[-1].readings]
