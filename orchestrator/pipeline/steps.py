"""What a pipeline does, one step at a time. A step is anything that can be called as ``step(document, work)``.

Each class here is such a step and can be called alone::

    recording = Recording("talk.mp4", cache_dir)
    document = Recognize("asr-small")(Document.of(recording), Work(recording, pool))

Jobs of one step run next to each other on the pool; a step begins when the one before has ended, so that a machine
with room for one model loads each of them once per recording.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from orchestrator.pipeline.document import Document, Segment
from orchestrator.pipeline.piece_warnings import PieceWarning, impossible_times, placed
from orchestrator.pipeline.recording import LONGEST_PIECE_S, AudioPiece
from orchestrator.pipeline.work import Work
from orchestrator.pool.jobs import Transcribe
from orchestrator_worker.results import Word

if TYPE_CHECKING:
    from orchestrator.text.chinese import ChineseText


class Step(Protocol):
    """One step of a pipeline. Raises what the pool raises; never returns half a document."""

    def __call__(self, document: Document, work: Work) -> Document:
        """Return the document with this step done."""
        ...


@dataclass(frozen=True, slots=True)
class Recognize:
    """Speech to text, piece by piece. Replaces the document's segments.

    Args:
        model: A model of the pool that does ``asr``.
        language: Overrides the model's.
        longest_s: Recordings longer than this are cut where nobody speaks.
        options: Of the task.
    """

    model: str
    language: str | None = None
    longest_s: float = LONGEST_PIECE_S
    options: dict[str, Any] = field(default_factory=dict[str, Any])

    def __call__(self, document: Document, work: Work) -> Document:
        """Return the document with the text of every piece in which something was heard."""
        taken: list[AudioPiece] = []
        jobs = (
            self._job(piece, taken) for piece in work.recording.cut(self.longest_s, work.refuse_cancelled)
        )
        segments: list[Segment] = []
        warnings: list[PieceWarning] = []
        starts = (piece.start_ms for piece in taken)
        with closing(work.results(jobs, text_from=starts)) as results:
            for number, result in enumerate(results):
                piece = _Piece(self.model, taken[number].start_ms, taken[number].end_ms)
                words = piece.words(result, warnings)
                work.progress.reached(piece.end_ms)
                if result.text.strip():
                    segments.append(_segment(piece, result, words))
        notes = (
            [] if segments else ["no text came of it: see the warnings" if warnings else "nothing was heard"]
        )
        notes += [
            f"a cut at {piece.end_ms / 1000:.1f} s lies within speech: nobody paused for {2 * self.longest_s:g} s"
            for piece, after in pairwise(taken)
            if piece.cut_in_speech and piece.end_ms == after.start_ms
        ]
        return msgspec.structs.replace(
            document,
            segments=segments,
            notes=[*document.notes, *notes],
            warnings=[*document.warnings, *warnings],
        )

    def _job(self, piece: AudioPiece, taken: list[AudioPiece]) -> Transcribe:
        job = Transcribe(self.model, piece.audio, self.language, options=self.options)
        # What is kept of a piece is its place: its samples belong to the job and go with it.
        taken.append(AudioPiece(piece.start_ms, piece.end_ms, "", piece.cut_in_speech))
        return job


@dataclass(frozen=True, slots=True)
class WriteChinese:
    """Chinese as it is read: Taiwan's characters and words, then numbers in digits. Other languages stay.

    Words that have times are rewritten with the text: 内 and 存 become one word, 記憶體, with the time of both.

    Args:
        conversion: ``zh-TW``: both; ``itn``: digits only.
    """

    conversion: ChineseText = "zh-TW"

    def __call__(self, document: Document, work: Work) -> Document:
        """Return the document with Chinese rewritten; ``heard`` stays, and ``zh_tw`` has the form without digits."""
        del work
        return msgspec.structs.replace(document, segments=[self._written(each) for each in document.segments])

    def _written(self, segment: Segment) -> Segment:
        from orchestrator.text.chinese import write_chinese  # noqa: PLC0415 - dictionaries, only where needed
        from orchestrator.text.word_times import rewritten_words  # noqa: PLC0415

        written = write_chinese(segment.text, segment.language, self.conversion)
        if written is None:
            return segment
        words = rewritten_words(segment.words, segment.text, written.itn)
        return msgspec.structs.replace(segment, text=written.itn, zh_tw=written.zh_tw, words=words)


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Change the text of every segment by a function of your own; what was ``heard`` stays."""

    change: Callable[[str], str]

    def __call__(self, document: Document, work: Work) -> Document:
        """Return the document with changed text."""
        del work
        segments = [
            msgspec.structs.replace(segment, text=self.change(segment.text)) for segment in document.segments
        ]
        return msgspec.structs.replace(document, segments=segments)


@dataclass(frozen=True, slots=True)
class _Piece:
    """The place of one job's audio in the recording, and the model that worked on it."""

    model: str
    start_ms: int
    end_ms: int

    def words(self, result: Any, warnings: list[PieceWarning]) -> list[Word]:
        """Return the words with the recording's times; none when their times cannot be. Adds what is to be said."""
        warnings += [
            PieceWarning(self.start_ms, self.end_ms, self.model, sentence) for sentence in result.warnings
        ]
        problem = impossible_times(result.words, self.end_ms - self.start_ms)
        if not problem:
            return placed(result.words, self.start_ms, self.end_ms)
        said = f"its times cannot be and are left out: {problem}"
        warnings.append(PieceWarning(self.start_ms, self.end_ms, self.model, said, "error"))
        return []


def _segment(piece: _Piece, result: Any, words: list[Word]) -> Segment:
    text = result.text.strip()
    return Segment(piece.start_ms, piece.end_ms, text, text, result.language, words)
