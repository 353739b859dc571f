"""Collect what one step of one iteration yields, until it is a record."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from orchestrator.config.types import Step
from orchestrator.experiments.storage.records import (
    AlignedWord,
    Boundary,
    Phases,
    Reading,
    StepRecord,
    TemplateRecord,
    WorkerStart,
)
from orchestrator.text.chinese import WrittenChinese
from orchestrator.text.metrics import Score
from orchestrator_worker.protocol import Done
from orchestrator_worker.results import Alignment, Result, Transcript

MS = 1000.0


@dataclass(eq=False)
class StepDraft:
    """A step under way. Fields are set as its phases end; :meth:`record` may be taken at any time."""

    step: Step
    generation: int = 0
    start: WorkerStart | None = None
    readings: dict[Boundary, Reading] = field(default_factory=dict[Boundary, Reading])
    seconds: dict[str, float] = field(default_factory=dict[str, float])
    facts: dict[str, Any] = field(default_factory=dict[str, Any])
    reset: Literal["restart", "none"] | None = None
    done: Done | None = None
    result: Result | None = None
    audio_s: float | None = None
    score: Score | None = None
    chinese: WrittenChinese | None = None
    peak: int = 0
    tree_peak: int = 0
    peak_is_sampled: bool = False
    jobs: int = 1
    template: TemplateRecord | None = None

    @property
    def text(self) -> str | None:
        """What was transcribed; for an alignment its words, joined; None before the end, or without text."""
        if isinstance(self.result, Transcript):
            return self.result.text
        if isinstance(self.result, Alignment):
            return " ".join(word.text for word in self.result.words)
        return None

    def record(self) -> StepRecord:
        """Return what is known so far."""
        model = self.step.model
        return StepRecord(
            model=model.name,
            label=model.label,
            engine=model.engine,
            task=self.step.task,
            generation=self.generation,
            readings=dict(self.readings),
            phases=Phases(**self.seconds),
            chunks=self.done.times.chunks if self.done else 0,
            ttft_ms=_ttft_ms(self.done),
            speed_chars_per_s=_speed(self.done),
            rtf=self.done.seconds / self.audio_s if self.done and self.audio_s else None,
            text=self.text,
            text_zh_tw=self.chinese.zh_tw if self.chinese else None,
            text_itn=self.chinese.itn if self.chinese else None,
            wer_percent=self.score.wer_percent if self.score else None,
            cer_percent=self.score.cer_percent if self.score else None,
            normalization=self.score.normalization if self.score else None,
            words=_words(self.result),
            skipped_words=list(self.result.skipped) if isinstance(self.result, Alignment) else [],
            warnings=_warnings(self.result),
            reset=self.reset,
            facts=self.facts,
            start=self.start,
            jobs=self.jobs,
            template=self.template,
        )


def _ttft_ms(done: Done | None) -> float | None:
    return None if done is None or done.times.first_s is None else done.times.first_s * MS


def _speed(done: Done | None) -> float | None:
    """Characters after the first chunk, over the time from first to last chunk; absent, not huge."""
    if done is None or done.times.chunks < 2:
        return None
    times = done.times
    if times.first_s is None or times.last_s is None or times.last_s <= times.first_s:
        return None
    return times.characters_after_first / (times.last_s - times.first_s)


def _warnings(result: Result | None) -> list[str]:
    return list(result.warnings) if isinstance(result, Alignment | Transcript) else []


def _words(result: Result | None) -> list[AlignedWord]:
    if not isinstance(result, Alignment | Transcript):
        return []
    return [AlignedWord(word.text, word.start_ms, word.end_ms) for word in result.words]
