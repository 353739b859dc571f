"""The engines that say they may be forked, forked: the same answers as from workers that load by themselves."""

import importlib.util
import os
from pathlib import Path
from typing import Any

import pytest
from chatllm_bench import Bench

from doubles import write_audio
from orchestrator.pool.events import WorkerStarted
from orchestrator.pool.jobs import Align, EngineJob, Transcribe
from orchestrator.pool.models import Model
from orchestrator.pool.pool import Pool
from orchestrator.pool.recycling import Recycle
from orchestrator.process import fork_server as fork_server_module

JFK = Path(__file__).parents[2] / "samples" / "jfk.wav"
pytestmark = [
    pytest.mark.usefixtures("nothing_left"),
    pytest.mark.skipif(
        not (hasattr(os, "pidfd_open") and Path("/proc/self/task").is_dir()),
        reason="warm starts need pidfds and /proc",
    ),
]


def answers(model: Model, jobs: list[EngineJob], cache: Path) -> tuple[list[Any], set[str], str]:
    """Return the results, each from a process of its own, how those were started, and why they were cold."""
    starts: set[str] = set()

    def note(event: Any) -> None:
        if isinstance(event, WorkerStarted):
            starts.add(event.start)

    with Pool(models=[model], recycle=Recycle(max_jobs=1), on_event=note, cache_dir=cache) as pool:
        results = [pool.run(job) for job in jobs]
        why = next(each.cold_because for each in pool.stats().models if each.model == model.name)
    return results, starts, why


def said(result: Any) -> Any:
    if hasattr(result, "text"):
        return result.text
    return [(word.text, word.start_ms, word.end_ms) for word in result.words]


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fork_server_module, "ANSWER_TIMEOUT_S", 60.0)


@pytest.mark.usefixtures("patience")
@pytest.mark.parametrize("role", ["asr", "aligner"])
def test_chatllm_warm_is_chatllm_cold(bench: Bench, tmp_path: Path, role: str) -> None:
    write_audio(bench.folder / "speech.wav", 3.0)
    file = bench.checkout.aligner if role == "aligner" else bench.checkout.model
    jobs: list[EngineJob] = [
        Align(role, bench.folder / "speech.wav", "And so my")
        if role == "aligner"
        else Transcribe(role, bench.folder / "speech.wav")
    ] * 3

    def run(start: Any) -> tuple[list[Any], set[str], str]:
        model = Model(
            name=role,
            engine="chatllm",
            file=file,
            library=bench.checkout.library,
            language="English",
            env={**bench.env, "CHATLLM_DOUBLE": "weights=1 context_shows=1"},
            start=start,
            sandbox="off",
        )
        return answers(model, jobs, tmp_path / "cache")

    cold, _, _ = run("cold")
    warm, starts, why = run("warm")
    assert (starts, why) == ({"warm"}, "")
    assert [said(each) for each in warm] == [said(each) for each in cold]


@pytest.mark.usefixtures("patience")
@pytest.mark.skipif(importlib.util.find_spec("pocketsphinx") is None, reason="pocketsphinx is not installed")
def test_pocketsphinx_warm_is_pocketsphinx_cold(tmp_path: Path) -> None:
    cut: list[EngineJob] = [Transcribe("sphinx", JFK), Align("sphinx", JFK, "and so my fellow americans")] * 2
    cold, _, _ = answers(
        Model(name="sphinx", engine="pocketsphinx", start="cold", sandbox="off"), cut[:2], tmp_path
    )
    warm, starts, why = answers(
        Model(name="sphinx", engine="pocketsphinx", start="warm", sandbox="off"), cut, tmp_path
    )
    assert (starts, why) == ({"warm"}, "")
    assert [said(each) for each in warm] == [said(each) for each in cold] * 2
