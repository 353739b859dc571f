"""A template that somebody waits for: what it tells, and how its end is told."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.config.model import BoundModel
from orchestrator.config.types import Experiment, Series, Step
from orchestrator.errors import JobError, JobTimeoutError, WorkerDiedError
from orchestrator.experiments.running.draft import StepDraft
from orchestrator.experiments.running.methods import Warm
from orchestrator.experiments.running.stage import Stage
from orchestrator.process.dialogue import Dialogue
from orchestrator.process.loaded_template import LoadedTemplate, NotForkableError
from orchestrator.process.memory import read_boundary
from orchestrator.process.sampling.sampler import Sampler
from orchestrator.process.warm.template import TemplateProcess
from orchestrator_worker.protocol import Job, Load, Loaded

TIMEOUT_S = 60.0
MB = 1024**2
pytestmark = [
    pytest.mark.usefixtures("nothing_left"),
    pytest.mark.skipif(
        not (hasattr(os, "pidfd_open") and Path("/proc/self/task").is_dir()),
        reason="warm starts need pidfds and /proc",
    ),
]


def model(**options: Any) -> BoundModel:
    return BoundModel(name="m", engine="synthetic", label="m", options={"may_fork": True, **options})


@contextlib.contextmanager
def loaded(timeout_s: float = TIMEOUT_S, **options: Any) -> Iterator[LoadedTemplate]:
    told = model(**options)
    template = LoadedTemplate(told, told.spec(), {}, slot=0, timeout_s=timeout_s)
    try:
        yield template
    finally:
        template.close()


def test_its_workers_have_the_model_and_share_it() -> None:
    with loaded(base_kib=30 * 1024, load_ms=100) as template:
        template.check()
        assert 0.1 <= template.load_s <= template.start_s
        assert template.memory.rss > 30 * MB
        with Dialogue({}, fork_server=template.process) as worker:
            assert worker.worker.start == "warm"
            worker.ask(Load(1, template.spec), Loaded, timeout_s=TIMEOUT_S, phase="load")
            memory = read_boundary(worker.worker.pid)
            assert memory.uss is not None
            assert memory.uss < 15 * MB < 30 * MB < memory.rss


def test_what_cannot_be_forked_says_why() -> None:
    with pytest.raises(NotForkableError, match="a fork copies no threads"), loaded(load_leaves="thread"):
        pass


@pytest.mark.parametrize(
    ("how", "error", "words"),
    [
        ("raise", JobError, "the load failed in its template: RuntimeError: synthetic fault: raise"),
        ("abort", WorkerDiedError, "SIGABRT while its template loaded"),
        ("hang", JobTimeoutError, "no result within 0.3 s"),
    ],
)
def test_a_load_that_goes_wrong_is_told(how: str, error: type[Exception], words: str) -> None:
    limit_s = 0.3 if how == "hang" else TIMEOUT_S
    with pytest.raises(error, match=words), loaded(limit_s, faults=[{"how": how, "when": "load", "job": 1}]):
        pass


def test_its_death_is_told_before_anything_is_forked() -> None:
    with loaded() as template:
        os.kill(template.process.pid, signal.SIGKILL)
        os.waitid(os.P_PID, template.process.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(WorkerDiedError, match="its template ended: SIGKILL"):
            template.check()


def test_a_template_that_dies_between_two_jobs_ends_the_series_and_no_cold_process_stands_in() -> None:
    about = Step(task="asr", model=model(), sample=None, text=None)
    of = Experiment("e", "e", [Series("warm")], 3, 1, 20, True, TIMEOUT_S, "e.json", [about])
    pids: list[int] = []

    def infer(stage: Stage, draft: StepDraft) -> None:
        stage.infer(draft, Job("asr", None, "one", None, {}), lambda _: None)
        assert stage.watch is not None
        pids.append(int(Path(f"/proc/{stage.watch.pid}/stat").read_text().rsplit(")", 1)[1].split()[1]))

    with Sampler(0.02) as sampler:

        def make(steps: Any) -> Stage:
            return Stage({}, sampler, slot=0, heap=True, timeout_s=TIMEOUT_S, on_phase=lambda *_: None)

        method = Warm(of, make, infer, lambda _: None)
        try:
            first = StepDraft(about)
            method.iterate([first], last=False)
            assert (first.start, first.template is not None) == ("warm", True)
            second = StepDraft(about)
            method.iterate([second], last=False)
            assert second.template is None
            assert pids[0] == pids[1], "both were forked from the same template"
            os.kill(pids[0], signal.SIGKILL)
            third = StepDraft(about)
            with pytest.raises(WorkerDiedError, match=r"its template (ended|was lost)"):
                method.iterate([third], last=True)
            assert third.start is None
        finally:
            method.kill()


def test_ctrl_c_before_the_wait_for_its_load_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    pids: list[int] = []

    def struck(process: TemplateProcess, _: float) -> None:
        pids.append(process.pid)
        raise KeyboardInterrupt

    monkeypatch.setattr(TemplateProcess, "answer_within", struck)
    with pytest.raises(KeyboardInterrupt), loaded():
        pass
    with pytest.raises(ChildProcessError):
        os.waitpid(pids[0], os.WNOHANG)
