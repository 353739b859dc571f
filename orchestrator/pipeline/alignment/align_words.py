"""The step that gives every word its time. What cannot be aligned costs its piece, never the recording."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from orchestrator.errors import JobError, OrchestratorError, WorkerError
from orchestrator.pipeline.alignment.speech import with_speech
from orchestrator.pipeline.alignment.summary import sentence, summary
from orchestrator.pipeline.alignment.word_times import all_timed
from orchestrator.pipeline.document import Document, Segment
from orchestrator.pipeline.piece_warnings import PieceWarning, impossible_times, placed
from orchestrator.pipeline.work import Work
from orchestrator.pool.jobs import Align
from orchestrator_worker.results import Word

MOST_DEATHS = 3
"""Pieces whose worker died or hung, twice each: then it is the aligner, and the rest is interpolated without it."""


def never(_: OrchestratorError) -> bool:
    """Let no error end the work."""
    return False


@dataclass(frozen=True, slots=True)
class AlignWords:
    """Give every word its time, piece by piece, from the segments' text.

    A piece that cannot be aligned is interpolated: its words share the time in which somebody speaks. Each such word
    says so (``timing``), and the document says how many there are (``alignment``) and why (``warnings``). A piece whose
    worker dies or hangs is tried once more first.

    Args:
        model: A model of the pool that does ``align``.
        language: Overrides what the engine detected, and the model's.
        options: Of the task.
        ends_on: Whether an error of a piece ends the work: it would be that of every other piece, too.
    """

    model: str
    language: str | None = None
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    ends_on: Callable[[OrchestratorError], bool] = never

    def __call__(self, document: Document, work: Work) -> Document:
        """Return the document with the words of every segment that has text.

        Raises:
            OrchestratorError: The aligner cannot be had at all: not installed, out of use, the pool closed. Or
                ``ends_on`` says so of a piece's error.
        """
        spans = work.recording.speech(work.refuse_cancelled) if document.segments else ()
        document = with_speech(document, spans)
        warnings = list(document.warnings)
        with closing(self._outcomes(document.segments, work)) as outcomes:
            segments = [
                all_timed(segment, self._found(segment, outcome, warnings))
                for segment, outcome in zip(document.segments, outcomes, strict=True)
            ]
        counts = summary(segments)
        notes = [sentence(counts)] if counts.aligned < counts.words + counts.skipped else []
        return msgspec.structs.replace(
            document,
            segments=segments,
            notes=[*document.notes, *notes],
            warnings=warnings,
            alignment=counts,
        )

    def _outcomes(self, segments: Sequence[Segment], work: Work) -> Generator[Any]:
        """Yield what became of each segment: a result, or what a job of its own raised."""
        deaths = 0
        jobs = (self._job(segment, work) for segment in segments)
        with closing(work.outcomes(jobs)) as outcomes:
            for segment, outcome in zip(segments, outcomes, strict=True):
                if isinstance(outcome, WorkerError) and deaths < MOST_DEATHS:
                    again = work.outcome(self._job(segment, work))
                    deaths += isinstance(again, WorkerError)
                    yield again
                else:
                    yield outcome
                work.progress.reached(segment.end_ms)

    def _job(self, segment: Segment, work: Work) -> Align:
        audio = work.recording.part(segment.start_ms, segment.end_ms).audio
        heard = segment.language
        return Align(
            self.model, audio, segment.text, self.language, options=self.options, text_language=heard
        )

    def _found(self, segment: Segment, outcome: Any, warnings: list[PieceWarning]) -> list[Word]:
        """Return the words of one job, none when it failed or its times cannot be. Adds what is to be said."""

        def warn(text: str, kind: Literal["warning", "error"] = "error") -> None:
            warnings.append(PieceWarning(segment.start_ms, segment.end_ms, self.model, text, kind))

        if isinstance(outcome, OrchestratorError):
            if self.ends_on(outcome):
                raise outcome
            warn(f"not aligned, its times are interpolated: {_reason(outcome)}")
            return []
        for sentence_of_engine in outcome.warnings:
            warn(sentence_of_engine, "warning")
        problem = impossible_times(outcome.words, segment.end_ms - segment.start_ms)
        if problem:
            warn(f"its times cannot be, and are interpolated: {problem}")
            return []
        return placed(outcome.words, segment.start_ms, segment.end_ms)


def _reason(error: OrchestratorError) -> str:
    return error.message if isinstance(error, JobError) else str(error).splitlines()[0]
