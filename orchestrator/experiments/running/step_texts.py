"""The texts of one iteration's steps, and the languages that their models are started for.

A text written down is known before anything starts; what a step before has heard is known, with its language, when that
step is done. Where an engine reads the language as a model starts, each load is for the language of that step's text.
A method that keeps a model over its steps has started it by then: it is started for its first step.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from orchestrator.config.types import Step
from orchestrator.experiments.running.draft import StepDraft
from orchestrator.process.start_language import READS_LANGUAGE_AT_START, language_to_start
from orchestrator_worker.results import Transcript


class StepTexts:
    """Create one for each iteration. ``loads_each``: whether the method loads a model anew for each step."""

    def __init__(self, steps: Sequence[Step], *, loads_each: bool) -> None:
        self.drafts = [StepDraft(self._started_for(step, None, text_of(step, None))) for step in steps]
        self._loads_each = loads_each
        self._heard: str | None = None
        if not loads_each:
            kept = self.drafts[0].step.model
            for draft in self.drafts:
                if draft.step.model.name == kept.name:
                    draft.step = msgspec.structs.replace(draft.step, model=kept)

    def heard(self, transcript: Transcript) -> None:
        """A step has heard something: later steps may be about that text."""
        self._heard = transcript.text
        for draft in self.drafts:
            if self._loads_each and draft.step.text == "previous" and "before_load" not in draft.readings:
                draft.step = self._started_for(draft.step, transcript.language, transcript.text)

    def of(self, step: Step) -> str | None:
        """Return the text of a step that begins now."""
        return text_of(step, self._heard)

    def _started_for(self, step: Step, heard: str | None, text: str | None) -> Step:
        model = step.model
        if model.engine not in READS_LANGUAGE_AT_START:
            return step
        language = language_to_start(step.task, has=model.language, wanted=heard, text=text)
        if language is None:
            return step
        return msgspec.structs.replace(step, model=msgspec.structs.replace(model, language=language))


def text_of(step: Step, previous: str | None) -> str | None:
    """Return what a step is given to read; ``previous`` is what the step before has heard."""
    if step.text == "previous":
        return previous
    if step.text is None or step.text == "reference":
        return step.sample.reference if step.sample and step.task != "asr" else None
    return step.text
