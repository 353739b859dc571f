"""What a pipeline makes of one recording: pieces of text with times, and with words when they were aligned.

A document says what is in the recording and nothing about who made it when, so that the same input and
settings give the same bytes: journals and logs have the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from orchestrator.pipeline.piece_warnings import PieceWarning
from orchestrator.pipeline.scripts import joint
from orchestrator_worker.results import Word

if TYPE_CHECKING:
    from orchestrator.pipeline.recording import Recording


class Segment(msgspec.Struct, frozen=True):
    """One piece of the recording that was transcribed in one job. Milliseconds from the recording's start.

    ``heard`` is the engine's own text, ``text`` what the steps made of it; of Chinese, ``zh_tw`` is the form between
    the two, as it is shown while it comes. ``words`` is empty until an align
    step (or an engine that gives times) has filled it; ``skipped`` lists what has no time: signs that nobody says, and
    words of a given text for which the recording has no room. ``speech`` are the spans in which the voice activity
    detector hears somebody, as pairs of start and end; empty when it was not asked.
    """

    start_ms: int
    end_ms: int
    text: str
    heard: str
    language: str | None = None
    words: list[Word] = []
    skipped: list[str] = []
    zh_tw: str | None = None
    speech: list[tuple[int, int]] = []


class AlignmentSummary(msgspec.Struct, frozen=True):
    """How the words of a document came to their times; counts of words.

    ``aligned`` were found as they are, ``by_rule`` by a pronunciation made by rule, ``widened`` only in a wider search,
    ``interpolated`` share the time between their neighbours. ``skipped`` have no time, and are in no subtitle.
    """

    words: int
    aligned: int
    by_rule: int
    widened: int
    interpolated: int
    skipped: int
    share: float
    """Of the words, skipped ones counted: found in one way or another. 0 to 1."""


class Document(msgspec.Struct, frozen=True):
    """The whole recording. ``source`` is its name as given, ``notes`` are remarks for people.

    ``warnings`` are what engines said against their own results, and results that were refused.
    ``alignment`` is there when an align step was.
    """

    source: str
    duration_ms: int
    segments: list[Segment] = []
    notes: list[str] = []
    warnings: list[PieceWarning] = []
    alignment: AlignmentSummary | None = None

    @classmethod
    def of(cls, recording: Recording) -> Document:
        """Return the document that steps begin with: nothing heard yet, but what is odd about the file is noted."""
        return cls(recording.source, recording.duration_ms, notes=list(recording.remarks))

    @property
    def text(self) -> str:
        """All text; segments joined by a space, without one where Chinese or Japanese meets itself."""
        whole = ""
        for segment in self.segments:
            piece = segment.text.strip()
            whole += piece if not whole or not piece else joint(whole[-1], piece[0]) + piece
        return whole

    @property
    def words(self) -> list[Word]:
        """All words, in order."""
        return [word for segment in self.segments for word in segment.words]

    @property
    def language(self) -> str | None:
        """The first language that an engine named."""
        return next((segment.language for segment in self.segments if segment.language), None)
