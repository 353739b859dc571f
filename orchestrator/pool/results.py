"""What a job gives back: the worker's answer with times and the worker it came from."""

from __future__ import annotations

from typing import Any

import msgspec

from orchestrator_worker.protocol import Done
from orchestrator_worker.results import Alignment, Phone, Plain, Result, Transcript, Word


class WorkerTag(msgspec.Struct, frozen=True):
    """Which process did the job."""

    slot: int
    generation: int
    pid: int
    model: str


class Timings(msgspec.Struct, frozen=True):
    """Seconds. ``run_s`` is the engine's own time, from being handed the input to its return.

    ``first_text_s`` and ``last_text_s`` count from the same moment; None when there was no text. ``waited_s`` is
    from submit to the start of work, the time of earlier attempts included.
    """

    waited_s: float
    run_s: float
    first_text_s: float | None = None
    last_text_s: float | None = None


class Transcription(msgspec.Struct, frozen=True):
    """Result of ``Transcribe``. ``words`` is empty when the engine gives no times.

    ``warnings`` are sentences about what speaks against the result, such as a text that was cut off.
    """

    text: str
    language: str | None
    words: list[Word]
    timings: Timings
    worker: WorkerTag
    warnings: list[str] = []


class AlignmentResult(msgspec.Struct, frozen=True):
    """Result of ``Align``. ``skipped`` lists words of the text that could not be placed.

    ``warnings`` are sentences about what speaks against the result; ``srt`` is the words as SubRip text, when
    the model's ``format`` is ``srt`` and its engine makes it.
    """

    words: list[Word]
    phones: list[Phone]
    skipped: list[str]
    timings: Timings
    worker: WorkerTag
    warnings: list[str] = []
    srt: str | None = None


class Answer(msgspec.Struct, frozen=True):
    """A worker's answer with its result still packed: the caller unpacks it, and alone pays for what is in it."""

    done: Done
    waited_s: float
    worker: WorkerTag


def as_result(answer: Answer, found: Result) -> Any:
    """Return what the caller gets for a worker's answer, whose result is ``found``; of a plain one the value itself."""
    if isinstance(found, Plain):
        return found.value
    done, worker = answer.done, answer.worker
    times = done.times
    timings = Timings(answer.waited_s, done.seconds, times.first_s, times.last_s)
    if isinstance(found, Transcript):
        return Transcription(found.text, found.language, found.words, timings, worker, found.warnings)
    assert isinstance(found, Alignment)
    return AlignmentResult(
        found.words, found.phones, found.skipped, timings, worker, found.warnings, found.srt
    )
