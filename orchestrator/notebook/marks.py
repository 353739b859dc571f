"""A verdict's word, sign and colour, the same in every table, page and notebook. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


class Mark(NamedTuple):
    """How people see a verdict: in words, by a sign, and in a colour that says the same."""

    word: str
    sign: str
    color: str


MARKS: Mapping[str, Mark] = {
    "leak": Mark("leak", "▲", "red"),
    "slow-growth": Mark("slow-growth", "◣", "gold"),
    "plateau": Mark("no leak (plateau)", "▬", "green"),
    "flat": Mark("no leak (flat)", "▬", "green"),
    "bounded": Mark("no leak (bounded)", "≈", "green"),
    "inconclusive": Mark("inconclusive", "?", "gold"),
    "crashed": Mark("crashed", "✕", "red"),
    "unavailable": Mark("unavailable", "–", "muted"),
}
"""Of each verdict. What does not leak says that first, and its kind after it."""


def mark_of(verdict: str) -> Mark:
    """Return the mark of a verdict; a word that we do not know, from a file, stands for itself."""
    return MARKS.get(verdict) or Mark(verdict, "–", "muted")


def count_mark(name: str) -> Mark:
    """Return the mark of descriptors, or threads, that leak: the verdict beside it is about memory."""
    return MARKS["leak"]._replace(word=name)


def leaking(judged: object) -> Iterator[tuple[str, Any]]:
    """Yield which of ``descriptors`` and ``threads`` leak, each with its judgement.

    A verdict on arrays has neither.
    """
    for name in ("descriptors", "threads"):
        found = getattr(judged, name, None)
        if found is not None and found.verdict == "leak":
            yield name, found
