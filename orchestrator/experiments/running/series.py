"""One method of one experiment, from its first iteration to its last, or to the death that ended it.

A worker that dies, hangs or refuses ends the series and is its result; nothing that was measured before is
lost, and the runner goes on with the next series.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from orchestrator.analysis import Settlement
from orchestrator.config.types import Experiment, Series, Step
from orchestrator.errors import (
    EngineUnavailableError,
    JobError,
    JobTimeoutError,
    ProtocolError,
    ResultsError,
    SpawnError,
    WorkerDiedError,
    WorkerError,
)
from orchestrator.experiments.running.draft import StepDraft
from orchestrator.experiments.running.methods import METHODS, Method
from orchestrator.experiments.running.observer import RunObserver
from orchestrator.experiments.running.stage import Stage
from orchestrator.experiments.running.step_texts import StepTexts
from orchestrator.experiments.running.stopping import EarlyStop
from orchestrator.experiments.running.transcripts import examine
from orchestrator.experiments.storage.records import (
    Entry,
    IterationRecord,
    Outcome,
    SeriesEnd,
    SeriesStart,
    abandoned_words,
    counted,
)
from orchestrator.process.engine_environment import engine_defaults
from orchestrator.process.host.usable_memory import free_budget_bytes
from orchestrator.process.loaded_template import NotForkableError
from orchestrator.process.sampling.sampler import Sampler
from orchestrator_worker.protocol import Audio, Chunk, Job
from orchestrator_worker.results import Transcript

SAMPLE_RATE = 16_000
MB = 1024**2


@dataclass(frozen=True)
class SeriesContext:
    """What a series works with; made by the runner.

    ``audio`` is prepared audio by the sample's name; ``codes`` says what ``experiment`` and ``series`` are
    called in the time series. ``env`` is the series' environment, with what it preloads. ``before`` are the
    iterations of a resumed baseline that were measured before the break. ``abandoned`` says by role why models are
    abandoned and not destroyed.
    """

    experiment: Experiment
    series: Series
    audio: Mapping[str, Audio]
    sampler: Sampler
    observer: RunObserver
    append: Callable[[Entry], None]
    codes: Mapping[str, int]
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    before: Sequence[IterationRecord] = ()
    abandoned: Mapping[str, str] = field(default_factory=dict[str, str])


class SeriesRun:
    """Runs one series. ``first_iteration`` > 1 continues a baseline; ``reason`` says why it starts again."""

    def __init__(self, context: SeriesContext, *, first_iteration: int = 1, reason: str = "") -> None:
        self._context = context
        self._experiment = context.experiment
        self._first = first_iteration
        self._reason = reason
        self._iteration = first_iteration
        self._phase = "spawn"
        self._completed = 0
        self._early = EarlyStop(self._experiment, context.series, context.before)
        self._settled: Settlement | None = None
        self._texts = StepTexts((), loads_each=True)
        self._stages: list[Stage] = []
        self._active: Stage | None = None
        self._missed_before = context.sampler.missed_deadlines
        self._before: IterationRecord | None = None
        self._latest: IterationRecord | None = None
        self._cut_short = ""
        method = METHODS[context.series.method]
        self._method: Method = method(
            self._experiment, self._make_stage, self._infer, self._step_done, context.abandoned
        )

    def run(self) -> SeriesEnd:
        """Run to the end and return how it ended; the entries are appended as they come.

        Raises:
            KeyboardInterrupt: After the interrupted end was written.
            ResultsError: The entries can no longer be written.
        """
        context = self._context
        start = SeriesStart(
            self._experiment.name, context.series.key, self._first, self._reason, dict(context.abandoned)
        )
        context.append(start)
        told = "; ".join(filter(None, (self._reason, abandoned_words(context.abandoned))))
        context.observer.series_started(self._experiment, context.series, self._first, told, self._latest_rss)
        began = time.monotonic()
        try:
            end = self._attempt(began)
        except BaseException:
            self._method.kill()
            with contextlib.suppress(ResultsError):
                context.append(self._ended("interrupted", None, began))
            raise
        context.append(end)
        context.observer.series_ended(self._experiment, context.series, end)
        return end

    def _attempt(self, began: float) -> SeriesEnd:
        try:
            self._iterate()
            return self._completed_end(began)
        except WorkerError as error:
            return self._explain(error, began)
        except EngineUnavailableError as error:
            return self._ended("unavailable", error.what, began, how_to_get_it=error.how_to_get_it)
        except NotForkableError as error:
            return self._ended("unavailable", str(error), began, not_possible=True)
        except JobError as error:
            return self._ended("failed", str(error), began, stderr_tail=error.remote_traceback)
        finally:
            self._method.kill()

    # ------------------------------------------------------------------ iterations

    @property
    def _drafts(self) -> Sequence[StepDraft]:
        return self._texts.drafts

    def _iterate(self) -> None:
        last = self._experiment.iterations
        for iteration in range(self._first, last + 1):
            if self._out_of_room():
                break
            self._iteration = iteration
            started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
            self._texts = StepTexts(self._experiment.steps, loads_each=self._method.loads_each_step)
            may_end = iteration == last or self._early.looks_after(iteration)
            self._method.iterate(self._drafts, last=may_end)
            record = self._record(started_at)
            self._context.append(record)
            self._completed += 1
            self._before, self._latest = self._latest, record
            self._context.observer.iteration_done(self._experiment, self._context.series, record)
            self._settled = self._early.add(record)
            if self._settled is not None:
                break

    def _out_of_room(self) -> bool:
        """Say whether a series that abandons its models must end, because the machine has no memory for another."""
        if self._latest is None or not self._context.abandoned or self._context.series.method != "recreate":
            return False
        each, most = left_behind(self._latest, self._before)
        if free_budget_bytes() > most:
            return False
        size = f"{each / MB:.0f} MB" if each > MB else f"{each / MB:.2f} MB"
        self._cut_short = f"memory would have run out: each abandoned iteration leaves {size}"
        return True

    def _record(self, started_at: str) -> IterationRecord:
        boundary = self._method.memory_boundary
        return IterationRecord(
            experiment=self._experiment.name,
            series=self._context.series.key,
            iteration=self._iteration,
            life=self._method.life,
            memory=counted(self._drafts[-1].readings, boundary, self._drafts[-1].start).rss,
            peak=max(draft.peak for draft in self._drafts),
            peak_source="sampled" if any(draft.peak_is_sampled for draft in self._drafts) else "VmHWM",
            tree_peak=max(draft.tree_peak for draft in self._drafts),
            steps=[draft.record() for draft in self._drafts],
            started_at=started_at,
            machine_load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        )

    def _infer(self, stage: Stage, draft: StepDraft) -> None:
        context = self._context
        job = self._job(draft)

        def on_chunk(chunk: Chunk) -> None:
            context.observer.chunk(self._experiment, context.series, draft.step, chunk.text, chunk.replaces)

        stage.infer(draft, job, on_chunk)
        draft.audio_s = job.audio.samples / SAMPLE_RATE if job.audio else None
        if isinstance(draft.result, Transcript):
            self._texts.heard(draft.result)
            draft.chinese, draft.score = examine(draft.step, draft.result)

    def _step_done(self, draft: StepDraft) -> None:
        self._context.observer.step_done(
            self._experiment, self._context.series, self._iteration, draft.step, draft.record()
        )

    def _job(self, draft: StepDraft) -> Job:
        step = draft.step
        audio = self._context.audio[step.sample.name] if step.sample else None
        return Job(step.task, audio, self._texts.of(step), step.model.language, step.options)

    # ------------------------------------------------------------------ stages

    def _make_stage(self, steps: Sequence[Step]) -> Stage:
        env: dict[str, str] = {}
        for step in steps:
            env |= engine_defaults(step.model.engine, step.model.env)
        for step in steps:
            env |= step.model.env
        stage = Stage(
            env | dict(self._context.env),
            self._context.sampler,
            slot=len(self._stages),
            heap=self._experiment.heap,
            timeout_s=self._experiment.timeout_s,
            on_phase=self._on_phase,
            generation=self._generations_before(),
            models=[step.model for step in steps],
        )
        self._stages.append(stage)
        return stage

    def _generations_before(self) -> int:
        """Processes that a resumed baseline has used up: its iterations were cut off with its last one."""
        each = 1 if self._context.series.method == "warm" else self._experiment.recycle_after
        return (self._first - 1) // each

    def _on_phase(self, stage: Stage, draft: StepDraft | None, phase: str) -> None:
        """Label the stage's own readings only: a second worker that waits for its turn is in no new phase."""
        self._phase, self._active = phase, stage
        position = next((i for i, each in enumerate(self._drafts) if each is draft), len(self._drafts) - 1)
        if stage.watch is not None:
            stage.watch.label(
                **self._context.codes,
                iteration=self._iteration,
                step=position,
                phase=phase,
                generation=stage.generation,
            )
        step = self._experiment.steps[position]
        self._context.observer.phase_started(
            self._experiment, self._context.series, self._iteration, step, phase
        )

    def _latest_rss(self) -> int | None:
        watch = self._active.watch if self._active is not None else None
        return watch.latest.rss if watch is not None else None

    @property
    def heap_source(self) -> str | None:
        """Where the allocator's view comes from, or why there is none; None when no worker got so far."""
        return self._active.heap_source if self._active is not None else None

    # ------------------------------------------------------------------ ends

    def _completed_end(self, began: float) -> SeriesEnd:
        trim = self._method.trim()
        self._method.close()
        done, found = self._first - 1 + self._completed, self._settled
        return SeriesEnd(
            experiment=self._experiment.name,
            series=self._context.series.key,
            outcome="completed",
            iterations=done,
            settled=None if found is None or found.answer == "open" else found.answer,
            saved=self._experiment.iterations - done,
            cut_short=self._cut_short,
            before_trim=trim.before if trim else None,
            after_trim=trim.after if trim else None,
            trimmed=trim.trimmed if trim else None,
            unclean_exits=self._method.unclean_exits,
            missed_samples=self._missed(),
            elapsed_s=time.monotonic() - began,
        )

    def _missed(self) -> int:
        return self._context.sampler.missed_deadlines - self._missed_before

    def _explain(self, error: WorkerError, began: float) -> SeriesEnd:
        """Turn what happened to the worker into the series' result."""
        if isinstance(error, SpawnError) and isinstance(error.__cause__, WorkerError):
            return self._explain(error.__cause__, began)
        if isinstance(error, WorkerDiedError):
            return self._ended("crashed", error.cause, began, stderr_tail=error.stderr_tail)
        said = self._active.stderr_tail if self._active is not None else ""
        if isinstance(error, JobTimeoutError):
            return self._ended("timeout", f"no answer within {error.limit_s:g} s", began, stderr_tail=said)
        cause = f"protocol broken: {error.problem}" if isinstance(error, ProtocolError) else str(error)
        return self._ended("crashed", cause, began, stderr_tail=said)

    def _ended(
        self,
        outcome: Outcome,
        cause: str | None,
        began: float,
        *,
        stderr_tail: str = "",
        how_to_get_it: str = "",
        not_possible: bool = False,
    ) -> SeriesEnd:
        return SeriesEnd(
            experiment=self._experiment.name,
            series=self._context.series.key,
            outcome=outcome,
            iterations=self._first - 1 + self._completed,
            iteration=self._iteration,
            phase=self._phase,
            cause=cause,
            how_to_get_it=how_to_get_it,
            stderr_tail=stderr_tail,
            partial=[draft.record() for draft in self._drafts if draft.readings],
            unclean_exits=self._method.unclean_exits,
            missed_samples=self._missed(),
            elapsed_s=time.monotonic() - began,
            not_possible=not_possible,
        )


def left_behind(latest: IterationRecord, before: IterationRecord | None) -> tuple[int, int]:
    """Return the bytes that the latest iteration has left behind, and what another one may need at most.

    That is twice as much, and what an iteration takes for a time.
    """
    first = latest.steps[0].readings.get("before_load") if latest.steps else None
    earlier = before.memory if before is not None else first.rss if first is not None else latest.memory
    each = max(0, latest.memory - earlier)
    return each, 2 * each + max(0, latest.peak - latest.memory)
