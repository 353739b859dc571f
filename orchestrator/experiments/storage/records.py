"""What a run keeps, as frozen types. Sizes are bytes, times seconds, unless the name says otherwise.

``iterations.jsonl`` holds one :data:`Entry` a line, written before the next iteration begins. Everything that is
shown or judged later is computed from these entries; nothing is kept that can be computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from orchestrator.process.memory import Memory

RECORDS_SCHEMA = 2

Boundary = Literal["before_load", "after_load", "after_infer", "after_unload", "after_trim"]
Outcome = Literal["completed", "crashed", "failed", "timeout", "unavailable", "interrupted"]
PeakSource = Literal["VmHWM", "sampled"]
WorkerStart = Literal["exec", "fork", "warm"]
"""How a worker's process began: as a new interpreter, as a copy of a fork server, or of a template with its model."""

NOT_POSSIBLE = "not possible: "
"""Words before the reason why a model cannot be treated as a method does, whatever is installed."""


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """Base of all records. Fields at their default are left out of the file."""


class Reading(Memory, frozen=True, kw_only=True, omit_defaults=True):
    """Memory at one boundary, read from outside while the worker stood still; None: the system does not tell.

    The fields of :class:`~orchestrator.process.memory.Memory`, and the C allocator's own view: ``heap_live`` and
    ``heap_held`` in bytes; ``heap_off`` says why there is none.
    """

    heap_live: int | None = None
    heap_held: int | None = None
    heap_off: str | None = None

    @classmethod
    def of(cls, memory: Memory, live: int | None, held: int | None, off: str | None) -> Reading:
        """Return what was read from outside with what the allocator says."""
        return cls(**msgspec.structs.asdict(memory), heap_live=live, heap_held=held, heap_off=off)


def counted(readings: Mapping[Boundary, Reading], boundary: Boundary, start: WorkerStart | None) -> Reading:
    """Return the reading at ``boundary`` as it counts for a worker that began so.

    Of a warm worker it is the pages that nobody else has, all taken for anonymous, and what its heap holds beyond what
    was there when it was forked: the rest is its template's. Where private pages are not known, it is the reading as it
    is.
    """
    reading = readings[boundary]
    if start != "warm" or reading.uss is None:
        return reading
    forked = readings.get("before_load", reading)
    return msgspec.structs.replace(
        reading,
        rss=reading.uss,
        rss_anon=None if reading.rss_anon is None else reading.uss,
        rss_file=None if reading.rss_file is None else 0,
        rss_shmem=None if reading.rss_shmem is None else 0,
        heap_live=_since(reading.heap_live, forked.heap_live),
        heap_held=_since(reading.heap_held, forked.heap_held),
    )


def _since(now: int | None, before: int | None) -> int | None:
    return None if now is None else max(0, now - (before or 0))


class Phases(Record, frozen=True):
    """Seconds each phase of a step took; None: the phase did not happen in this iteration.

    ``load_s`` and ``infer_s`` are stamped inside the worker, ``spawn_s`` and ``exit_s`` by the parent.
    """

    spawn_s: float | None = None
    load_s: float | None = None
    infer_s: float | None = None
    unload_s: float | None = None
    exit_s: float | None = None


class AlignedWord(Record, frozen=True):
    """One word of an alignment; milliseconds from the start of the audio."""

    text: str
    start_ms: int
    end_ms: int


class TemplateRecord(Record, frozen=True):
    """The process that a warm step's workers are forked from, when it could be forked for the first time.

    ``load_s`` is how long the engine loaded, ``start_s`` how long it was from its start until it could be forked,
    ``memory`` what it held then: it is there once for all workers.
    """

    load_s: float
    start_s: float
    memory: Memory


class StepRecord(Record, frozen=True):
    """One step of one iteration.

    ``ttft_ms`` runs to the first text chunk; ``speed_chars_per_s`` is None when all text came in one chunk;
    ``rtf`` is seconds of inference per second of audio. ``wer_percent`` and ``cer_percent`` are None without a
    reference, and for alignments; ``normalization`` says what was done to both sides. ``text`` is the engine's own;
    for Chinese ``text_zh_tw`` is how it was shown while it came and ``text_itn`` its final form, the one that was
    compared (None for other languages, see :mod:`orchestrator.text.chinese`). ``warnings`` are the engine's words
    about what speaks against the result. ``start`` is how the process of this ``generation`` was started, asked
    of each anew; None in entries from before it was kept. ``jobs`` is how many the load did: with several the times,
    the text and the reading after infer are those of the last. ``template`` is told in the step before which it was
    started.
    """

    model: str
    label: str
    engine: str
    task: str
    generation: int
    readings: dict[Boundary, Reading]
    phases: Phases
    chunks: int = 0
    ttft_ms: float | None = None
    speed_chars_per_s: float | None = None
    rtf: float | None = None
    text: str | None = None
    text_zh_tw: str | None = None
    text_itn: str | None = None
    wer_percent: float | None = None
    cer_percent: float | None = None
    normalization: str | None = None
    words: list[AlignedWord] = []
    skipped_words: list[str] = []
    warnings: list[str] = []
    reset: Literal["restart", "none"] | None = None
    facts: dict[str, Any] = {}
    start: WorkerStart | None = None
    jobs: int = 1
    template: TemplateRecord | None = None


