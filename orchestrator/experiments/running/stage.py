"""One worker of a series: every phase, with a reading at each boundary while the worker stands still.

A stage replaces its worker on demand (the baseline) or keeps it for a whole series. It says which phase
begins and fills a :class:`~orchestrator.experiments.running.draft.StepDraft`. It decides nothing: the order of the
phases is decided in :mod:`.methods`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.config.model import Model
from orchestrator.experiments.running.draft import StepDraft
from orchestrator.experiments.storage.records import Boundary, Reading, TemplateRecord, counted
from orchestrator.process.dialogue import Dialogue
from orchestrator.process.exit_status import describe_exit
from orchestrator.process.loaded_template import LoadedTemplate
from orchestrator.process.memory import ProcessGoneError, read_boundary, reset_peak
from orchestrator.process.result_values import result_of
from orchestrator.process.sampling.sampler import Sampler
from orchestrator.process.sampling.watch import Watch
from orchestrator_worker.protocol import (
    Chunk,
    Done,
    Heap,
    Job,
    Load,
    Loaded,
    Restart,
    Restarted,
    Run,
    Trace,
    Traced,
    Trim,
    Trimmed,
    Unload,
    Unloaded,
)
from orchestrator_worker.tracing.begin import TracerKey

TRIM_TIMEOUT_S = 60.0
HEAP_SWITCHED_OFF = "switched off"
_PHASE_BEFORE: Mapping[Boundary, str] = {
    "after_load": "load",
    "after_infer": "infer",
    "after_unload": "unload",
}
OBITUARY_TIMEOUT_S = 5.0
PhaseCallback = Callable[["Stage", StepDraft | None, str], None]
"""Told which stage begins which phase of which step."""


@dataclass(frozen=True)
class TrimReadings:
    """Memory before and after the one heap trim of a series; ``trimmed``: the allocator could be asked."""

    before: Reading
    after: Reading
    trimmed: bool


class Stage:
    """At most one live worker. Create one per series, or one per step for the baseline.

    ``generation`` is that of the process before the first one: 0 unless a baseline goes on after a break.
    """

    def __init__(
        self,
        env: Mapping[str, str],
        sampler: Sampler,
        *,
        slot: int,
        heap: bool,
        timeout_s: float,
        on_phase: PhaseCallback,
        generation: int = 0,
        models: Sequence[Model] = (),
    ) -> None:
        """``models`` are those its workers will hold, by which they are confined."""
        self._models = models
        self._env = dict(env)
        self._sampler = sampler
        self._slot = slot
        self._heap_on = heap
        self._timeout_s = timeout_s
        self._on_phase = on_phase
        self._heap: Heap | None = None
        self._command_id = 0
        self._dialogue: Dialogue | None = None
        self._watch: Watch | None = None
        self._peak_is_sampled = False
        self._spawn_s: float | None = None
        self.generation = generation
        self.life = 0

    # ------------------------------------------------------------------ the process

    def load_template(self, draft: StepDraft) -> LoadedTemplate:
        """Load the model of ``draft`` in a template for this stage's workers; tell of it on ``draft``.

        Raises what :class:`~orchestrator.process.loaded_template.LoadedTemplate` does.
        """
        self._on_phase(self, draft, "template")
        model = draft.step.model
        made = LoadedTemplate(model, model.spec(), self._env, slot=self._slot, timeout_s=self._timeout_s)
        draft.template = TemplateRecord(made.load_s, made.start_s, made.memory)
        return made

    def start(self, draft: StepDraft, template: LoadedTemplate | None = None) -> None:
        """Start the next generation. Its spawn time is booked on ``draft``, the step that loads first.

        With a ``template`` it is forked from that, or the template is found dead.
        """
        self.generation += 1
        self.life = 0
        self._on_phase(self, draft, "spawn")
        if template is not None:
            template.check()
        began = time.perf_counter()
        self._dialogue = Dialogue(
            self._env,
            slot=self._slot,
            generation=self.generation,
            heap=self._heap_on,
            models=self._models,
            fork_server=None if template is None else template.process,
        )
        self._spawn_s = time.perf_counter() - began
        if (
            template is not None and self._dialogue.worker.start != "warm"
        ):  # lost meanwhile, so it was executed
            self.kill()
            template.check()
        self._heap = self._dialogue.ready.heap
        self._peak_is_sampled = False  # VmHWM of a fresh process is its own
        with self._explaining_its_death("spawn"):
            self._watch = self._sampler.watch(self._dialogue.worker.pid, self._slot)

    @property
    def alive(self) -> bool:
        """Whether there is a worker."""
        return self._dialogue is not None

    @property
    def watch(self) -> Watch | None:
        """The sampler's view of the live worker."""
        return self._watch

    @property
    def heap_source(self) -> str | None:
        """Where the allocator's view comes from, or why there is none; None before any worker told."""
        if not self._heap_on:
            return HEAP_SWITCHED_OFF
        if self._heap is None:
            return None
        return f"off ({self._heap.off})" if self._heap.off else self._heap.source

    @property
    def stderr_tail(self) -> str:
        """What the live worker has printed last; empty without one."""
        return self._dialogue.worker.stderr_tail if self._dialogue is not None else ""

    def begin_iteration(self) -> None:
        """Forget earlier peaks: VmHWM by the kernel where it lets us, the sampled maximum in any case."""
        self.life += 1
        if self._dialogue is None or self._watch is None:
            return
        if self.life > 1:
            with self._explaining_its_death("load"):
                self._peak_is_sampled = not reset_peak(self._dialogue.worker.pid)
        self._watch.take_peak()

    def stop(self, draft: StepDraft | None = None) -> str | None:
        """End the worker; return the words for an unclean exit, None for a clean one."""
        if self._dialogue is None:
            return None
        self._on_phase(self, draft, "exit")
        began = time.perf_counter()
        status = self._dialogue.stop()
        if draft is not None:
            draft.seconds["exit_s"] = time.perf_counter() - began
        self._forget()
        return describe_exit(status) if status else None

    def kill(self) -> None:
        """End the worker at once; for errors and interrupts. Safe to call again."""
        if self._dialogue is not None:
            self._dialogue.close()
            self._forget()

    def _forget(self) -> None:
        if self._watch is not None:
            self._sampler.unwatch(self._watch)
        self._dialogue = self._watch = None

    # ------------------------------------------------------------------ phases

    def load(self, draft: StepDraft) -> None:
        """Load the step's model; readings before and after."""
        dialogue = self._enter(draft, "load")
        if self._spawn_s is not None:
            draft.seconds["spawn_s"] = self._spawn_s
            self._spawn_s = None
        draft.readings["before_load"] = self.read("load")
        command = Load(self._next_id(), draft.step.model.spec())
        loaded = dialogue.ask(command, Loaded, timeout_s=self._timeout_s, phase="load")
        draft.seconds["load_s"] = loaded.seconds
        draft.facts = loaded.facts
        self._book(draft, "after_load", loaded.heap)

    def infer(self, draft: StepDraft, job: Job, on_chunk: Callable[[Chunk], None]) -> Done:
        """Run one job, streaming its text to ``on_chunk``; a reading after it."""
        dialogue = self._enter(draft, "infer")
        command = Run(self._next_id(), job, stream=True)
        done = dialogue.ask(command, Done, timeout_s=self._timeout_s, phase="infer", on_chunk=on_chunk)
        draft.done, draft.result = done, result_of(done)
        draft.seconds["infer_s"] = done.seconds
        self._book(draft, "after_infer", done.heap)
        return done

    def unload(self, draft: StepDraft, *, abandon: bool = False) -> None:
        """Destroy the engine object, or ``abandon`` it; a reading after it."""
        dialogue = self._enter(draft, "unload")
        command = Unload(self._next_id(), abandon)
        unloaded = dialogue.ask(command, Unloaded, timeout_s=self._timeout_s, phase="unload")
        draft.seconds["unload_s"] = unloaded.seconds
        self._book(draft, "after_unload", unloaded.heap)

    def restart(self, draft: StepDraft) -> None:
        """Reset the engine's context, or learn that it has no such call."""
        dialogue = self._enter(draft, "restart")
        restarted = dialogue.ask(
            Restart(self._next_id()), Restarted, timeout_s=self._timeout_s, phase="restart"
        )
        draft.reset = restarted.reset
        self._heap = restarted.heap

    def trim(self) -> TrimReadings:
        """Ask the allocator to give back what it holds, with a reading on either side."""
        assert self._dialogue is not None
        self._on_phase(self, None, "trim")
        before = self.read("trim")
        trimmed = self._dialogue.ask(Trim(self._next_id()), Trimmed, timeout_s=TRIM_TIMEOUT_S, phase="trim")
        self._heap = trimmed.heap
        return TrimReadings(before, self.read("trim"), trimmed.trimmed)

    def trace(self, file: str | None, most_bytes: int = 0, tracer: TracerKey = "memray") -> str:
        """Have the worker write every allocation from now on to ``file``, or stop with None; return the tracer's name.

        What it measures from then on is the tracer's as well as the engine's, and must not be judged.
        """
        assert self._dialogue is not None
        command = Trace(self._next_id(), file, most_bytes, tracer)
        return self._dialogue.ask(command, Traced, timeout_s=self._timeout_s, phase="trace").tracer

    @property
    def commands(self) -> int:
        """How many commands the stage has given to its workers."""
        return self._command_id

    def _enter(self, draft: StepDraft, phase: str) -> Dialogue:
        assert self._dialogue is not None
        draft.generation = self.generation
        draft.start = self._dialogue.worker.start
        self._on_phase(self, draft, phase)
        return self._dialogue

    def _next_id(self) -> int:
        self._command_id += 1
        return self._command_id

    # ------------------------------------------------------------------ readings

    def read(self, phase: str) -> Reading:
        """Read the worker's memory. It stands still: its last answer is in and nothing was asked since.

        Raises:
            WorkerDiedError: It died all the same, after its answer; ``phase`` is for the error's words.
        """
        assert self._dialogue is not None
        with self._explaining_its_death(phase):
            memory = read_boundary(self._dialogue.worker.pid)
        heap = self._heap
        if heap is None or heap.off is not None:
            return Reading.of(memory, None, None, HEAP_SWITCHED_OFF if heap is None else heap.off)
        return Reading.of(memory, heap.live, heap.held, None)

    @contextlib.contextmanager
    def _explaining_its_death(self, phase: str) -> Generator[None]:
        """Turn "there is no such process" into the error that knows how it ended and what it said last."""
        try:
            yield
        except ProcessGoneError:
            assert self._dialogue is not None
            # The worker has ended: any further command raises WorkerDiedError with the cause.
            command = Trim(self._next_id())
            self._dialogue.ask(command, Trimmed, timeout_s=OBITUARY_TIMEOUT_S, phase=phase)
            raise

    def _book(self, draft: StepDraft, boundary: Boundary, heap: Heap | None) -> None:
        self._heap = heap
        reading = self.read(_PHASE_BEFORE[boundary])
        draft.readings[boundary] = reading
        assert self._watch is not None
        sampled = self._watch.peak_bytes
        by_kernel = reading.peak is not None and not self._peak_is_sampled
        draft.peak_is_sampled = not by_kernel
        peak = reading.peak if reading.peak is not None and by_kernel else max(sampled, reading.rss)
        # Pages shared with the template become private when they are written to, never the other way round: so at the
        # peak at least as many were shared as are now.
        shared = reading.rss - counted(draft.readings, boundary, draft.start).rss
        draft.peak = peak - shared
        draft.tree_peak = max(self._watch.tree_peak_bytes - shared, draft.peak)
