"""Run one method in one worker, traced or not: warm-up, then blocks of iterations, with a reading at each boundary.

::

    untraced   spawn   warm-up           settle ─ reading ─ block ─ reading …        how fast it leaks
    traced     spawn   warm-up  ▸trace   settle ─ mark ──── block ─ mark ────  ◂end  where

Both do the same in the same order and with ``PYTHONMALLOC=malloc``, so that Python's own objects are seen where they
are made and not where the interpreter's pool takes whole arenas. The order of phases in an iteration is that of
``orchestrator run``.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from orchestrator.audio import PreparedAudio
from orchestrator.config.model import BoundModel
from orchestrator.config.types import Experiment, Series, Step
from orchestrator.experiments.running.draft import StepDraft
from orchestrator.experiments.running.methods import METHODS
from orchestrator.experiments.running.stage import Stage
from orchestrator.experiments.running.step_texts import StepTexts
from orchestrator.experiments.storage.records import Boundary, Reading
from orchestrator.locating.schedule import Schedule
from orchestrator.locating.tracers import Tracer
from orchestrator.process.engine_environment import engine_defaults
from orchestrator.process.sampling.sampler import Sampler
from orchestrator.process.sandbox.modes import mode_of
from orchestrator_worker.protocol import Job
from orchestrator_worker.results import Transcript

PYTHON_OBJECTS_IN_THE_HEAP = {"PYTHONMALLOC": "malloc"}
_SAMPLE_S = 1.0


@dataclass(frozen=True)
class Work:
    """What is run: one series of an experiment, and what its worker needs."""

    experiment: Experiment
    series: Series
    audio: Mapping[str, PreparedAudio] = field(default_factory=dict[str, PreparedAudio])
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    abandoned: Mapping[str, str] = field(default_factory=dict[str, str])
    calls: bool = False
    """Whether an iteration is one call of a function: then a block of them is one job."""


@dataclass
class Rounds:
    """What came of it, as far as it has come.

    ``marks`` are the boundaries as numbers of commands since the trace began: its beginning, the end of the settling
    iteration, and of each block. ``readings`` begin at the second of them, ``first_bytes`` is how large the trace was
    then. ``seconds`` is the mean time of an iteration of the blocks.
    """

    per_block: int = 0
    iterations: list[int] = field(default_factory=list[int])
    readings: list[Reading] = field(default_factory=list[Reading])
    marks: list[int] = field(default_factory=list[int])
    seconds: float = 0.0
    trace_bytes: int = 0
    first_bytes: int = 0
    tracer: str = ""
    heap_source: str = ""
    phase: str = "spawn"
    stderr_tail: str = ""
    bounded: bool = False


class RoundsRun:
    """One run of it. :attr:`rounds` can be read whatever has become of it."""

    def __init__(
        self,
        work: Work,
        schedule: Schedule,
        *,
        per_block: int | None = None,
        tracing: tuple[Tracer, Path] | None = None,
    ) -> None:
        """``per_block`` is that of the run that this one repeats; ``tracing`` a tracer and the file it is to write."""
        self._work = work
        self._schedule = schedule
        self._tracer: Tracer | None
        self._trace: Path | None
        self._tracer, self._trace = tracing or (None, None)
        self._began_at = 0
        self._calls = 1
        self.rounds = Rounds(per_block=per_block or 0)
        self._stage: Stage | None = None
        self._boundary: Boundary = "after_unload"

    def run(self) -> Rounds:
        """Do all of it; blocks until it is done.

        Raises:
            WorkerError: The worker died, hangs, or broke the protocol.
            JobError: The engine raised.
            EngineUnavailableError: The engine or the tracer is missing.
        """
        work = self._work
        with Sampler(_SAMPLE_S) as sampler:
            self._sampler = sampler
            method = METHODS[work.series.method](
                work.experiment, self._make_stage, self._infer, lambda _: None, work.abandoned
            )
            self._boundary = method.memory_boundary
            self._loads_each = method.loads_each_step
            self._method = method
            try:
                self._go()
                method.close()
            finally:
                self.rounds.stderr_tail = self._stage.stderr_tail if self._stage is not None else ""
                method.kill()
        return self.rounds

    def _go(self) -> None:
        rounds = self.rounds
        warm = [self._iterate() for _ in range(max(1, self._schedule.warm_up))]
        rounds.per_block = rounds.per_block or self._schedule.per_block(min(warm), calls=self._work.calls)
        self._begin_trace()
        self._mark_boundary()
        self._iterate()  # settles: blocks from before the trace, of which nothing is known, are replaced here
        self._look_at_the_trace()
        self._boundary_reached()
        spent = self._steady_iterations() if self._may_be_steady else 0.0
        while len(rounds.iterations) < self._schedule.blocks:
            if self._out_of_room():
                break
            spent += self._block()
            rounds.iterations.append(rounds.per_block)
            self._boundary_reached()
        rounds.seconds = spent / max(1, sum(rounds.iterations))
        self._end_trace()

    @property
    def _may_be_steady(self) -> bool:
        """Whether to look for it: an iteration is not one of many calls, and nobody has said how long a block is."""
        free = self._trace is None and self._schedule.iterations is None
        return free and not self._work.calls and self.rounds.per_block > 1

    def _steady_iterations(self) -> float:
        """Do blocks of one iteration; where they are not alike, forget these and leave it to longer ones."""
        rounds = self.rounds
        wanted, rounds.per_block, spent = rounds.per_block, 1, 0.0
        for _ in range(self._schedule.blocks):
            spent += self._block()
            rounds.iterations.append(1)
            self._boundary_reached()
        live = [each.heap_live for each in rounds.readings if each.heap_live is not None]
        if self._schedule.steady(live):
            return spent
        rounds.per_block = wanted
        rounds.iterations.clear()
        del rounds.readings[:-1], rounds.marks[:-1]
        return 0.0

    def _block(self) -> float:
        """Do the iterations of one block and return the seconds they took."""
        if self._work.calls:
            self._calls = self.rounds.per_block
            spent = self._iterate()
            self._look_at_the_trace()
            return spent
        spent = 0.0
        for _ in range(self.rounds.per_block):
            spent += self._iterate()
            self._look_at_the_trace()
        return spent

    def _iterate(self) -> float:
        """Do one iteration and return the seconds it took."""
        began = time.perf_counter()
        self._texts = StepTexts(self._work.experiment.steps, loads_each=self._loads_each)
        self._method.iterate(self._texts.drafts, last=False)
        self._latest = self._texts.drafts[-1].readings[self._boundary]
        return time.perf_counter() - began

    def _boundary_reached(self) -> None:
        assert self._stage is not None
        self.rounds.readings.append(self._latest)
        self.rounds.heap_source = self._stage.heap_source or ""
        self._mark_boundary()

    def _mark_boundary(self) -> None:
        assert self._stage is not None
        self.rounds.marks.append(self._stage.commands - self._began_at)
        if self._tracer is not None and self._trace is not None:
            self._tracer.tidy(self._trace, self.rounds.marks[:-1])

    # ------------------------------------------------------------------ the trace

    def _begin_trace(self) -> None:
        if self._trace is None or self._tracer is None:
            return
        assert self._stage is not None
        self.rounds.phase = "trace"
        most = self._schedule.most_trace_bytes
        self.rounds.tracer = self._stage.trace(str(self._trace), most, self._tracer.key)
        self._began_at = self._stage.commands

    def _end_trace(self) -> None:
        if self._trace is not None:
            assert self._stage is not None
            self.rounds.phase = "trace"
            self._stage.trace(None)
            self._look_at_the_trace()

    def _look_at_the_trace(self) -> None:
        if self._trace is None:
            return
        files = self._trace.parent.glob(f"{self._trace.name}*")
        self.rounds.trace_bytes = sum(path.stat().st_size for path in files)
        if not self.rounds.first_bytes:
            self.rounds.first_bytes = self.rounds.trace_bytes

    def _out_of_room(self) -> bool:
        """Whether another block might break the bound on the trace: it may be half as long again as the longest."""
        if self._trace is None or not self.rounds.iterations:
            return False
        done = len(self.rounds.iterations)
        another = 1.5 * self.rounds.trace_bytes / done
        self.rounds.bounded = self.rounds.trace_bytes + another > self._schedule.most_trace_bytes
        if self._tracer is not None and self._tracer.lives_in_memory:
            self.rounds.bounded |= self._grown_bytes() > self._schedule.most_trace_bytes
        return self.rounds.bounded

    def _grown_bytes(self) -> int:
        """Return how much the worker has grown since the first boundary and might grow in one more block."""
        grown = self._latest.rss - self.rounds.readings[0].rss
        return grown + grown // len(self.rounds.iterations)

    # ------------------------------------------------------------------ what the method asks for

    def _make_stage(self, steps: Sequence[Step]) -> Stage:
        env: dict[str, str] = {}
        for step in steps:
            env |= engine_defaults(step.model.engine, step.model.env) | dict(step.model.env)
        env = env | dict(self._work.env) | PYTHON_OBJECTS_IN_THE_HEAP
        if self._tracer is not None and self._trace is not None:
            confined = any(mode_of(step.model) != "off" for step in steps)
            env = self._tracer.environment(self._trace, env, confined=confined)
        self._stage = Stage(
            env,
            self._sampler,
            slot=0,
            heap=True,
            timeout_s=self._work.experiment.timeout_s,
            on_phase=self._on_phase,
            models=[self._writing_the_trace(step.model) for step in steps],
        )
        return self._stage

    def _writing_the_trace(self, model: BoundModel) -> BoundModel:
        """Let a confined worker write into the trace's folder too."""
        if self._trace is None:
            return model
        folders = [*model.sandbox_writes, str(self._trace.parent)]
        return msgspec.structs.replace(model, sandbox_writes=folders)

    def _on_phase(self, _stage: Stage, _draft: StepDraft | None, phase: str) -> None:
        self.rounds.phase = phase

    def _infer(self, stage: Stage, draft: StepDraft) -> None:
        step = draft.step
        audio = self._work.audio[step.sample.name].audio if step.sample else None
        options = {**step.options, "repeat": {"calls": self._calls}} if self._work.calls else step.options
        job = Job(step.task, audio, self._texts.of(step), step.model.language, options)
        stage.infer(draft, job, lambda _: None)
        if isinstance(draft.result, Transcript):
            self._texts.heard(draft.result)
