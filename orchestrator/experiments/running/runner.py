"""A whole run: one experiment after the other, one method after the other, everything on disk as it comes.

The runner owns the results folder's lock, the run folder, the sampler and its writer. What is measured in a
series is decided in :mod:`.series`; what is shown of it, by the observer.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from orchestrator.config.types import Experiment, Plan, Series
from orchestrator.errors import ResultsError
from orchestrator.experiments.judging.judgement import Judgements
from orchestrator.experiments.judging.readings import FRESH_METHODS
from orchestrator.experiments.results.results_file import Results, make_results, write_results
from orchestrator.experiments.running.availability import Availability, Missing, look
from orchestrator.experiments.running.destroy_trials import DestroyTrials
from orchestrator.experiments.running.observer import RunObserver
from orchestrator.experiments.running.series import SeriesContext, SeriesRun
from orchestrator.experiments.running.stopping import saving_words
from orchestrator.experiments.storage.entry_log import series_records
from orchestrator.experiments.storage.file_hashes import HashCache, files_of
from orchestrator.experiments.storage.manifest import Manifest, make_manifest, plan_fingerprint
from orchestrator.experiments.storage.model_sizes import shrunken_models
from orchestrator.experiments.storage.records import (
    Entry,
    IterationRecord,
    SampleFile,
    SeriesEnd,
    SeriesRecords,
)
from orchestrator.experiments.storage.run_folder import ResultsFolder, RunFolder
from orchestrator.experiments.storage.sample_state import sample_state
from orchestrator.experiments.storage.stored_calibration import stamp_of
from orchestrator.files.writing import write_problem
from orchestrator.process.sampling.sample_record import RECORDS_FILE, Label
from orchestrator.process.sampling.sampler import Sampler
from orchestrator.process.sampling.samples import SampleWriter
from orchestrator.process.sampling.watch import RssReading, Sink

RunOutcome = Literal["finished", "nothing ran"]
Records = dict[tuple[str, str], SeriesRecords]


@dataclass(frozen=True)
class Continuation:
    """Where a series goes on after a break: from ``first_iteration``, and why it does not just begin."""

    first_iteration: int
    reason: str


def run_plan(
    plan: Plan, results: ResultsFolder, observer: RunObserver, *, resume: bool = False
) -> RunOutcome:
    """Run the plan and write its results; blocks until all is done.

    Raises:
        ResultsLockedError: Another run writes to the same folder.
        ResultsError: The folder cannot be written, or there is nothing to resume.
        KeyboardInterrupt: Passed on, after everything that was measured has been written.
    """
    with results.lock():
        availability = look(plan, results.audio_cache)
        files = HashCache(results.hashes).hash_files(files_of(plan))
        with _open_run(plan, results, plan_fingerprint(plan, files), resume=resume) as run:
            if not (run.path / "manifest.json").exists():
                samples = _sample_files(plan, availability)
                earlier = [each.manifest().files for each in results.run_folders()]
                run.save(
                    make_manifest(
                        plan,
                        run_id=run.run_id,
                        files=files,
                        samples=samples,
                        warnings=shrunken_models(plan, files, earlier),
                        calibration=stamp_of(results.path),
                    )
                )
            manifest = run.set_state("running")
            return _Run(plan, results, run, manifest, availability, observer).run()


def _open_run(plan: Plan, results: ResultsFolder, fingerprint: str, *, resume: bool) -> RunFolder:
    if not resume:
        return results.new_run()
    found = results.latest_resumable(fingerprint)
    if found is None:
        raise ResultsError(_nothing_to_resume(plan, results, fingerprint))
    return found


def _nothing_to_resume(plan: Plan, results: ResultsFolder, fingerprint: str) -> str:
    """Say why: there is no run, it is finished, or what was cut off was another plan."""
    manifests = [run.manifest() for run in reversed(results.run_folders())]
    opening = f"nothing to resume in {results.path}"
    if not manifests:
        return f"{opening}: there is no run yet; run again without --resume"
    if any(manifest.plan_fingerprint == fingerprint for manifest in manifests):
        return f"{opening}: its newest run of this plan is finished; run again without --resume"
    cut_off = next((manifest for manifest in manifests if manifest.state != "finished"), None)
    if cut_off is None:
        return f"{opening}: its runs are finished, and of other plans; run again without --resume"
    return (
        f"{opening}: run {cut_off.run_id} was cut off, but it is of another plan (profile {cut_off.profile}; "
        f"now {plan.profile}): experiments, methods, iterations, models, samples, packages or allocator "
        "environment have changed since; undo that to go on with it, or run again without --resume"
    )


def _sample_files(plan: Plan, availability: Availability) -> list[SampleFile]:
    samples = {step.sample.name: step.sample for one in plan.experiments for step in one.steps if step.sample}
    return [
        SampleFile(
            name=name,
            audio=sample.audio,
            sha256=prepared.sha256,
            seconds=prepared.seconds,
            state=sample_state(sample.audio, prepared.sha256),
            conversion=prepared.conversion,
            reference=sample.reference,
        )
        for name, sample in samples.items()
        if (prepared := availability.audio.get(name)) is not None
    ]


class _Run:
    """One run under way."""

    def __init__(
        self,
        plan: Plan,
        results: ResultsFolder,
        run: RunFolder,
        manifest: Manifest,
        availability: Availability,
        observer: RunObserver,
    ) -> None:
        self._plan = plan
        self._results = results
        self._run = run
        self._manifest = manifest
        self._availability = availability
        self._trials = DestroyTrials(availability)
        self._observer = observer
        self._outputs: list[str] = []
        self._judgements: dict[str, Judgements] = {}
        self._origin_ns = time.monotonic_ns()

    def run(self) -> RunOutcome:
        self._observer.lacking(
            {(each.what, each.how_to_get_it): names for each, names in self._availability.parts.items()}
        )
        self._observer.run_started(self._plan, str(self._run.path), self._notes())
        ran = 0
        try:
            with _samples(self._run.path) as writer:
                for experiment in self._plan.experiments:
                    ran += self._run_experiment(experiment, writer)
        except BaseException:
            self._cut_short()
            raise
        self._run.set_state("finished")
        self._results.prune(self._plan.keep_runs, self._run)
        saving = saving_words(self._records().values())
        done = "done" if ran else "nothing was measured"
        self._observer.run_ended(str(self._run.path), self._outputs, f"{done}; {saving}" if saving else done)
        return "finished" if ran else "nothing ran"

    def _cut_short(self) -> None:
        """Write what there is. A disk that takes no more must not hide what ended the run."""
        with contextlib.suppress(ResultsError):
            self._run.set_state("interrupted")
        with contextlib.suppress(ResultsError):
            self._write_all()
        with contextlib.suppress(OSError):  # whoever watches may have gone: that may be the very error
            self._observer.run_ended(str(self._run.path), self._outputs, "interrupted")

    def _notes(self) -> list[str]:
        """What a reader of the numbers should know before they come: first of all, what cannot be run."""
        parts = self._availability.parts
        notes = [f"unavailable: {', '.join(names)}: {missing}" for missing, names in parts.items()]
        notes += [f"not possible: {where}: {why}" for where, why in self._not_possible().items()]
        notes += self._manifest.warnings
        threads = {step.model.threads_note for one in self._plan.experiments for step in one.steps}
        notes += [f"inference threads: {note}" for note in sorted(filter(None, threads))]
        for sample in self._manifest.samples:
            if sample.conversion:
                notes.append(f"sample {sample.name}: {Path(sample.audio).name} was {sample.conversion}")
            if sample.state == "modified sample":
                notes.append(f"sample {sample.name}: {Path(sample.audio).name} is a modified sample")
        return notes

    def _not_possible(self) -> dict[str, Missing]:
        """Return the series that cannot be run whatever is installed, with the reason."""
        return {
            f"{one.name}/{series.key}": why
            for one in self._plan.experiments
            for series in one.series
            if (why := self._availability.not_possible(one, series)) is not None
        }

    # ------------------------------------------------------------------ one experiment

    def _run_experiment(self, experiment: Experiment, writer: SampleWriter) -> int:
        """Run all series of an experiment; return how many could run, now or before a break."""
        lacking = {series.key: self._availability.lacking(experiment, series) for series in experiment.series}
        reasons = {key: missing.reason for key, missing in lacking.items() if missing}
        self._observer.experiment_started(experiment, reasons)
        ran = 0
        sink = self._sink(writer)
        with Sampler(experiment.sample_interval_ms / 1000, sink=sink, origin_ns=self._origin_ns) as sampler:
            for series in experiment.series:
                continuation, missing = self._continuation(experiment, series), lacking[series.key]
                if continuation is None:
                    ran += 1
                elif missing is not None:
                    self._unavailable(experiment, series, missing)
                else:
                    end = self._run_series(experiment, series, continuation, sampler, writer)
                    ran += end.outcome != "unavailable"
                self._write(experiment)
        output, results = self._write(experiment)
        self._observer.experiment_ended(experiment, self._records_of(experiment), results.summary, output)
        return ran

    def _unavailable(self, experiment: Experiment, series: Series, missing: Missing) -> None:
        end = SeriesEnd(
            experiment=experiment.name,
            series=series.key,
            outcome="unavailable",
            iterations=0,
            cause=missing.what,
            how_to_get_it=missing.how_to_get_it,
            not_possible=missing.not_possible,
        )
        self._run.append(end)
        self._observer.series_ended(experiment, series, end)

    def _continuation(self, experiment: Experiment, series: Series) -> Continuation | None:
        return continue_series(experiment, series, self._records().get((experiment.name, series.key)))

    def _sink(self, writer: SampleWriter) -> Sink:
        """Write to ``writer``, in the sampler's thread; its errors come out of ``sampler.check``."""

        def write(label: Label, reading: RssReading) -> None:
            with _writing(self._run.path):
                writer.write(label, reading)

        return write

    def _run_series(
        self,
        experiment: Experiment,
        series: Series,
        continuation: Continuation,
        sampler: Sampler,
        writer: SampleWriter,
    ) -> SeriesEnd:
        with _writing(self._run.path):
            codes = {
                "experiment": writer.experiment_code(experiment.name),
                "series": writer.series_code(series.key),
            }

        def append(entry: Entry) -> None:
            self._run.append(entry)  # first: what was measured is kept whatever ails the time series
            sampler.check()

        context = SeriesContext(
            experiment=experiment,
            series=series,
            audio={name: prepared.audio for name, prepared in self._availability.audio.items()},
            sampler=sampler,
            observer=self._observer,
            append=append,
            codes=codes,
            env=self._availability.environment(series),
            before=self._measured_before(experiment, series, continuation.first_iteration),
            abandoned=self._trials.abandoned(experiment, series),
        )
        run = SeriesRun(context, first_iteration=continuation.first_iteration, reason=continuation.reason)
        end: SeriesEnd | None = None
        try:
            end = run.run()
            return end
        finally:
            self._note(run.heap_source, end)

    def _note(self, heap: str | None, end: SeriesEnd | None) -> None:
        """Put into the manifest what a series told of the heap channel and what ending early saved."""
        saved = self._manifest.iterations_saved
        if end is not None and end.settled is not None:
            saved = {**saved, end.experiment: {**saved.get(end.experiment, {}), end.series: end.saved}}
        noted = msgspec.structs.replace(
            self._manifest, heap=self._manifest.heap or heap, iterations_saved=saved
        )
        if noted != self._manifest:
            self._manifest = noted
            self._run.save(noted)

    def _measured_before(
        self, experiment: Experiment, series: Series, first_iteration: int
    ) -> list[IterationRecord]:
        known = self._records().get((experiment.name, series.key)) if first_iteration > 1 else None
        return [one for one in known.iterations if one.iteration < first_iteration] if known else []

    # ------------------------------------------------------------------ results

    def _records(self) -> Records:
        return series_records(self._run.entries())

    def _records_of(self, experiment: Experiment) -> Mapping[str, SeriesRecords]:
        return {key: one for (name, key), one in self._records().items() if name == experiment.name}

    def _write(self, experiment: Experiment) -> tuple[str, Results]:
        """Write the result file anew; only series with new records are judged again."""
        judgements = self._judgements.setdefault(experiment.name, Judgements(experiment))
        judgements.update(self._records_of(experiment).values())
        results = make_results(judgements, self._run.manifest())
        path = str(write_results(self._results.path, experiment, results))
        if path not in self._outputs:
            self._outputs.append(path)
        return path, results

    def _write_all(self) -> None:
        """After an interrupt: the result file of every experiment that has any records."""
        for experiment in self._plan.experiments:
            if self._records_of(experiment):
                self._write(experiment)


