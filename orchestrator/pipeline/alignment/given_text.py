"""The step that takes a text as known: what is said is given, when it is said is to be found."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from orchestrator.pipeline.document import Document, Segment
from orchestrator.pipeline.scripts import without_marks
from orchestrator.pipeline.work import Work


@dataclass(frozen=True, slots=True)
class GivenText:
    """What is said is known: one segment from the recording's start to its end. For :class:`AlignWords`."""

    text: str
    language: str | None = None

    def __call__(self, document: Document, work: Work) -> Document:
        """Return the document with this text and nothing else."""
        text = without_marks(self.text)
        segment = Segment(0, work.recording.duration_ms, text, text, self.language)
        return msgspec.structs.replace(document, segments=[segment])
