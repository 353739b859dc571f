"""What speaks against one piece of a recording: an engine's warnings, and times that cannot be.

Engines answer for a piece with text and words, and may say what is wrong with them. None of that is lost: it goes into
the document, with the place in the recording, and from there to people and journals.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from orchestrator_worker.results import Word

LATE_END_MS = 1000
"""A last word may end so much after the audio: recognisers pad what they hear. It is cut off at the end."""


class PieceWarning(msgspec.Struct, frozen=True):
    """A sentence about one piece. Milliseconds from the recording's start.

    A ``warning`` speaks against a result that is in the document; by an ``error`` a part of the piece's result is
    missing there.
    """

    start_ms: int
    end_ms: int
    model: str
    text: str
    kind: Literal["warning", "error"] = "warning"


def impossible_times(words: Sequence[Word], length_ms: int) -> str:
    """Return in words which time cannot be, in a piece of ``length_ms``; empty when all can.

    Times are from the piece's start: not before it, not after its end, no word ends before it starts, and none starts
    before the one before it.
    """
    before_ms = 0
    for word in words:
        start_ms, end_ms = word.start_ms, word.end_ms
        said = f"{word.text!r} from {start_ms} to {end_ms} ms"
        if not start_ms >= 0 or not end_ms >= start_ms:  # so that no comparison lets NaN through
            return f"{said} is no stretch of time"
        if not start_ms <= length_ms or not end_ms <= length_ms + LATE_END_MS:
            return f"{said} lies outside the piece, which is {length_ms} ms long"
        if start_ms < before_ms:
            return f"{said} starts before the word before it, at {before_ms} ms"
        before_ms = start_ms
    return ""


def placed(words: Iterable[Word], start_ms: int, end_ms: int) -> list[Word]:
    """Return the words of a piece with times that count from the recording's start; none ends after the piece."""
    return [
        Word(word.text, word.start_ms + start_ms, min(word.end_ms + start_ms, end_ms), word.timing)
        for word in words
    ]


def told(warnings: Iterable[PieceWarning]) -> list[str]:
    """Return the warnings as lines for people, those that differ only in the piece as one.

    Example: ``warning, 0:30 to 1:00 (asr-small): the context is full``.
    """
    pieces: dict[tuple[str, str, str], list[PieceWarning]] = {}
    for each in warnings:
        pieces.setdefault((each.kind, each.model, each.text), []).append(each)
    return [
        f"{kind}, {_place(alike[0])}{_more(alike)} ({model}): {text}"
        for (kind, model, text), alike in pieces.items()
    ]


def _place(warning: PieceWarning) -> str:
    return f"{_clock(warning.start_ms)} to {_clock(warning.end_ms)}"


def _more(alike: Sequence[PieceWarning]) -> str:
    more = len(alike) - 1
    return "" if not more else f" and {more} more piece{'s' if more > 1 else ''}"


def _clock(time_ms: int) -> str:
    minutes, seconds = divmod(time_ms // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
