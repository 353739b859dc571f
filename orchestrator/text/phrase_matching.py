"""Replace dictionary phrases in text that still grows, giving each character out as soon as it is certain.

The rule is that of ``opencc-python-reimplemented``: of all phrases in a stretch of text the longest wins, of
equally long ones the leftmost, then the same to its left and its right. So a phrase that is complete may still
lose to a longer one that begins inside it and is not there yet::

    text so far      …  A B C D E
    complete phrase       [B C]            wins, unless
    may still come            [C D E ? ?]  it turns out to be there

Every phrase that can still come begins at a suffix of the text that is the beginning of an entry. Going
through all of them in the order of the rule, each is *certain* to win, *certain* to lose, or open; text is given
out up to the first character that an open one covers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple


class _Place(NamedTuple):
    """Where a phrase lies, or may come to lie; sorted, they are in the order in which they win."""

    minus_length: int
    start: int
    open: bool

    @property
    def end(self) -> int:
        return self.start - self.minus_length


class Phrases:
    """A dictionary prepared for matching: entries, and the lengths of entries by how they begin."""

    def __init__(self, entries: dict[str, str]) -> None:
        self.entries = entries
        self.longest = max(map(len, entries), default=0)
        self._lengths: dict[str, set[int]] = {}
        for key in entries:
            for end in range(1, len(key)):
                self._lengths.setdefault(key[:end], set()).add(len(key))

    def complete(self, text: str) -> Iterator[_Place]:
        """Yield every entry that stands in ``text``."""
        for start in range(len(text)):
            end = start + 1
            while end <= len(text):
                piece = text[start:end]
                if piece in self.entries:
                    yield _Place(start - end, start, open=False)
                if piece not in self._lengths:
                    break
                end += 1

    def possible(self, text: str) -> Iterator[_Place]:
        """Yield every entry that would stand across the end of ``text`` if the right characters followed."""
        for start in range(max(0, len(text) - self.longest + 1), len(text)):
            known = len(text) - start
            for length in self._lengths.get(text[start:], ()):
                if length > known:
                    yield _Place(-length, start, open=True)


class PhraseStage:
    """One dictionary applied to a text that comes in pieces."""

    def __init__(self, phrases: Phrases) -> None:
        self._phrases = phrases
        self._held = ""

    def feed(self, piece: str) -> str:
        """Take a piece of the source; return the replaced text that is certain now."""
        if not piece:
            return ""
        self._held += piece
        return self._give(self._phrases.possible(self._held))

    def flush(self) -> str:
        """Return the rest: the text, or what is matched as one, ends here."""
        return self._give(())

    def _give(self, possible: Iterable[_Place]) -> str:
        text = self._held
        winners, certain = _contest([*self._phrases.complete(text), *possible], len(text))
        given: list[str] = []
        position = 0
        for start, end in winners:
            if end > certain:
                break
            given += [text[position:start], self._phrases.entries[text[start:end]]]
            position = end
        given.append(text[position:certain])
        self._held = text[certain:]
        return "".join(given)


def _contest(places: list[_Place], length: int) -> tuple[list[tuple[int, int]], int]:
    """Return the phrases certain to win, in text order, and up to which character all is certain."""
    taken: list[bool | None] = [False] * length  # None: an open phrase may take it
    winners: list[tuple[int, int]] = []
    certain = length
    for place in sorted(places):
        end = min(place.end, length)
        over = taken[place.start : end]
        if True in over:
            continue
        if not place.open and None not in over:
            taken[place.start : end] = [True] * (end - place.start)
            winners.append((place.start, end))
        else:
            taken[place.start : end] = [None] * (end - place.start)
            certain = min(certain, place.start)
    winners.sort()
    crossing = next((start for start, end in winners if start < certain < end), certain)
    return winners, min(certain, crossing)
