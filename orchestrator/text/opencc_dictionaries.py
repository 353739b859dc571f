"""The dictionaries of ``opencc-python-reimplemented``, read at the first use and in the form that is needed here.

The 49,000 phrases say what a character is among others (乾淨 for 干净, while 干 alone is 幹), often only that it is
what it always is. Taiwan's variants (裡 for 裏) are in every value.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol, TypeVar, cast

_T = TypeVar("_T")
_lock = threading.RLock()
_MORE_VARIANTS = {ord("孃"): "娘"}


class _OpenCC(Protocol):
    """The part of ``opencc.OpenCC`` that we use."""

    dict_cache: dict[str, tuple[int, int, dict[str, str]]]


@dataclass(frozen=True, slots=True)
class Dictionaries:
    """From simplified Chinese to what Taiwan writes.

    ``characters`` is for :meth:`str.translate`; ``phrases`` are as long as their keys; ``words`` are Taiwan's own
    words, by the word in simplified characters.
    """

    characters: dict[int, str]
    phrases: dict[str, str]
    words: dict[str, str]


def once(read: Callable[[], _T]) -> Callable[[], _T]:
    """Like :func:`functools.cache` for what takes nothing; two threads do not both read."""
    cached = cache(read)

    def locked() -> _T:
        with _lock:
            return cached()

    return locked


@once
def dictionaries() -> Dictionaries:
    """Return the dictionaries; the first call reads them (about 0.1 s)."""
    read = _read("s2twp")
    variants = {ord(key): value for key, value in read["TWVariants.txt"].items()} | _MORE_VARIANTS
    characters = variants | {
        ord(key): _first(value).translate(variants) for key, value in read["STCharacters.txt"].items()
    }
    simplified = {key for key, values in read["STCharacters.txt"].items() if key not in values}
    phrases = {
        key: "".join(
            characters[ord(each)] if each in simplified else each
            for each in _first(value).translate(variants)
        )
        for key, value in read["STPhrases.txt"].items()
    }
    return Dictionaries(
        characters,
        phrases,
        {fold_all(key): _first(value).translate(variants) for key, value in read["TWPhrases.txt"].items()},
    )


@once
def to_simplified() -> dict[int, str]:
    """Return the table that brings every traditional character to its simplified one, for :meth:`str.translate`."""
    return {ord(key): _first(value) for key, value in _read("t2s")["TSCharacters.txt"].items()}


def fold_all(text: str) -> str:
    """Return ``text`` in simplified characters, each by itself."""
    return text.translate(to_simplified())


def _read(config: str) -> dict[str, dict[str, str]]:
    """Return a configuration's dictionaries by file name."""
    import opencc  # noqa: PLC0415 - 50,000 phrases, only when there is Chinese

    converter = cast("_OpenCC", opencc.OpenCC(config))
    return {Path(path).name: entries for path, (_, _, entries) in converter.dict_cache.items()}


def _first(values: str) -> str:
    """Of an entry's several values the first one counts."""
    return values.partition(" ")[0]


__all__ = ["Dictionaries", "dictionaries", "fold_all", "once", "to_simplified"]
