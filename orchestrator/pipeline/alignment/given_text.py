"""The step that takes a text as known: what is said is given, when it is said is to be found."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from orchestrator.errors import EngineUnavailableError, ModelOutOfUseError, OrchestratorError
from orchestrator.pipeline.alignment.anchors import LEAST_SHARE, divide
from orchestrator.pipeline.document import Document, Segment
from orchestrator.pipeline.recording import LONGEST_PIECE_S, AudioPiece
from orchestrator.pipeline.scripts import without_marks
from orchestrator.pipeline.work import Work
from orchestrator.pool.jobs import Transcribe

MOST_WORDS_PER_S = 6
"""Nobody says more: of a text that has more, only a part is said."""
SHOWN_WORDS = 6


@dataclass(frozen=True, slots=True)
class GivenText:
    """What is said is known. For :class:`AlignWords`, which wants to know in which piece of the recording.

    A short recording is one piece. A long one is cut where nobody speaks, and a recogniser hears which part of the text
    is said in each piece; without a recogniser the text is divided by the length of the pieces.

    Args:
        text: What is said. Byte-order marks in it are left out.
        language: Of the text.
        model: A model of the pool that does ``asr``.
        longest_s: Recordings longer than this are cut.
    """

    text: str
    language: str | None = None
    model: str | None = None
    longest_s: float = LONGEST_PIECE_S

    def __call__(self, document: Document, work: Work) -> Document:
        """Return the document with this text and nothing else."""
        text = " ".join(without_marks(self.text).split())
        seconds = work.recording.duration_ms / 1000
        crammed = len(text.split()) > MOST_WORDS_PER_S * max(1.0, seconds)
        if seconds <= self.longest_s and not crammed:
            segment = Segment(0, work.recording.duration_ms, text, text, self.language)
            return msgspec.structs.replace(document, segments=[segment])
        taken: list[AudioPiece] = []
        heard, problem = self._heard(work, taken)
        if not taken:
            segment = Segment(0, work.recording.duration_ms, text, text, self.language)
            notes = [problem or "nobody speaks, by the voice activity detector"]
            return msgspec.structs.replace(document, segments=[segment], notes=[*document.notes, *notes])
        division = divide(text, heard, [piece.end_ms - piece.start_ms for piece in taken])
        segments = [
            Segment(piece.start_ms, piece.end_ms, part, part, self.language)
            for piece, part in zip(taken, division.pieces, strict=True)
            if part
        ]
        notes = _notes(division.fits, division.unsaid, problem)
        return msgspec.structs.replace(
            document, segments=_with_unsaid(segments, division.unsaid), notes=[*document.notes, *notes]
        )

    def _heard(self, work: Work, taken: list[AudioPiece]) -> tuple[list[str], str]:
        """Return what was heard in each piece, and why nothing was. ``taken`` gets the pieces."""
        pieces = work.recording.cut(self.longest_s, work.refuse_cancelled)

        def jobs() -> Iterator[Transcribe]:
            for piece in pieces:
                taken.append(AudioPiece(piece.start_ms, piece.end_ms, ""))
                yield Transcribe(self.model or "", piece.audio, self.language)

        try:
            if self.model is not None:
                outcomes = list(work.outcomes(jobs()))
                return ["" if isinstance(one, OrchestratorError) else one.text for one in outcomes], ""
            problem = "no recogniser was there to hear which part of it is said where"
        except (EngineUnavailableError, ModelOutOfUseError) as error:
            problem = str(error).splitlines()[0]
        with contextlib.suppress(EngineUnavailableError):
            taken += [AudioPiece(piece.start_ms, piece.end_ms, "") for piece in pieces]
        return ["" for _ in taken], problem


def _with_unsaid(segments: Sequence[Segment], unsaid: Sequence[str]) -> list[Segment]:
    """Keep what nobody says with the last segment, as skipped: no word of the text is lost."""
    if not segments or not unsaid:
        return list(segments)
    left = [word for part in unsaid for word in part.split()]
    return [*segments[:-1], msgspec.structs.replace(segments[-1], skipped=left)]


def _notes(fits: float | None, unsaid: Sequence[str], problem: str) -> list[str]:
    notes: list[str] = []
    if fits is None or fits < LEAST_SHARE:
        why = problem or (
            "nothing was heard that could be compared with it"
            if fits is None
            else f"only {100 * fits:.0f} % of what is heard are words of the text: is it another text?"
        )
        notes.append(f"the text was divided by the length of the pieces: {why}")
    for part in unsaid:
        words = part.split()
        shown = " ".join(words[:SHOWN_WORDS]) + (" …" if len(words) > SHOWN_WORDS else "")
        notes.append(f"{len(words)} words of the text are not said in the recording: {shown}")
    return notes
