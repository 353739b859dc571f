"""``-v``: every iteration as in the output of the original study, with the text while it comes.

Chinese text is shown in zh-TW, and then with its numbers in digits.

The verbose log knows the words and their order; where complete lines go, and whether text that still grows can
be shown, is decided by the display that owns it.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from orchestrator.config.types import Experiment, Series, Step
from orchestrator.experiments.storage.records import AlignedWord, IterationRecord, StepRecord
from orchestrator.report.cells import UNKNOWN, number
from orchestrator.report.layout import Line, title_block
from orchestrator.report.names import step_name
from orchestrator.report.shape import Shape, shape_of
from orchestrator.text.chinese import GrowingText

MB = 1024.0**2

_LONGEST_ALIGNMENT = 100


class VerboseLog:
    """Tells one run. ``write`` gets complete lines, ``show`` the text of the running job as it stands."""

    def __init__(self, write: Callable[[Line], None], show: Callable[[str], None]) -> None:
        self._write = write
        self._show = show
        self._at: tuple[str, str, int] | None = None
        self._growing = GrowingText()
        self._memory_told: set[int] = set()

    def phase_started(
        self, experiment: Experiment, series: Series, iteration: int, step: Step | None, phase: str
    ) -> None:
        """Announce a new iteration, and what its step is about to do."""
        if self._at != (experiment.name, series.key, iteration) and phase not in {"exit", "trim"}:
            self._at = (experiment.name, series.key, iteration)
            self._memory_told.clear()
            self._iteration_heading(experiment, iteration)
        if step is None:
            return
        several = shape_of(experiment).several_models
        if phase == "load" and several:
            self._say("")
            self._say(f"{_tag(experiment, step)}Loading model...")
        elif phase == "infer":
            conversion = step.model.chinese if step.task == "asr" else "off"
            self._growing = GrowingText(step.model.language, conversion)
            self._say(_tag(experiment, step) + _doing(step, several=several))

    def chunk(self, text: str, replaces: int) -> None:
        """Take a piece of text, after withdrawing the last ``replaces`` characters."""
        self._show(self._growing.add(text, replaces))

    def step_done(self, experiment: Experiment, step: Step, record: StepRecord) -> None:
        """Tell what came out of a step."""
        self._show("")
        tag = _tag(experiment, step)
        text = _alignment(record.words) if record.task == "align" else record.text
        if streamed := record.text_zh_tw or self._growing.source or text:
            self._say(_cut(streamed) if record.task == "align" else streamed)
        self._growing = GrowingText()
        text = text if record.text_itn is None else record.text_itn
        if record.task != "align" and text is not None:
            word = "Transcript" if shape_of(experiment) is Shape.CHAIN else "Result"
            self._say(f"{tag}{word}: {text}")
        if shape_of(experiment) is Shape.MODELS or (tag and record.task == "asr"):
            self._say(tag + _metrics(record, space=""))
        self._tell_memory(experiment, step, record)

    def iteration_done(self, experiment: Experiment, record: IterationRecord) -> None:
        """Tell the iteration's memory."""
        shape = shape_of(experiment)
        if shape is Shape.MODELS:
            for step, done in zip(experiment.steps, record.steps, strict=False):
                self._tell_memory(experiment, step, done)
        elif shape is Shape.CHAIN:
            self._say(_chain_memory(record))
        elif record.steps:
            self._say(f"{_metrics(record.steps[-1], space=' ')}, Memory: {number(record.memory / MB)} MB")

    def _iteration_heading(self, experiment: Experiment, iteration: int) -> None:
        self._say("")
        if shape_of(experiment).several_models:
            for line in title_block(f"Iteration {iteration}/{experiment.iterations}"):
                self._write(line)
        else:
            self._say(f"--- Iteration {iteration}/{experiment.iterations} ---")

    def _tell_memory(self, experiment: Experiment, step: Step, record: StepRecord) -> None:
        """Tell a switched model's memory once, as soon as its unload has been read."""
        position = next((i for i, each in enumerate(experiment.steps) if each is step), 0)
        if shape_of(experiment) is not Shape.MODELS or "after_unload" not in record.readings:
            return
        if position not in self._memory_told:
            self._memory_told.add(position)
            self._say(_tag(experiment, step) + _switch_memory(record))

    def _say(self, text: str) -> None:
        self._write(Line(text))


def _tag(experiment: Experiment, step: Step) -> str:
    return f"[{step_name(experiment, step)}] " if shape_of(experiment).several_models else ""


def _doing(step: Step, *, several: bool) -> str:
    if step.task == "asr":
        return "Transcribing..." if several else "Transcribing audio (streaming output)..."
    return "Aligning transcript with audio..." if step.task == "align" else f"Running {step.task}..."


def _metrics(record: StepRecord, *, space: str) -> str:
    """Return TTFT and speed, with the error rate where there is one; ``space`` stands before ``ms``."""
    ttft = UNKNOWN if record.ttft_ms is None else f"{number(record.ttft_ms)}{space}ms"
    speed = record.speed_chars_per_s
    parts = [f"TTFT: {ttft}", f"Speed: {UNKNOWN if speed is None else f'{number(speed)} chars/sec'}"]
    if record.wer_percent is not None:
        parts.append(f"WER: {number(record.wer_percent)}%")
    return ", ".join(parts)


def _switch_memory(record: StepRecord) -> str:
    """Return ``Memory: 800.0 → 1500.0 (load) → 1500.0 (infer) → 850.0 (unload)``."""
    readings = record.readings
    first = readings.get("before_load")
    later = [
        f"{number(readings[boundary].rss / MB, 1)} ({boundary.removeprefix('after_')})"
        for boundary in ("after_load", "after_infer", "after_unload")
        if boundary in readings
    ]
    return "Memory: " + " → ".join([number(first.rss / MB, 1) if first else UNKNOWN, *later])


def _chain_memory(record: IterationRecord) -> str:
    """Return ``[Summary] Memory: 34.0 → 550.0 MB (delta: +516.0 MB)``."""
    first = record.steps[0].readings.get("before_load") if record.steps else None
    now = number(record.memory / MB, 1)
    if first is None:
        return f"[Summary] Memory: {now} MB"
    delta = (record.memory - first.rss) / MB
    return f"[Summary] Memory: {number(first.rss / MB, 1)} → {now} MB (delta: {delta:+.1f} MB)"


def _alignment(words: list[AlignedWord]) -> str | None:
    """Return the words as the aligner's JSON."""
    entries = [{"start": word.start_ms, "end": word.end_ms, "text": word.text} for word in words]
    return msgspec.json.encode(entries).decode() if entries else None


def _cut(text: str) -> str:
    """Return an alignment short enough for a line: whole words, then ``...]``."""
    if len(text) <= _LONGEST_ALIGNMENT:
        return text
    end = text.rfind("},", 0, _LONGEST_ALIGNMENT)
    return f"{text[: end + 2]}...]" if end > 0 else f"{text[:_LONGEST_ALIGNMENT]}..."
