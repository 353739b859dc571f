"""Collect what a report shows from the files of one run.

Here: which readings become points, which samples a timeline. How they are drawn is decided in
:mod:`orchestrator.report.html`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import quote

import msgspec
import numpy as np

from orchestrator.analysis.judging.judgement import Judgement
from orchestrator.analysis.planning.model_plan import RunPlan
from orchestrator.config.types import Experiment
from orchestrator.errors import ResultsError
from orchestrator.experiments.judging.judgement import Judgements, series_method
from orchestrator.experiments.judging.readings import (
    MB,
    boundary_readings,
    memory_series,
    own_boundary,
    read_boundary,
)
from orchestrator.experiments.judging.summary import summarize_all
from orchestrator.experiments.planning.recycle_plan import plan_results
from orchestrator.experiments.results.results_file import make_results
from orchestrator.experiments.results.run_results import plan_of_run
from orchestrator.experiments.storage.entry_log import series_records
from orchestrator.experiments.storage.manifest import Manifest
from orchestrator.experiments.storage.records import (
    Boundary,
    IterationRecord,
    Phases,
    SeriesEnd,
    SeriesRecords,
)
from orchestrator.experiments.storage.run_folder import RunFolder
from orchestrator.experiments.storage.stored_calibration import doubts, read_calibration
from orchestrator.experiments.storage.stored_located import flame_graph_of, read_located
from orchestrator.process.sampling.samples import Samples, read_samples
from orchestrator.report.html.charts.palette import FRESH_AFTER_INFER
from orchestrator.report.html.content import (
    CalibrationContent,
    ExperimentContent,
    LocatedContent,
    PhaseTime,
    Point,
    ReportContent,
    SeriesContent,
)
from orchestrator.report.html.decimation import Bucket, decimate
from orchestrator.report.names import experiment_title, method_name
from orchestrator.report.shape import columns_of, pairs_of
from orchestrator.report.summaries import SeriesSummary

NOT_REACHED = "the run has not come to it"
"""Why a method has no numbers where a run goes on, was interrupted or killed before it."""
_PHASES = tuple(field.name for field in msgspec.structs.fields(Phases))


def collect_report(run: RunFolder, page: Path | None = None) -> ReportContent:
    """Read everything of a run that a report shows; of one under way or cut off, as far as it has come.

    Links of the page count from the folder of ``page``, where it is to lie; by default the run's.

    Raises:
        ResultsError: Manifest or entries cannot be read, or are of a newer version.
    """
    manifest = run.manifest()
    plan = plan_of_run(manifest, run.path)
    records = series_records(run.entries())
    judged = [
        Judgements(each, [one for one in records.values() if one.experiment == each.name])
        for each in plan.experiments
    ]
    summaries = {each.experiment.name: summarize_all(each) for each in judged}
    samples, note = _samples(run.path)
    located, located_note = located_of(run.path, page or run.path / "report.html")
    return ReportContent(
        run_id=manifest.run_id,
        created_at=manifest.created_at,
        state=manifest.state,
        profile=manifest.profile,
        profile_reason=manifest.profile_reason,
        tool_version=manifest.tool_version,
        experiments=[_experiment(each, summaries[each.experiment.name], samples) for each in judged],
        facts=msgspec.to_builtins(manifest),
        notes=[*manifest.warnings, *filter(None, (note, located_note))],
        plan=_recycle_plan(judged, summaries, manifest, run.path),
        calibration=calibration_beside(run.path, manifest),
        worker_starts=sorted({start for each in records.values() for start in each.worker_starts}),
        located=located,
    )


def located_of(run: Path, page: Path) -> tuple[list[LocatedContent], str]:
    """Return where the run leaks, with links to the flame graphs that are there; or why that cannot be shown."""
    try:
        answers = read_located(run)
    except ResultsError as error:
        return [], f"Where it leaks cannot be shown: {error}"
    return [
        LocatedContent(each, _link(flame_graph_of(run, each.name, each.method), page)) for each in answers
    ], ""


def _link(target: Path | None, page: Path) -> str:
    if target is None:
        return ""
    return quote(os.path.relpath(target.resolve(), page.resolve().parent).replace(os.sep, "/"))


def calibration_beside(run_folder: Path, manifest: Manifest) -> CalibrationContent:
    """Return the calibration of the results folder that a run lies in, and what speaks against it for this run."""
    try:
        found = read_calibration(run_folder.resolve().parent.parent)
    except ResultsError as error:
        return CalibrationContent(None, [str(error)])
    if found is None:
        return CalibrationContent()
    said = doubts(
        found, run_host=manifest.host, run_at=manifest.created_at, run_version=manifest.tool_version
    )
    return CalibrationContent(found, said)


def _recycle_plan(
    judged: Sequence[Judgements],
    summaries: Mapping[str, dict[str, SeriesSummary]],
    manifest: Manifest,
    path: Path,
) -> RunPlan | None:
    """Return the plan for pools on the run's machine; None where nothing was measured that one can be made from."""
    results = {
        each.experiment.name: make_results(each, manifest, summaries[each.experiment.name])
        for each in judged
        if each.records
    }
    try:
        return plan_results(results, source=str(path), budget_bytes=manifest.budget_bytes)
    except ResultsError:
        return None


