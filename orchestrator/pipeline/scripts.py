"""How text is written: which scripts have no spaces between words, and where a line of them may break.

Chinese and Japanese break between any two characters. Thai, Lao, Khmer and Burmese break between words, which only a
dictionary knows: that of ICU, by the package ``icu4py`` (extra ``subtitles``). Without it they break between syllable
clusters, so that no vowel or tone mark is torn off and no line is too wide. Korean is written with spaces, though its
characters are as wide as Chinese ones.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import lru_cache

_HANGUL = ((0x1100, 0x11FF), (0x3130, 0x318F), (0xA960, 0xA97F), (0xAC00, 0xD7FF), (0xFFA0, 0xFFDC))
_BY_DICTIONARY = (
    ((0x0E00, 0x0E7F), "th"),
    ((0x0E80, 0x0EFF), "lo"),
    ((0x1780, 0x17FF), "km"),
    ((0x1000, 0x109F), "my"),
)
_LEADING_VOWELS = frozenset("เแโใไເແໂໃໄ")
"""Written before the consonant they follow in speech."""
_TRAILING = frozenset("ะาำๅๆฯະາຳໆຽー々ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮ")
"""Letters by themselves, that begin no line."""
_STACKED_BY = frozenset("\u17d2\u1039")
"""Khmer coeng and Burmese virama: what follows is written below."""
_JOINERS = frozenset("\u200d\ufe0f\ufe0e\u20e3")


def joint(left: str, right: str) -> str:
    """Return what stands between two texts that end and begin with these characters: a space, or nothing."""
    return "" if is_unspaced(left) and is_unspaced(right) else " "


@lru_cache(maxsize=4096)
def is_unspaced(character: str) -> bool:
    """Whether a character belongs to a script that is written without spaces between words, or is a pictograph."""
    if _by_dictionary(character):
        return True
    code = ord(character)
    wide = unicodedata.east_asian_width(character) in {"W", "F"}
    return wide and not any(first <= code <= last for first, last in _HANGUL)


def without_marks(text: str) -> str:
    """Return text without byte-order marks and zero-width spaces, which transcripts bring along and nobody sees."""
    return text.translate({0xFEFF: None, 0x200B: None})


def word_starts(text: str) -> frozenset[int]:
    """Return where, inside runs of scripts without spaces, a word may begin: and so a line.

    Before and after such a run one may begin as well; what spaces and punctuation say about that is the caller's.
    """
    return frozenset(_word_starts(text))


def _word_starts(text: str) -> Iterator[int]:
    at = 0
    while at < len(text):
        language = _by_dictionary(text[at])
        if not language:
            if is_unspaced(text[at]) and _may_begin(text, at):
                yield at
            at += 1
            continue
        end = at
        while end < len(text) and _by_dictionary(text[end]) == language:
            end += 1
        yield from (at + start for start in words_of_run(text[at:end], language))
        at = end


@lru_cache(maxsize=4096)
def words_of_run(run: str, language: str) -> tuple[int, ...]:
    """Return where the words of a run begin."""
    try:
        from icu4py.breakers import LineBreaker  # noqa: PLC0415 - an extra, and 30 MB of dictionaries
    except ImportError:
        return tuple(at for at in range(len(run)) if _may_begin(run, at))
    starts: list[int] = []
    at = 0
    for word in LineBreaker(run, language):
        starts.append(at)
        at += len(word)
    return tuple(starts)


def _may_begin(text: str, at: int) -> bool:
    """Whether a line may begin with this character of a script without spaces: nothing is torn off what is before."""
    character, before = text[at], text[at - 1 : at]
    if unicodedata.category(character)[0] == "M" or character in _TRAILING or character in _JOINERS:
        return False
    if before and (before in _LEADING_VOWELS or before in _STACKED_BY or before == "\u200d"):
        return False
    if text[at + 1 : at + 2] == "\u103a":  # a Burmese consonant without a vowel ends a syllable
        return False
    return not _modifies(character, text[:at])


def _modifies(character: str, before: str) -> bool:
    """Whether a pictograph is one with that before it: a skin tone, or the second letter of a flag."""
    if "\U0001f3fb" <= character <= "\U0001f3ff":
        return bool(before)
    if not _is_flag_letter(character):
        return False
    flags = len(before) - len(before.rstrip("".join(map(chr, range(0x1F1E6, 0x1F200)))))
    return flags % 2 == 1


def _is_flag_letter(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _by_dictionary(character: str) -> str:
    """Return the language whose dictionary tells the words of this character's script; empty for other scripts."""
    code = ord(character)
    if not 0x0E00 <= code <= 0x17FF:
        return ""
    return next((name for (first, last), name in _BY_DICTIONARY if first <= code <= last), "")
