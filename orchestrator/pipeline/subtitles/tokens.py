"""The text of a segment as tokens with times: what is shown, put together with what was aligned.

Aligned words may lack case and punctuation, may be single Chinese characters, and some may be missing. The tokens'
texts, joined, are the segment's text again, character by character; punctuation goes with the word it belongs to,
and words without a time share the time between their neighbours by their length: of that time, what the detector
calls speech, where it was asked.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from orchestrator.pipeline.document import Segment
from orchestrator.pipeline.scripts import is_unspaced, word_starts
from orchestrator_worker.results import Word

SEARCH_CHARACTERS = 60
"""How far ahead a word is looked for that does not come next: past a sentence that was skipped, not into another."""


@dataclass(frozen=True, slots=True)
class Token:
    """A word with its punctuation and the space after it. Milliseconds from the recording's start.

    ``word`` is the one whose times these are; None when they are made up.
    """

    text: str
    start_ms: int
    end_ms: int
    word: Word | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class _Placed:
    start: int
    end: int
    word: Word


def tokens(segment: Segment, *, keep_interpolated: bool = True) -> list[Token]:
    """Return the segment's text in tokens; times are in order and not before the segment's start.

    Words that are marked as interpolated keep their times, or are placed anew like words that have none.
    """
    text = segment.text.strip()
    if not text:
        return []
    placed = [
        place
        for place in _places(text, segment.words)
        if keep_interpolated or place.word.timing != "interpolated"
    ]
    found: list[Token] = []
    position, time_ms = 0, segment.start_ms
    for index, place in enumerate(placed):
        begin = _opening(text, position, place.start)
        start_ms = max(time_ms, place.word.start_ms)
        found += _untimed(text[position:begin], time_ms, start_ms, segment.speech)
        after = placed[index + 1].start if index + 1 < len(placed) else len(text)
        end = _closing(text, place.end, after)
        time_ms = max(start_ms, place.word.end_ms)
        found.append(Token(text[begin:end], start_ms, time_ms, place.word))
        position = end
    found += _untimed(text[position:], time_ms, max(time_ms, segment.end_ms), segment.speech)
    return found


def divided(token: Token) -> Iterator[Token]:
    """Divide a token that holds several words of a script without spaces, its time by their length."""
    yield from _untimed(token.text, token.start_ms, token.end_ms, ())


def parts(text: str) -> Iterator[str]:
    """Yield the words of a text, each with its punctuation and the space after it; joined they are the text."""
    return _split(text)


def _places(text: str, words: Sequence[Word]) -> Iterator[_Placed]:
    """Find each word's letters in the text, in order; words that are not there are left out."""
    letters = [(letter, index) for index, character in enumerate(text) for letter in _letters(character)]
    stream = "".join(letter for letter, _ in letters)
    at = 0
    for word in words:
        wanted = "".join(letter for character in word.text for letter in _letters(character))
        found = stream.find(wanted, at, at + SEARCH_CHARACTERS + len(wanted)) if wanted else -1
        while found >= 0 and not _begins_a_word(text, letters[found][1]):
            found = stream.find(wanted, found + 1, at + SEARCH_CHARACTERS + len(wanted))
        if found >= 0:
            at = found + len(wanted)
            yield _Placed(letters[found][1], letters[at - 1][1] + 1, word)


def _begins_a_word(text: str, index: int) -> bool:
    return (
        index == 0
        or is_unspaced(text[index])
        or not _letters(text[index - 1])
        or is_unspaced(text[index - 1])
    )


def _letters(character: str) -> str:
    folded = unicodedata.normalize("NFKC", character).casefold()
    return "".join(letter for letter in folded if letter.isalnum())


def _opening(text: str, position: int, start: int) -> int:
    """Move back over brackets and quotes that open before a word; what closes one was taken by the word before."""
    while start > position and not text[start - 1].isspace() and not _letters(text[start - 1]):
        start -= 1
    return start


def _closing(text: str, end: int, limit: int) -> int:
    """Move on over the punctuation and the space after a word, up to what opens the next."""
    while end < limit and not text[end].isspace() and not _letters(text[end]):
        if unicodedata.category(text[end]) in {"Ps", "Pi"}:
            return end
        end += 1
    while end < limit and text[end].isspace():
        end += 1
    return end


def _untimed(text: str, start_ms: int, end_ms: int, speech: Sequence[tuple[int, int]]) -> Iterator[Token]:
    """Share the time between two aligned words among the words between them."""
    parts = list(_split(text))
    total = sum(map(len, parts))
    spans = [
        (max(first, start_ms), min(last, end_ms))
        for first, last in speech
        if first < end_ms and last > start_ms
    ] or [(start_ms, end_ms)]
    spoken_ms = sum(last - first for first, last in spans)
    before = 0
    for part in parts:
        first, last = (spoken_ms * share // total for share in (before, before + len(part)))
        before += len(part)
        yield Token(part, *_moments(first, last, spans))


def _moments(first_ms: int, last_ms: int, spans: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Turn a stretch of the time of speech into one of the clock.

    One that a silence lies in stays on the side where more of it is.
    """
    stretches: list[tuple[int, int]] = []
    spoken_ms = 0
    for start_ms, end_ms in spans:
        low, high = max(first_ms, spoken_ms), min(last_ms, spoken_ms + end_ms - start_ms)
        if low <= high:
            stretches.append((start_ms + low - spoken_ms, start_ms + high - spoken_ms))
        spoken_ms += end_ms - start_ms
    return max(stretches, key=lambda stretch: stretch[1] - stretch[0])


def _split(text: str) -> Iterator[str]:
    """Split after white space, and between words of scripts that have none; punctuation stays behind."""
    starts = word_starts(text)
    part = ""
    for at, character in enumerate(text):
        begins = bool(_letters(character)) and (
            at in starts or part[-1:].isspace() or _leaves_unspaced(part, character)
        )
        opens = unicodedata.category(character) in {"Ps", "Pi"}
        if part and (begins or opens) and any(map(_letters, part)):
            yield part
            part = ""
        part += character
    if part:
        yield part


def _leaves_unspaced(part: str, character: str) -> bool:
    """Whether a script with spaces begins where one without them ends."""
    letters = [each for each in part if _letters(each)]
    return bool(letters) and is_unspaced(letters[-1]) and not is_unspaced(character)
