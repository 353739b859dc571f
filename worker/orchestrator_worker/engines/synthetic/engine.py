"""An engine without a model that behaves exactly as told: the ground truth for all that we claim to measure.

It leaks, pools, fragments, stalls and crashes for real, at rates that are options (:mod:`.options`
has the table, :mod:`.faults` the faults), and deterministically: the same options and seed do the
same in every process. This file has the order of events; :mod:`.memory` has what they cost.

A job::

    started ─ memory of the job ─ first_token_ms ─ token ─ token_ms ─ token … ─ peak_ms ─ job_ms ─ result
                                                     └ memory of the token, then the chunk is sent

``synthetic`` has no ``restart``; ``synthetic-restart`` is the same engine with one.
"""

from __future__ import annotations

import _socket as socket  # the bare one: the whole would bring modules that no other worker needs
import mmap
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from orchestrator_worker.audio import open_audio
from orchestrator_worker.engines.base import Emit, Engine, EngineError, JobCancelledError
from orchestrator_worker.engines.options import read_options
from orchestrator_worker.engines.synthetic.blocks import Region, source
from orchestrator_worker.engines.synthetic.faults import Faults, When
from orchestrator_worker.engines.synthetic.memory import Event, make_behaviours
from orchestrator_worker.engines.synthetic.options import SyntheticJobOptions, SyntheticOptions
from orchestrator_worker.protocol import Job, ModelSpec
from orchestrator_worker.results import Alignment, Plain, Result, Transcript, Word

DIGEST_MARK = "{digest}"
"""In a text, what the audio's digest stands for."""
FIXED_TEXT = "The quick brown fox jumps over the lazy dog."
WORD_MS = 300
SLICE_S = 0.01


class Life:
    """What one model is in this process, across loads: its counts, its faults, the memory that stays."""

    def __init__(self, options: SyntheticOptions) -> None:
        """Start with nothing done."""
        self.options = options
        self.jobs = 0
        self._counts: dict[When, int] = {}
        self._faults = Faults(options.faults, "engine synthetic: faults")
        self._behaviours = make_behaviours(options)

    def begin(self, when: When) -> None:
        """Count an event and commit the faults that are due with it."""
        self._counts[when] = self._counts.get(when, 0) + 1
        self._faults.strike(when, self._counts[when])

    def strike_after(self, tokens: int, of_job: Faults) -> None:
        """Commit the model's and the job's faults that are due after so many tokens of the current job."""
        self._faults.strike("run", self.jobs, tokens)
        of_job.strike("run", self.jobs, tokens)

    def happen(self, event: Event, job: int) -> None:
        """Let the memory behaviours react."""
        for behaviour in self._behaviours:
            if behaviour.when == event:
                behaviour.react(job)


_lives: dict[tuple[str, bytes], Life] = {}


def life_of(model: ModelSpec) -> Life:
    """Return the life of ``model`` in this process, begun at its first use.

    Raises:
        EngineError: The options are wrong; all mistakes are named.
    """
    key = (model.name, msgspec.json.encode(model.options, order="deterministic"))
    if key not in _lives:
        _lives[key] = Life(read_options(model.options, SyntheticOptions, "engine synthetic"))
    return _lives[key]


class TimeSpender:
    """Spends time against a schedule, so that delays do not add up."""

    def __init__(self, *, spin: bool, cancelled: Callable[[], bool]) -> None:
        self._spin = spin
        self._cancelled = cancelled
        self._due_s = time.monotonic()

    def spend(self, milliseconds: float) -> None:
        """Work until ``milliseconds`` after the end of the step before; look for a cancel every 10 ms.

        Raises:
            JobCancelledError: The parent asked for it.
        """
        self._due_s += milliseconds / 1000
        while True:
            if self._cancelled():
                raise JobCancelledError("the job was cancelled")
            left_s = self._due_s - time.monotonic()
            if left_s <= 0:
                return
            _work(min(left_s, SLICE_S), spin=self._spin)


def _work(seconds: float, *, spin: bool) -> None:
    if not spin:
        time.sleep(seconds)
        return
    ends_s = time.monotonic() + seconds
    while time.monotonic() < ends_s:
        pass


