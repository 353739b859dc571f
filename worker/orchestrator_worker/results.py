"""What an engine answers a job with, and how it crosses the pipe: packed, as bytes inside a Done.

Whoever wanted a result unpacks it, and nobody who only passes it on can be hurt by what is in it.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of what results are made of. Carries no tag of its own."""


class Word(Part, frozen=True, omit_defaults=True):
    """One aligned word of the caller's own text; times in milliseconds from the start of the audio.

    ``timing`` says how far to trust the times, where that is not the whole way: ``by-rule``, the aligner's dictionary
    lacks the word and it was pronounced by rule; ``widened``, found only in a wider search; ``interpolated``, not found
    at all: it shares the time between its neighbours.
    """

    text: str
    start_ms: int
    end_ms: int
    timing: Literal["by-rule", "widened", "interpolated"] | None = None


class Phone(Part, frozen=True):
    """One aligned phone; ``word`` is the index of the word it belongs to."""

    phone: str
    start_ms: int
    end_ms: int
    word: int


class Transcript(Part, frozen=True, tag="transcript"):
    """What an ``asr`` task found. ``warnings`` are sentences about what speaks against it."""

    text: str
    language: str | None = None
    words: list[Word] = []
    warnings: list[str] = []


class Alignment(Part, frozen=True, tag="alignment"):
    """What an ``align`` task found. ``skipped`` lists words of the text that could not be placed.

    ``warnings`` are sentences about what speaks against it; ``srt`` is the words as SubRip text, for a model
    whose ``format`` asks for that.
    """

    words: list[Word]
    phones: list[Phone] = []
    skipped: list[str] = []
    warnings: list[str] = []
    srt: str | None = None


class Plain(Part, frozen=True, tag="plain"):
    """Any other task's result: one msgpack-able value."""

    value: Any = None


Result = Transcript | Alignment | Plain
ResultKind = Literal["transcript", "alignment", "plain"]
_pack = msgspec.msgpack.Encoder().encode


def pack_result(result: Result) -> tuple[ResultKind, bytes]:
    """Return a result as :class:`Done` carries it: its kind, and it in msgpack; of a plain one the value alone.

    Raises:
        TypeError, ValueError, OverflowError, RecursionError: msgpack has no form for it.
    """
    match result:
        case Plain():  # without a pattern inside: CPython's cache of attribute names keeps one for each it looks up
            value = result.value
            return "plain", bytes(value) if type(value) is msgspec.Raw else _pack(value)
        case Transcript():
            return "transcript", _pack(result)
        case Alignment():
            return "alignment", _pack(result)
