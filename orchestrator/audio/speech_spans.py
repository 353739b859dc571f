"""Where somebody speaks: from a detector's probability per frame to spans of speech. Pure.

A span opens at the first frame of at least ``OPEN`` and closes once the probability has stayed below ``CLOSE``
for ``shortest_silence``; two thresholds, so that one that wavers does not cut a word in two. Shorter noises are
dropped. All lengths are in frames; :mod:`.voice_activity` says how long a frame is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

OPEN = 0.5
CLOSE = 0.35


@dataclass(frozen=True, slots=True)
class SpeechSpan:
    """Frames ``start`` to ``end`` (excluded) with the probability of each."""

    start: int
    end: int
    probabilities: tuple[float, ...]


def speech_spans(
    probabilities: Iterable[float], *, shortest_silence: int, shortest_speech: int
) -> Iterator[SpeechSpan]:
    """Yield the spans of speech, each as soon as it has ended.

    Args:
        probabilities: Of speech, 0 to 1, one per frame; read lazily.
        shortest_silence: Frames of silence that end a span; shorter ones belong to it.
        shortest_speech: Frames a span needs at least; shorter ones are noise.
    """
    kept: list[float] = []
    start = 0
    silent = 0
    for frame, probability in enumerate(probabilities):
        if not kept:
            if probability < OPEN:
                continue
            start = frame
        kept.append(probability)
        silent = silent + 1 if probability < CLOSE else 0
        if silent >= shortest_silence:
            yield from _spoken(start, kept, silent, shortest_speech)
            kept, silent = [], 0
    yield from _spoken(start, kept, silent, shortest_speech)


def _spoken(start: int, kept: list[float], silent: int, shortest_speech: int) -> Iterator[SpeechSpan]:
    heard = kept[: len(kept) - silent]
    if len(heard) >= shortest_speech:
        yield SpeechSpan(start, start + len(heard), tuple(heard))