class SyntheticEngine(Engine):
    """Does what its options say."""

    name = "synthetic"
    tasks = ("asr", "align", "synthetic")
    summary = "no model: leaks, works and fails as its options say; the ground truth of the measurements"
    aborts = True

    _life: Life
    _base: Region | None = None
    _left_by_load: object = None

    @classmethod
    def check(cls, model: ModelSpec) -> None:
        """Read the options and commit the faults of ``import-check``."""
        life_of(model).begin("import-check")

    @classmethod
    def may_fork(cls, model: ModelSpec) -> bool:
        """Return what the options say."""
        return life_of(model).options.may_fork

    @classmethod
    def memory_estimate(cls, model: ModelSpec) -> int | None:
        """Return the size of the base, in bytes."""
        return int(life_of(model).options.base_kib * 1024)

    def load(self, model: ModelSpec) -> Mapping[str, Any]:
        """Read the options, take the base."""
        life = self._life = life_of(model)
        options = life.options
        life.begin("load")
        TimeSpender(spin=options.work == "spin", cancelled=lambda: False).spend(options.load_ms)
        life.happen("load", life.jobs + 1)
        if options.base_kib:
            self._base = Region(source(options.transient_source), options.base_kib)
        self._left_by_load = _leave_behind(options.load_leaves)
        return {"seed": options.seed, "jobs_before": life.jobs}

    def run(self, job: Job, emit: Emit) -> Result:
        """Go through the job as the drawing in the module's docstring shows."""
        life, options = self._life, self._life.options
        faults = _faults_of(job)
        text = _text(job, options)
        spender = TimeSpender(spin=options.work == "spin", cancelled=lambda: emit.cancelled)
        life.jobs += 1
        life.happen("job", life.jobs)
        for index, chunk in enumerate(split_text(text, options.tokens)):
            life.strike_after(index, faults)
            spender.spend(options.token_ms if index else options.first_token_ms)
            life.happen("token", life.jobs)
            if chunk:
                emit(chunk, final=index == options.tokens - 1)
        life.strike_after(options.tokens, faults)
        self._hold_peak(spender)
        spender.spend(options.job_ms)
        return _result(job, text, life.jobs, options)

    def _hold_peak(self, spender: TimeSpender) -> None:
        options = self._life.options
        if not options.peak_kib:
            return
        peak = Region(source(options.transient_source), options.peak_kib)
        try:
            spender.spend(options.peak_ms)
        finally:
            peak.free()

    def unload(self) -> None:
        """Free the base; what leaked stays."""
        self._life.begin("unload")
        if self._base:
            self._base.free()


class SyntheticRestartEngine(SyntheticEngine):
    """The synthetic engine with a ``restart``."""

    name = "synthetic-restart"
    summary = "synthetic, with a restart()"

    def restart(self) -> None:
        """Reset nothing, there is nothing; lose what a restart is told to lose."""
        self._life.begin("restart")
        self._life.happen("restart", self._life.jobs + 1)


def _leave_behind(what: str) -> object:
    """Return something that a fork of this process would not have, or would share."""
    match what:
        case "thread":
            thread = threading.Thread(target=threading.Event().wait, daemon=True)
            thread.start()
            return thread
        case "socket":
            return socket.socket(socket.AF_UNIX)
        case "shared":
            return mmap.mmap(-1, mmap.PAGESIZE)
        case _:
            return None


def split_text(text: str, parts: int) -> list[str]:
    """Cut ``text`` into ``parts`` pieces as even as can be; joined they are the text again."""
    return [text[index * len(text) // parts : (index + 1) * len(text) // parts] for index in range(parts)]


def space_words(words: list[str], duration_ms: int) -> list[Word]:
    """Give every word the same share of ``duration_ms``."""
    count = len(words)
    return [
        Word(word, index * duration_ms // count, (index + 1) * duration_ms // count)
        for index, word in enumerate(words)
    ]


def _shifted(words: list[Word], by_ms: float) -> list[Word]:
    """Return words that start later, or earlier; a time may come out as any float, as engines' own do."""
    shift: Any = by_ms
    return [Word(word.text, word.start_ms + shift, word.end_ms + shift) for word in words] if by_ms else words


def _faults_of(job: Job) -> Faults:
    fault = read_options(job.options, SyntheticJobOptions, "engine synthetic: job").fault
    tables: list[dict[str, Any]] = (
        [] if fault is None else [{"how": fault} if isinstance(fault, str) else fault]
    )
    return Faults(tables, "engine synthetic: job: fault")


def _text(job: Job, options: SyntheticOptions) -> str:
    if job.task == "align" and not (job.text or "").split():
        raise EngineError("engine synthetic: align needs a text with at least one word")
    if options.text is not None and job.task != "align":
        return (
            options.text.replace(DIGEST_MARK, _digest(job)) if DIGEST_MARK in options.text else options.text
        )
    return job.text or FIXED_TEXT


def _digest(job: Job) -> str:
    """Return eight hexadecimal digits that stand for the bytes of the job's audio file."""
    if job.audio is None:
        raise EngineError(f"engine synthetic: {DIGEST_MARK} in the text needs a job with audio")
    import hashlib

    with open_audio(job.audio.path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:8]


def _result(job: Job, text: str, number: int, options: SyntheticOptions) -> Result:
    warnings = [] if options.warning is None else [options.warning]
    if job.task == "asr":
        return Transcript(text, job.language, warnings=warnings)
    if job.task == "align":
        words = text.split()
        audio = job.audio
        duration_ms = audio.samples * 1000 // audio.sample_rate if audio else WORD_MS * len(words)
        return Alignment(_shifted(space_words(words, duration_ms), options.words_from_ms), warnings=warnings)
    return Plain({"job": number, "text": text})
