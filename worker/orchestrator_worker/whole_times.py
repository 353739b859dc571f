"""Times of an engine's words as the protocol has them: whole milliseconds.

An engine may have computed them from anything. Floats are rounded; what is no number (NaN, infinity, None) would be
taken by the parent for a broken message, and the worker would have to go: here it costs this result's times alone.
"""

from __future__ import annotations

import math
import operator
from typing import Any, TypeVar

import msgspec

from orchestrator_worker.engines.base import EngineError
from orchestrator_worker.results import Alignment, Phone, Result, Transcript, Word

Timed = TypeVar("Timed", Word, Phone)


def with_whole_times(result: Result) -> Result:
    """Return a result whose times are whole numbers; a transcript without its words where they cannot be made so.

    Raises:
        EngineError: A time of an alignment is no number; names the word.
    """
    if isinstance(result, Alignment):
        return msgspec.structs.replace(
            result,
            words=[_whole(word, word.text) for word in result.words],
            phones=[_whole(phone, phone.phone) for phone in result.phones],
        )
    if not isinstance(result, Transcript):
        return result
    try:
        return msgspec.structs.replace(result, words=[_whole(word, word.text) for word in result.words])
    except EngineError as error:
        warnings = [*result.warnings, f"{error}; the words' times are left out"]
        return msgspec.structs.replace(result, words=[], warnings=warnings)


def has_whole_times(result: Result) -> bool:
    """Whether there is nothing to do: the usual case."""
    if not isinstance(result, Transcript | Alignment):
        return True
    timed = [*result.words, *(result.phones if isinstance(result, Alignment) else ())]
    return all(type(each.start_ms) is int and type(each.end_ms) is int for each in timed)


def _whole(timed: Timed, name: str) -> Timed:
    return msgspec.structs.replace(
        timed, start_ms=_number(timed.start_ms, name), end_ms=_number(timed.end_ms, name)
    )


def _number(time_ms: Any, name: str) -> int:
    try:
        return operator.index(time_ms)
    except TypeError:
        pass
    try:
        number = float(time_ms)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise EngineError(f"a time of {name!r} is {time_ms!r}, which is no number of milliseconds")
    return round(number)