def continue_series(
    experiment: Experiment, series: Series, records: SeriesRecords | None
) -> Continuation | None:
    """Return where a series goes on in a resumed run; None when it is done.

    A completed series is kept whole. A cut in-process series starts again, because its process is gone; a cut
    baseline goes on at the start of the generation it was in, and so do warm processes. A series that died by itself
    had its result.
    """
    if records is None:
        return Continuation(1, "")
    if records.end is not None and records.end.outcome not in ("interrupted", "unavailable"):
        return None
    done = len(records.iterations)
    if done == 0:
        return Continuation(1, "")
    if series.method in FRESH_METHODS:
        each = experiment.recycle_after if series.method == "recycle" else 1
        first = done - done % each + 1
        if first > experiment.iterations:
            first = max(1, first - each)
        whose = "the baseline's" if series.method == "recycle" else "its"
        return Continuation(first, f"resumed at iteration {first}: {whose} processes are fresh anyway")
    return Continuation(
        1, f"started again: its process was gone after {done} of {experiment.iterations} iterations"
    )


@contextlib.contextmanager
def _samples(folder: Path) -> Generator[SampleWriter]:
    """Open the run's sample writer, and close it: after an error without a further one."""
    with _writing(folder):
        writer = SampleWriter(folder)
    try:
        yield writer
    except BaseException:
        with contextlib.suppress(OSError):
            writer.close()
        raise
    with _writing(folder):
        writer.close()


@contextlib.contextmanager
def _writing(folder: Path) -> Generator[None]:
    """Turn a disk that fills up into a ResultsError that names the file. Put around nothing but writing."""
    try:
        yield
    except OSError as error:
        raise write_problem(folder / RECORDS_FILE, error, "every finished iteration") from error


__all__ = ["Continuation", "RunOutcome", "continue_series", "run_plan"]
