"""A worker that dies while nobody asks it anything: the next reading says what it died of."""

import contextlib
import os
import signal
from collections.abc import Callable

import pytest

from orchestrator.config.model import BoundModel
from orchestrator.config.types import Step
from orchestrator.errors import WorkerDiedError
from orchestrator.experiments.running.draft import StepDraft
from orchestrator.experiments.running.stage import Stage
from orchestrator.process.sampling.sampler import Sampler

STEP = Step(
    task="asr", model=BoundModel(name="small", engine="synthetic", label="small"), sample=None, text=None
)


@pytest.mark.parametrize(
    ("act", "phase"),
    [
        (Stage.load, "load"),
        (lambda stage, _draft: stage.trim(), "trim"),
    ],
    ids=["load", "trim"],
)
@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGKILL])
def test_a_death_between_phases_is_explained(
    act: Callable[[Stage, StepDraft], object], phase: str, number: signal.Signals
) -> None:
    draft = StepDraft(STEP)
    with Sampler(0.02) as sampler, contextlib.ExitStack() as stack:
        stage = Stage({}, sampler, slot=0, heap=True, timeout_s=30, on_phase=lambda *_: None)
        stack.callback(stage.kill)
        stage.start(draft)
        assert stage.watch is not None
        os.kill(stage.watch.pid, number)
        os.waitid(os.P_PID, stage.watch.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(WorkerDiedError) as caught:
            act(stage, draft)
    assert (caught.value.cause, caught.value.phase) == (number.name, phase)
