"""Where words begin and end in Chinese, which is written without blanks. Nothing is loaded before the first use.

The words and how frequent they are come with ``rjieba`` (jieba's dictionary of 350,000 words, in Rust): of all ways
to cut a text into them the most probable one is taken. The dictionary is of simplified characters; :func:`fold`
brings others into them, character for character, so that positions stay the same.
"""

from __future__ import annotations

import re
from functools import cache
from types import ModuleType

from orchestrator.text.opencc_dictionaries import once, to_simplified

_LONE = re.compile("[\ud800-\udfff]")
"""Halves of characters, which no other language than Python lets stand in a text."""
_MORE_FREQUENT = {"王后": 3000, "文件夹": 1000}
"""Words that jieba has as rarer than they are, so that it cuts through them: 王后|生, not 王|后生."""


def words(text: str) -> list[str]:
    """Cut ``text`` into words; joined they are ``text``. Simplified and traditional alike, safe from any thread.

    What is no word of the dictionary comes as single characters; Latin words, digits, blanks and marks by themselves.
    The first call takes about 0.2 s and 33 MB, others some microseconds.
    """
    found: list[str] = []
    start = 0
    for word in _segmenter().cut(_LONE.sub("\ufffd", fold(text)), hmm=False):
        found.append(text[start : start + len(word)])
        start += len(word)
    return found


def tagged_words(text: str) -> list[tuple[str, str]]:
    """Cut ``text`` like :func:`words`, each word with jieba's sign for its class: ``m`` a number, ``n`` a noun."""
    found: list[tuple[str, str]] = []
    start = 0
    for word, tag in _segmenter().tag(_LONE.sub("\ufffd", fold(text)), hmm=False):
        found.append((text[start : start + len(word)], tag))
        start += len(word)
    return found


def fold(text: str) -> str:
    """Return ``text`` in simplified characters, each character by itself: as long as before."""
    return text.translate(to_simplified())


@cache
def parts(word: str) -> tuple[str, ...]:
    """Cut a word of the dictionary into shorter ones: 中国历史博物馆 into 中国, 历史, 博物馆; two characters stay one.

    Of all ways the one with the fewest single characters left, then the fewest parts, then the longest first.
    """
    if len(word) < 3:
        return (word,)
    best: list[tuple[int, int, tuple[str, ...]]] = [
        (0, 0, ())
    ]  # of what is left from each place on, last first
    for start in range(len(word) - 1, -1, -1):
        ways: list[tuple[int, int, tuple[str, ...]]] = []
        for end in range(start + 1, len(word) + 1):
            part = word[start:end]
            if len(part) == len(word) or (len(part) > 1 and not is_word(part)):
                continue
            single, count, rest = best[len(word) - end]
            ways.append((single + (len(part) == 1), count + 1, (part, *rest)))
        best.append(min(ways, key=lambda way: (way[0], way[1], -len(way[2][0]))))
    return best[-1][2]


@cache
def is_word(word: str) -> bool:
    """Say whether the dictionary has ``word``."""
    return bool(_segmenter().has_word(word))


@cache
def is_name(word: str) -> bool:
    """Say whether a word of the dictionary is the name of a person or a place, of two characters or more."""
    tags = tagged_words(word) if len(word) > 1 else []
    return len(tags) == 1 and tags[0][1].startswith(("nr", "ns"))


@once
def _segmenter() -> ModuleType:
    import rjieba  # noqa: PLC0415 - 33 MB, only where there is Chinese

    for word, frequency in _MORE_FREQUENT.items():
        rjieba.add_word(word, frequency, "n")
    return rjieba


__all__ = ["fold", "is_name", "is_word", "parts", "tagged_words", "words"]
