"""Where somebody speaks, and a time shared out over that alone."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from orchestrator.pipeline.document import Document
from orchestrator.pipeline.work import Work


class FindSpeech:
    """Fill in ``speech`` of every segment: for subtitles of text whose words have no times.

    Does nothing where the voice activity detector is not installed.
    """

    def __call__(self, document: Document, work: Work) -> Document:
        """Return the document with the spans of speech of its segments."""
        spans = work.recording.speech(work.refuse_cancelled)
        return with_speech(document, spans)


def with_speech(document: Document, spans: Sequence[tuple[int, int]]) -> Document:
    """Return the document with the part of these spans that lies in each segment."""
    segments = [
        msgspec.structs.replace(
            segment,
            speech=[
                (max(start, segment.start_ms), min(end, segment.end_ms))
                for start, end in spans
                if start < segment.end_ms and end > segment.start_ms
            ],
        )
        for segment in document.segments
    ]
    return msgspec.structs.replace(document, segments=segments)
