"""The times of words stay theirs when their text is rewritten: 内存 is then 記憶體, and 三百五十 is 350.

::

    before   我 的 内 存 三 百 五 十          words with times, often single characters
    after    我 的 記 憶 體 3 5 0             what was rewritten as one has one time, from its first word to its last
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from difflib import SequenceMatcher

import msgspec

from orchestrator.text.segmentation import fold
from orchestrator_worker.results import Word

_MARK = re.compile(r"([，。！？；、!?;\n])")


def rewritten_words(words: Sequence[Word], before: str, after: str) -> list[Word]:
    """Return ``words`` of the text ``before`` as they stand in ``after``, with their times.

    Words that were rewritten together become one. A word that is not in ``before`` stays as it is.
    """
    cuts = _common_cuts(fold(before), fold(after))
    places = [place for place, _ in cuts]
    found: list[tuple[int, int, Word]] = []  # begins and ends at these cuts
    at = 0
    for word in words:
        start = before.find(word.text, at) if word.text else -1
        if start < 0:
            found.append((0, 0, word))
            continue
        at = start + len(word.text)
        first, last = bisect_right(places, start) - 1, bisect_left(places, at)
        if found and first < found[-1][1]:
            begun, reached, earlier = found.pop()
            joined = msgspec.structs.replace(earlier, end_ms=word.end_ms)
            found.append((begun, max(last, reached), joined))
        else:
            found.append((first, last, word))
    return [
        msgspec.structs.replace(word, text=after[cuts[first][1] : cuts[last][1]]) if last else word
        for first, last, word in found
    ]


def _common_cuts(before: str, after: str) -> list[tuple[int, int]]:
    """Return where both texts can be cut so that what is left of each cut is the same text, rewritten.

    Compared from one mark to the next, so that the work grows with the text and not with its square.
    """
    stretches, rewritten = _MARK.split(before), _MARK.split(after)
    if len(stretches) != len(rewritten):
        stretches, rewritten = [before], [after]
    cuts = {(0, 0)}
    at = rewritten_at = 0
    for one, other in zip(stretches, rewritten, strict=True):
        cuts |= {(at + place, rewritten_at + written) for place, written in _cuts_within(one, other)}
        at, rewritten_at = at + len(one), rewritten_at + len(other)
    return sorted(cuts)


def _cuts_within(before: str, after: str) -> set[tuple[int, int]]:
    blocks = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    cuts = {(0, 0), (len(before), len(after))}
    for number, (kind, start, end, first, _) in enumerate(blocks):
        within = 0 < number < len(blocks) - 1
        if kind == "equal" and not (within and end - start == 1):  # one alone: 鼠 of 鼠标 and 滑鼠, by chance
            cuts |= {(start + step, first + step) for step in range(end - start + 1)}
    return cuts


__all__ = ["rewritten_words"]
