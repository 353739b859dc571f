"""Segments and documents whose words have times at a steady pace."""

from __future__ import annotations

from orchestrator.pipeline.document import Document, Segment
from orchestrator_worker.protocol import Word


def spoken(text: str, *, word_ms: int = 300, gap_ms: int = 50, start_ms: int = 0) -> Segment:
    """A segment whose aligner gave every word in lower case, bare of punctuation."""
    bare = ["".join(letter for letter in word if letter.isalnum()).lower() for word in text.split()]
    return timed(text, bare, word_ms=word_ms, gap_ms=gap_ms, start_ms=start_ms)


def timed(text: str, words: list[str], *, word_ms: int = 300, gap_ms: int = 50, start_ms: int = 0) -> Segment:
    step = word_ms + gap_ms
    placed = [
        Word(word, start_ms + index * step, start_ms + index * step + word_ms)
        for index, word in enumerate(words)
    ]
    return Segment(start_ms, start_ms + len(words) * step, text, text, "en", placed)


def document(*segments: Segment) -> Document:
    return Document("talk.wav", segments[-1].end_ms if segments else 0, list(segments))