class IterationRecord(Record, frozen=True, tag="iteration"):
    """One iteration: all steps done once.

    ``memory`` is the RSS at the method's own boundary (after unload for recreate and recycle, after infer for
    restart and reuse). ``peak`` is the highest RSS of the worker during the iteration, ``tree_peak`` the same with
    its descendants. Of warm workers all three count private pages, without those shared with their template. ``life``
    counts iterations since the worker's start. ``machine_load`` is the system's load average over the last minute: how
    busy everybody was.
    """

    experiment: str
    series: str
    iteration: int
    life: int
    memory: int
    peak: int
    peak_source: PeakSource
    tree_peak: int
    steps: list[StepRecord]
    started_at: str
    machine_load: float | None = None


class SeriesStart(Record, frozen=True, tag="series-start"):
    """A series begins. A second start of the same series voids the entries before it from ``first_iteration`` on.

    ``first_iteration`` is 1, or where a resumed baseline goes on; ``reason`` says why a series starts again.
    ``abandoned`` says by role why models are abandoned and not destroyed.
    """

    experiment: str
    series: str
    first_iteration: int = 1
    reason: str = ""
    abandoned: dict[str, str] = {}


class SeriesEnd(Record, frozen=True, tag="series-end"):
    """How a series ended.

    For a series that did not complete, ``iteration`` and ``phase`` say where, ``cause`` what (``SIGABRT``,
    ``exit code 3``, an exception …), ``stderr_tail`` what the worker printed last, ``how_to_get_it`` how to get
    what was missing and ``partial`` what had been read of the unfinished iteration's steps.
    ``before_trim`` and ``after_trim`` frame the one heap trim after the last reading. ``settled`` is the answer
    for which a series was stopped early, ``saved`` how many of the planned iterations that spared. ``cut_short`` says
    why a series that could have gone on did not. ``not_possible``: nothing is missing, its model cannot be treated so.
    """

    experiment: str
    series: str
    outcome: Outcome
    iterations: int
    iteration: int | None = None
    phase: str | None = None
    cause: str | None = None
    how_to_get_it: str = ""
    stderr_tail: str = ""
    partial: list[StepRecord] = []
    before_trim: Reading | None = None
    after_trim: Reading | None = None
    trimmed: bool | None = None
    unclean_exits: list[str] = []
    missed_samples: int = 0
    elapsed_s: float = 0.0
    settled: Literal["leak", "clean"] | None = None
    saved: int = 0
    cut_short: str = ""
    not_possible: bool = False

    @property
    def sentence(self) -> str:
        """The outcome in words, such as ``crashed at iteration 3 in phase unload: SIGABRT``."""
        if self.settled is not None:
            planned = self.iterations + self.saved
            saved = f"{self.saved} iteration{'s' if self.saved != 1 else ''} saved"
            return f"settled as {self.settled} after {self.iterations} of {planned} iterations: {saved}"
        if self.outcome == "completed" and self.cut_short:
            return (
                f"completed {self.iterations} of {self.iterations + self.saved} iterations: {self.cut_short}"
            )
        if self.outcome == "completed":
            return f"completed {self.iterations} iterations"
        if self.outcome == "unavailable":
            return f"{NOT_POSSIBLE if self.not_possible else 'unavailable: '}{self.cause}"
        where = f" at iteration {self.iteration}" if self.iteration else ""
        where += f" in phase {self.phase}" if self.phase else ""
        return f"{self.outcome}{where}" + (f": {self.cause}" if self.cause else "")


Entry = IterationRecord | SeriesStart | SeriesEnd


class SampleFile(Record, frozen=True):
    """A sample as it was used. ``state`` tells our own recording (``as shipped``) from a ``modified sample``."""

    name: str
    audio: str
    sha256: str
    seconds: float
    state: Literal["as shipped", "modified sample", "user's own"]
    conversion: str = ""
    reference: str | None = None


class SeriesRecords(Record, frozen=True):
    """All that is known of one series of one experiment, collected from the entries.

    ``abandoned`` says by role why its models were abandoned and not destroyed.
    """

    experiment: str
    series: str
    iterations: list[IterationRecord]
    end: SeriesEnd | None
    restarts: list[str] = []
    abandoned: dict[str, str] = {}

    @property
    def worker_starts(self) -> set[WorkerStart]:
        """How the series' processes began; empty where none got as far as a step."""
        steps = [step for record in self.iterations for step in record.steps]
        steps += self.end.partial if self.end else []
        return {step.start for step in steps if step.start is not None}


def abandoned_words(abandoned: Mapping[str, str]) -> str:
    """Return in words why models of a series are abandoned, such as ``destroy aborts (SIGABRT); …``; or nothing."""
    reasons: dict[str, list[str]] = {}
    for role, why in abandoned.items():
        reasons.setdefault(why, []).append(role)
    if not reasons:
        return ""
    if len(reasons) == 1:
        said = next(iter(reasons))
    else:
        said = "; ".join(f"{', '.join(roles)}: {why}" for why, roles in reasons.items())
    return f"{said}; each model is abandoned in its place: left where it is, and the next one made"
