"""Compare a transcript with its reference: word and character error rate, in per cent.

Decides how both sides are made comparable, always in the same way, and names it in the result. The distances
themselves are jiwer's. What is spoken and what is written of the same digits must not count as an error:
Moonshine hears ``0900-073-331.`` where PocketSphinx hears ``zero nine zero zero …``.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

import jiwer

_DIGIT_WORDS = (
    dict(
        zip(
            ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
            "0123456789",
            strict=True,
        )
    )
    | {"oh": "0", "o": "0", "〇": "0"}
    | dict(zip("零一二三四五六七八九", "0123456789", strict=True))
)
_REPEATS = {"double": 2, "triple": 3}
_APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "`": "'", "´": "'"})
_CJK = "\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_ONE_CJK = re.compile(f"([{_CJK}])")
_BLANK_BESIDE_CJK = re.compile(f"(?<=[{_CJK}]) | (?=[{_CJK}])")


@dataclass(frozen=True, slots=True)
class Score:
    """How far a hypothesis is from its reference.

    The rates are in per cent; 0 is equal, and insertions can bring them above 100. ``normalization`` says how
    both sides were made comparable.
    """

    wer_percent: float
    cer_percent: float
    normalization: str


def score(reference: str, hypothesis: str) -> Score:
    """Return word and character error rate of ``hypothesis``, both sides normalised by the same rules.

    Digits are compared as digits when the reference is a digit string (see :func:`normalize_transcript`).
    Chinese and Japanese characters count as one word each, so there WER is a character rate too, and blanks
    beside them count for nothing. An empty hypothesis is 100 % wrong.

    Raises:
        ValueError: The reference has no word or character to compare with.
    """
    digits = is_digit_string(reference)
    expected = normalize_transcript(reference, digits=digits)
    found = normalize_transcript(hypothesis, digits=digits)
    if not expected:
        raise ValueError(f"the reference {reference!r} has no words: nothing can be compared with it")
    rules = ["NFKC", "lower case", "no punctuation"]
    if digits:
        rules.append("spoken digits as digits, no separators between digits")
    if _ONE_CJK.search(expected):
        rules.append("each CJK character a word")
    if not found:
        return Score(100.0, 100.0, ", ".join(rules))
    return Score(
        wer_percent=100.0 * float(jiwer.wer(_spaced(expected), _spaced(found))),
        cer_percent=100.0 * float(jiwer.cer(_closed(expected), _closed(found))),
        normalization=", ".join(rules),
    )


def normalize_transcript(text: str, *, digits: bool) -> str:
    """Return ``text`` in the form in which it is compared: words with one blank between them.

    Unicode NFKC, lower case; punctuation and symbols become blanks, a hyphen too; apostrophes stay inside a
    word. With ``digits`` spoken English digits (zero, oh, o, one … nine, after double or triple also several)
    and single Chinese ones become digits, and a run of digits becomes one word, whatever stood between them.
    """
    text = unicodedata.normalize("NFKC", text.translate(_APOSTROPHES)).translate(_APOSTROPHES).lower()
    kept = "".join(character if _counts(character) else " " for character in text)
    words = [word for word in (word.strip("'") for word in kept.split()) if word]
    return " ".join(_joined_digits(_spaced(" ".join(words)).split()) if digits else words)


def is_digit_string(text: str) -> bool:
    """Say whether ``text`` is digits and nothing else but separators: ``0900-073-331``, ``(02) 2345 678``."""
    plain = unicodedata.normalize("NFKC", text)
    return any(map(str.isdigit, plain)) and not any(map(str.isalpha, plain))


def _counts(character: str) -> bool:
    """Letters, marks on letters, numbers and the apostrophe; all else separates."""
    return character == "'" or unicodedata.category(character)[0] in "LMN"


def _spaced(text: str) -> str:
    """Set each CJK character apart, so that it is a word."""
    return " ".join(_ONE_CJK.sub(r" \1 ", text).split())


def _closed(text: str) -> str:
    """Drop the blanks beside CJK characters: writers and engines set them at will."""
    return _BLANK_BESIDE_CJK.sub("", text)


def _joined_digits(words: list[str]) -> list[str]:
    """Turn digit words into digits and join what is then a run of digits."""
    joined: list[str] = []
    repeat = 1
    for index, word in enumerate(words):
        following = words[index + 1] if index + 1 < len(words) else ""
        if word in _REPEATS and (following in _DIGIT_WORDS or _is_digit(following)):
            repeat = _REPEATS[word]
            continue
        word_now = _DIGIT_WORDS.get(word, word) * repeat
        repeat = 1
        if joined and _all_digits(word_now) and _all_digits(joined[-1]):
            joined[-1] += word_now
        else:
            joined.append(word_now)
    return joined


def _is_digit(word: str) -> bool:
    return len(word) == 1 and word.isdigit()


def _all_digits(word: str) -> bool:
    return word.isdigit()
