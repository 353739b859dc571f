"""The words of a piece, all of them: those an aligner found, where somebody speaks, and the rest between them. Pure.

An aligner gives every frame to some word, so the last word before a pause or a noise may reach far into it. What the
voice activity detector calls silence is cut off, and no word is longer than a very slow speaker makes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from orchestrator.pipeline.document import Segment
from orchestrator.pipeline.subtitles.tokens import Token, tokens
from orchestrator_worker.results import Word

EDGE_MS = 32
"""A word may reach so far out of the detector's span: the detector decides by frames of so much."""
SLOWEST_MS = 800
LETTER_MS = 200
DIGIT_MS = 500
"""A word of more than ``SLOWEST_MS`` and so much for each letter and digit has swallowed something else."""
SHORTEST_MS = 60
"""Words that were not found need so much room: beyond it, the text has more than anybody can say in the time."""


def all_timed(segment: Segment, found: Sequence[Word]) -> Segment:
    """Return the segment with a word for everything in its text that has letters or digits.

    Args:
        segment: ``skipped`` has what was left out before; ``speech`` says where somebody speaks, when that is known.
        found: What an aligner found, in order, in the recording's time. What it marked as interpolated is placed anew.

    The words are in order and inside the segment. Where they have less room than they need, the text ends where the
    room does, and ``skipped`` has the rest.
    """
    clipped = msgspec.structs.replace(segment, words=list(_clipped(found, segment)))
    placed = tokens(clipped, keep_interpolated=False)
    timed, rest = _with_room(placed, segment)
    signs = [*segment.skipped, *(sign for sign in segment.text.split() if not is_said(sign))]
    if not rest:
        words = [_word(token) for token in timed if is_said(token.text)]
        return msgspec.structs.replace(segment, words=words, skipped=signs)
    kept = "".join(token.text for token in timed).rstrip()
    shorter = msgspec.structs.replace(clipped, text=kept)
    words = [_word(each) for each in tokens(shorter, keep_interpolated=False) if is_said(each.text)]
    left = [text for text in "".join(token.text for token in rest).split() if is_said(text)]
    return msgspec.structs.replace(segment, text=kept, words=words, skipped=[*signs, *left])


def is_said(text: str) -> bool:
    """Whether there is anything in a text to be said: a letter or a digit."""
    return any(character.isalnum() for character in text)


def _with_room(placed: Sequence[Token], segment: Segment) -> tuple[Sequence[Token], Sequence[Token]]:
    """Divide tokens into those there is room for and the rest: words at the end that are said by nobody so quickly."""
    last = max((index for index, token in enumerate(placed) if token.word is not None), default=-1)
    begin_ms = placed[last].end_ms if last >= 0 else segment.start_ms
    room_ms = sum(
        max(0, min(end, segment.end_ms) - max(start, begin_ms))
        for start, end in segment.speech or [(begin_ms, segment.end_ms)]
    )
    said = 0
    for index, token in enumerate(placed[last + 1 :], last + 1):
        said += is_said(token.text)
        if said * SHORTEST_MS > max(room_ms, SHORTEST_MS):
            return placed[:index], placed[index:]
    return placed, ()


def _word(token: Token) -> Word:
    if token.word is None:
        return Word(token.text.strip(), token.start_ms, token.end_ms, "interpolated")
    return Word(token.word.text, token.start_ms, token.end_ms, token.word.timing)


def _clipped(words: Sequence[Word], segment: Segment) -> Iterator[Word]:
    """Make each word lie where somebody speaks, in order."""
    before_ms = segment.start_ms
    for number, word in enumerate(words):
        start_ms = min(max(before_ms, word.start_ms), segment.end_ms)
        end_ms = min(max(start_ms, word.end_ms), segment.end_ms)
        if word.timing != "interpolated":
            start_ms, end_ms = _heard(start_ms, end_ms, segment.speech)
            start_ms, end_ms = _not_stretched(word.text, start_ms, end_ms, is_first=number == 0)
        before_ms = end_ms
        yield Word(word.text, start_ms, end_ms, word.timing)


def _heard(start_ms: int, end_ms: int, speech: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Cut off what reaches into silence; a word that lies outside of all speech stays: the detector missed it."""
    shares = [
        (min(end_ms, last) - max(start_ms, first), first, last)
        for first, last in speech
        if first < end_ms and last > start_ms
    ]
    if not shares:
        return start_ms, end_ms
    most = max(shares)[0]
    spans = [
        (first, last) for share, first, last in shares if share * 2 >= most
    ]  # a number may have a pause inside
    return max(start_ms, spans[0][0] - EDGE_MS), min(end_ms, spans[-1][1] + EDGE_MS)


def _not_stretched(text: str, start_ms: int, end_ms: int, *, is_first: bool) -> tuple[int, int]:
    """End a word where a slow speaker would; the first of a piece has rather swallowed what came before it."""
    digits = sum(character.isdigit() for character in text)
    letters = sum(character.isalpha() for character in text)
    longest_ms = SLOWEST_MS + LETTER_MS * letters + DIGIT_MS * digits
    if end_ms - start_ms <= longest_ms:
        return start_ms, end_ms
    return (end_ms - longest_ms, end_ms) if is_first else (start_ms, start_ms + longest_ms)
