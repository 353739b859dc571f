"""Which part of a given text is said in which piece of a recording, by what a recogniser heard there. Pure.

::

    text     … and so my fellow | Americans ask not what your …
    heard    … and so my fallow | americans ask not what you're …      (piece 3 | piece 4)
                 anchors: words that both have, where their neighbours agree

Between the last anchor of a piece and the first of the next, the text is divided as what was heard is. Words of the
text that nothing was heard for are left out, when there are many of them: a text may be longer than its recording.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

from orchestrator.pipeline.subtitles.tokens import parts

REACH = 3
"""Words on each side of a match that are looked at: a common word alone, far from its place, is no anchor."""
DRIFT = 2
FEWEST = 3
"""So many matches within ``REACH`` of each other, and within ``DRIFT`` of the same shift, make an anchor of each."""
SURPLUS = 8
"""More words than this, and than three times as many as were heard there, are not said."""
USUAL_WORDS_PER_S = 3
LEAST_SHARE = 0.2
"""Of the heard words; with less of them in the text, it is another text."""
MOST_CELLS = 1_000_000_000
"""Of the table that finds the matches: 250 MB, two texts of three hours."""


class Division(NamedTuple):
    """``pieces``: the part of the text for each piece, empty perhaps. ``unsaid``: parts that nobody says, in order.

    ``fits`` is the share of what was heard that is in the text, at its place; None when it could not be compared.
    """

    pieces: list[str]
    unsaid: list[str]
    fits: float | None


def divide(text: str, heard: Sequence[str], lengths_ms: Sequence[int]) -> Division:
    """Divide ``text`` over pieces, by what was ``heard`` in each, or by their length where that tells nothing."""
    words = list(_units(text))
    said = [
        (letters, piece)
        for piece, one in enumerate(heard)
        for word in _units(one)
        if (letters := _plain(word))
    ]
    anchors = _anchors([_plain(word) for word in words], [letters for letters, _ in said])
    fits = len(anchors) / len(said) if said and anchors is not None else None
    if not anchors or fits is None or fits < LEAST_SHARE:
        return Division(_by_length(words, lengths_ms), [], fits)
    taken = list(_by_anchors(len(words), [piece for _, piece in said], lengths_ms, anchors))
    pieces = ["" for _ in heard]
    unsaid: list[str] = []
    for (start, end), piece in taken:
        part = "".join(words[start:end])
        if piece is None:
            unsaid.append(part.strip())
        else:
            pieces[piece] += part
    return Division([piece.strip() for piece in pieces], unsaid, fits)


def _anchors(text: Sequence[str], heard: Sequence[str]) -> list[tuple[int, int]] | None:
    """Return pairs of a place in the text and one in what was heard, in order; None when both are too long."""
    from rapidfuzz.distance import Indel  # noqa: PLC0415 - only where a long text is divided

    if len(text) * len(heard) > MOST_CELLS:
        return None
    matches = [
        (block.src_start + at, block.dest_start + at)
        for block in Indel.opcodes(text, heard)
        if block.tag == "equal"
        for at in range(block.src_end - block.src_start)
        if text[block.src_start + at]
    ]
    if len(heard) < FEWEST:
        return matches
    return [match for number, match in enumerate(matches) if _neighbours(matches, number) >= FEWEST]


def _neighbours(matches: Sequence[tuple[int, int]], number: int) -> int:
    place, at = matches[number]
    near = matches[max(0, number - REACH) : number + REACH + 1]
    return sum(
        abs(other_at - at) <= REACH and abs((other - place) - (other_at - at)) <= DRIFT
        for other, other_at in near
    )


def _by_anchors(
    words: int, piece_of: Sequence[int], lengths_ms: Sequence[int], anchors: Sequence[tuple[int, int]]
) -> Iterator[tuple[tuple[int, int], int | None]]:
    """Yield ranges of the text with the piece that each belongs to; None for what nobody says."""
    ends = [(-1, -1), *anchors, (words, len(piece_of))]
    for (place, at), (next_place, next_at) in pairwise(ends):
        if place >= 0:
            yield (place, place + 1), piece_of[at]
        between = next_place - place - 1
        if not between:
            continue
        pieces = _pieces_between(piece_of, lengths_ms, at, next_at)
        if between > max(SURPLUS, 3 * len(pieces)):
            # What stands beside an anchor may still be said; an aligner leaves out what is not.
            near = len(pieces) + DRIFT
            piece = piece_of[max(at, 0)]
            edge = next_place - near if at < 0 else place + 1 + near
            before, after = (None, piece) if at < 0 else (piece, None)
            yield (place + 1, edge), before
            yield (edge, next_place), after
            continue
        pieces = pieces or [piece_of[max(at, 0)]]
        for index in range(between):
            yield (place + 1 + index, place + 2 + index), pieces[index * len(pieces) // between]


def _pieces_between(piece_of: Sequence[int], lengths_ms: Sequence[int], at: int, next_at: int) -> list[int]:
    """Return the piece of each word heard between two; of a piece in which nothing was, as often as words may be."""
    heard = list(piece_of[at + 1 : next_at])
    first = piece_of[at] if at >= 0 else -1
    last = piece_of[next_at] if next_at < len(piece_of) else len(lengths_ms)
    silent = set(range(first + 1, last)) - set(heard)
    guessed = [piece for piece in silent for _ in range(lengths_ms[piece] * USUAL_WORDS_PER_S // 1000)]
    return sorted(heard + guessed)


def _by_length(words: Sequence[str], lengths_ms: Sequence[int]) -> list[str]:
    total = sum(lengths_ms) or 1
    edges = [0, *(len(words) * before // total for before in accumulate(lengths_ms))]
    return ["".join(words[start:end]).strip() for start, end in pairwise(edges)]


def _units(text: str) -> Iterator[str]:
    """Yield the words of a text, those with hyphens in their parts: recognisers write them either way."""
    for part in parts(text):
        yield from re.split(r"(?<=\w-)(?=\w)", part)


def _plain(word: str) -> str:
    folded = unicodedata.normalize("NFKC", word).casefold()
    return "".join(character for character in folded if character.isalnum())
