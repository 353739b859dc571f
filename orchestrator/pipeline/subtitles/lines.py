"""One subtitle in one or two lines: where the break goes.

Width is counted in columns, of which a Chinese character takes two. A break stands at a space or next to a wide
character, never so that a line begins with closing punctuation or ends with an opening bracket (typesetters of
Chinese and Japanese call this rule kinsoku). Of the possible breaks the one wins that follows punctuation and
balances the lines.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from rich.cells import cell_len

from orchestrator.pipeline.scripts import is_unspaced, word_starts

PUNCTUATION_BONUS = 10
"""Columns of imbalance that a break after punctuation is worth."""


@lru_cache(maxsize=4096)
def lay_out(text: str, width: int, most_lines: int) -> tuple[str, ...] | None:
    """Return ``text`` in at most ``most_lines`` lines of at most ``width`` columns, or None if it does not fit.

    A single word that is wider than a line stands alone on one.
    """
    text = text.strip()
    if cell_len(text) <= width:
        return (text,)
    breaks = _breaks(text)
    if not breaks:
        return (text,)
    if most_lines <= 1:
        return None
    best: tuple[float, tuple[str, ...]] | None = None
    for at in breaks:
        first = text[:at].rstrip()
        if cell_len(first) > width and at != breaks[0]:
            break
        rest = lay_out(text[at:], width, most_lines - 1)
        if rest is None or (cell_len(first) > width and " " in first):
            continue
        cost = _cost(first, rest)
        if best is None or cost < best[0]:
            best = (cost, (first, *rest))
    return best[1] if best else None


def _cost(first: str, rest: tuple[str, ...]) -> float:
    widths = [cell_len(line) for line in (first, *rest)]
    bonus = PUNCTUATION_BONUS if unicodedata.category(first[-1]).startswith("P") else 0
    return max(widths) - min(widths) - bonus


def _breaks(text: str) -> list[int]:
    starts = word_starts(text)
    return [at for at in range(1, len(text)) if _may_break(text, at, starts)]


def _may_break(text: str, at: int, starts: frozenset[int]) -> bool:
    before, after = text[at - 1], text[at]
    if before.isspace():
        return not after.isspace()
    if after.isspace():
        return False
    if unicodedata.category(after) in {"Pe", "Pf", "Po"} or unicodedata.category(before) in {"Ps", "Pi"}:
        return False
    if is_unspaced(after):
        return at in starts
    return is_unspaced(before) and unicodedata.category(after)[0] != "M" and after not in "\u200d\ufe0f"
