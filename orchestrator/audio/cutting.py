"""A long recording in pieces: which spans of speech go into one, and where the cuts between pieces lie. Pure.

Pieces are filled with whole spans while they stay within ``longest``; then the cut goes into the widest silence of
the piece's second half, so that a sentence's end wins over the last gap that fits. Silence between pieces
is not part of any, but for a margin of at most ``margin`` on each side, half of the gap at most.

A span that is longer than ``longest`` by itself (somebody who never pauses) is cut where the detector
heard no speech for a moment; there is none within twice the length, at its weakest frame, and the piece says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from orchestrator.audio.speech_spans import OPEN, SpeechSpan

HARD_FACTOR = 2
"""A span may run to this many times ``longest`` before it is cut inside speech."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Frames ``start`` to ``end`` (excluded). ``cut_in_speech``: it begins or ends where somebody speaks."""

    start: int
    end: int
    cut_in_speech: bool = False


@dataclass(frozen=True, slots=True)
class _Run:
    start: int
    end: int
    cut_before: bool = False
    cut_after: bool = False


def pieces(spans: Iterable[SpeechSpan], total: int, *, longest: int, margin: int) -> Iterator[Piece]:
    """Yield the pieces in order, each as soon as what comes after it is known.

    Args:
        spans: In order; read lazily.
        total: Frames of the whole recording.
        longest: Frames a piece may hold, its margins aside.
        margin: Frames of silence kept before and after the speech of a piece.
    """
    end_before = 0
    group: list[_Run] = []
    for run in (part for span in spans for part in _short_enough(span, longest)):
        group.append(run)
        while group[-1].end - group[0].start > longest and len(group) > 1:
            first = _fullest(group, longest)
            piece = _piece(group[:first], end_before, group[first].start, margin)
            group = group[first:]
            end_before = piece.end
            yield piece
    if group:
        yield _piece(group, end_before, total, margin)


def _fullest(group: list[_Run], longest: int) -> int:
    """Return how many runs of ``group`` make the next piece: those before its widest late gap."""
    start = group[0].start
    fitting = [index for index in range(1, len(group)) if group[index - 1].end - start <= longest] or [1]
    late = [index for index in fitting if group[index - 1].end - start >= longest / 2] or fitting[-1:]
    return max(late, key=lambda index: (group[index].start - group[index - 1].end, index))


def _piece(group: list[_Run], end_before: int, start_after: int, margin: int) -> Piece:
    first, last = group[0], group[-1]
    before, after = first.start - end_before, start_after - last.end
    start = first.start - min(margin, before)
    end = last.end + min(margin, after if after <= 1 else (after + 1) // 2)
    return Piece(start, end, first.cut_before or last.cut_after)


def _short_enough(span: SpeechSpan, longest: int) -> Iterator[_Run]:
    if span.end - span.start <= longest:
        yield _Run(span.start, span.end)
        return
    edges = [span.start]
    in_speech: list[bool] = [False]
    while span.end - edges[-1] > longest:
        edge, forced = _weakest(span, edges[-1], longest)
        edges.append(edge)
        in_speech.append(forced)
    edges.append(span.end)
    in_speech.append(False)
    for (start, end), (before, after) in zip(pairwise(edges), pairwise(in_speech), strict=True):
        yield _Run(start, end, before, after)


def _weakest(span: SpeechSpan, start: int, longest: int) -> tuple[int, bool]:
    """Return the frame to cut before, and whether the detector hears speech there."""
    for furthest in (longest, HARD_FACTOR * longest):
        window = range(start + max(1, longest // 2), min(start + furthest, span.end - 1) + 1)
        edge = min(window, key=lambda frame: (span.probabilities[frame - span.start], -frame))
        if span.probabilities[edge - span.start] < OPEN:
            return edge, False
    return edge, True