def _samples(path: Path) -> tuple[Samples | None, str]:
    """Return the time series, or None and why there is none: a report can do without."""
    try:
        return read_samples(path), ""
    except ResultsError as error:
        return None, f"No time series: {error}"


def _experiment(
    judgements: Judgements, summaries: Mapping[str, SeriesSummary], samples: Samples | None
) -> ExperimentContent:
    experiment, by_key = judgements.experiment, judgements.records
    absent = [each.key for each in columns_of(experiment) if each.key not in by_key]
    not_run = Judgements(experiment, [_no_records(experiment, key) for key in absent])
    series: list[SeriesContent] = []
    for each in columns_of(experiment):
        judged = not_run if each.key in absent else judgements
        name = method_name(each, summaries.get(each.key))
        series.append(_series(experiment, name, judged.records[each.key], judged.of(each.key), samples))
    fresh = _fresh_after_infer(judgements)
    return ExperimentContent(experiment, experiment_title(experiment), series, summaries, fresh)


def _no_records(experiment: Experiment, key: str) -> SeriesRecords:
    end = SeriesEnd(experiment.name, key, "unavailable", 0, cause=NOT_REACHED)
    return SeriesRecords(experiment.name, key, iterations=[], end=end)


def _fresh_after_infer(judgements: Judgements) -> list[SeriesContent]:
    """Return the baselines read after infer, each once, where a method held against them is read there."""
    where: Boundary = "after_infer"
    wanted = {
        baseline.key: baseline
        for series, baseline in pairs_of(judgements.experiment)
        if baseline and own_boundary(series.method) == where
    }
    return [
        SeriesContent(
            key=key,
            name=f"{method_name(baseline)} after infer",
            method=FRESH_AFTER_INFER,
            judgement=judgements.at(key, where),
            points=points_of(_in_order(judgements.records[key]), where),
        )
        for key, baseline in wanted.items()
        if key in judgements.records
    ]


def _in_order(records: SeriesRecords) -> list[IterationRecord]:
    return sorted(records.iterations, key=lambda record: record.iteration)


def _series(
    experiment: Experiment,
    name: str,
    records: SeriesRecords,
    judgement: Judgement,
    samples: Samples | None,
) -> SeriesContent:
    method = series_method(experiment, records.series)
    iterations = _in_order(records)
    end = records.end
    unfinished = end is not None and end.outcome != "completed"
    return SeriesContent(
        key=records.series,
        name=name,
        method=method,
        judgement=judgement,
        points=points_of(iterations, read_boundary(method, iterations)),
        timeline=timeline_of(samples, experiment.name, records.series) if samples else (),
        phase_times=phase_times(iterations),
        how_to_get_it=end.how_to_get_it if end else "",
        stderr_tail=end.stderr_tail if end and unfinished else "",
    )


def points_of(iterations: Sequence[IterationRecord], boundary: Boundary) -> list[Point]:
    """Return the readings that the judgement is made of, as points of a chart."""
    read = [
        record.iteration for record in iterations if record.steps and boundary in record.steps[-1].readings
    ]
    series = memory_series(boundary_readings(iterations, boundary))
    if series is None:
        return []
    channels = {
        "rss_mb": series.rss,
        "leak_series_mb": series.leak_series,
        "file_mb": series.file,
        "shared_mb": series.shmem,
        "swap_mb": series.swap,
        "live_mb": series.live,
        "held_mb": series.held,
    }
    known = {name: values.tolist() for name, values in channels.items() if values is not None}
    return [
        Point(iteration=iteration, **{name: values[at] for name, values in known.items()})
        for at, iteration in enumerate(read)
    ]


def phase_times(iterations: Sequence[IterationRecord]) -> list[PhaseTime]:
    """Return the seconds of every phase that happened, over all steps."""
    found: list[PhaseTime] = []
    for name in _PHASES:
        seconds = [
            value
            for record in iterations
            for step in record.steps
            if (value := getattr(step.phases, name)) is not None
        ]
        if seconds:
            phase = name.removesuffix("_s")
            found.append(PhaseTime(phase, median(seconds), min(seconds), max(seconds)))
    return found


def timeline_of(samples: Samples, experiment: str, series: str) -> list[Bucket]:
    """Return the time series of one method, decimated; empty when it has none."""
    names = samples.names
    if experiment not in names.experiments or series not in names.series:
        return []
    records: np.ndarray[Any, Any] = samples.records
    chosen = (records["experiment"] == names.experiments.index(experiment)) & (
        records["series"] == names.series.index(series)
    )
    own = records[chosen]
    own = own[own["rss"] > 0]  # a process that has just gone reads 0, which is no memory of its
    labels = np.column_stack([own[name].astype(np.int64) for name in ("phase", "generation", "iteration")])
    return decimate(own["time_ns"] / 1e9, own["rss"] / MB, labels, dict(enumerate(names.phases)))
