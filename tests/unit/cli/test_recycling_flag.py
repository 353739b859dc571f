"""``--recycle`` and ``--memory-budget``: what they take, and what holds without them."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
import typer

from orchestrator.cli.pipeline_setup import PipelineOptions, open_pool, recycling
from orchestrator.config.load import load_file
from orchestrator.pool.recycling import Recycle
from orchestrator.process.host.usable_memory import budget_bytes


def recycled(folder: Path, said: str | None, recycle: str = "") -> Recycle:
    file = folder / "experiments.toml"
    file.write_text(f"schema = 1\n{recycle}\n")
    return recycling(said, load_file(file))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (None, Recycle(auto=True)),
        ("auto", Recycle(auto=True)),
        ("off", Recycle()),
        ("20", Recycle(max_jobs=20)),
    ],
)
def test_workers_are_recycled_automatically_unless_something_else_is_said(
    tmp_path: Path, said: str | None, expected: Recycle
) -> None:
    assert recycled(tmp_path, said) == expected


def test_the_files_own_limits_hold_where_no_flag_is_given(tmp_path: Path) -> None:
    model = "[profiles.own.models.aligner]\nengine = 'synthetic'\n"
    table = f"{model}[recycle]\nmax_jobs = 7\n[recycle.models.aligner]\nmax_rss = '1GiB'"
    own = recycled(tmp_path, None, table)
    assert (own.max_jobs, own.auto, own.models["aligner"].max_rss) == (7, False, "1GiB")
    assert recycled(tmp_path, "auto", table) == Recycle(auto=True)


@pytest.mark.parametrize("said", ["", "0", "-3", "never", "1.5", "auto,off", "²", "٣"])
def test_other_words_are_refused(tmp_path: Path, said: str) -> None:
    with pytest.raises(typer.BadParameter, match="auto, off, or a number of jobs"):
        recycled(tmp_path, said)


class Opened(Exception):  # noqa: N818 - stands in for a pool
    """What a pool was asked to be."""

    def __init__(self, **asked: object) -> None:
        self.asked = asked


def asked_for(monkeypatch: pytest.MonkeyPatch, models: int, **said: object) -> dict[str, object]:
    def refuse(*_: object, **asked: object) -> None:
        raise Opened(**asked)

    monkeypatch.setattr("orchestrator.pool.pool.Pool", refuse)
    with pytest.raises(Opened) as opened:
        open_pool(PipelineOptions(**said), models=models)  # type: ignore[arg-type]
    return opened.value.asked


def test_every_model_that_is_used_has_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked_for(monkeypatch, 2, workers=3)["standby"] == 3
    assert asked_for(monkeypatch, 1, workers=3)["standby"] == 0
    assert asked_for(monkeypatch, 2, workers=3, exclusive=True)["standby"] == 0
    options = PipelineOptions()
    assert (options.models_used(words=True), options.models_used(words=False)) == (2, 1)
    assert PipelineOptions(model="one", aligner="one").models_used(words=True) == 1


@pytest.mark.parametrize(("said", "expected"), [("", 0.0), ("vad_threshold = 0.5", 0.5)])
def test_an_engine_that_cuts_is_told_that_it_gets_pieces(
    said: str, expected: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "experiments.toml"
    file.write_text(
        "schema = 1\n[profiles.mine.models.asr-small]\nengine = 'moonshine'\n"
        f"options = {{ {said} }}\n[profiles.mine.models.aligner]\nengine = 'pocketsphinx'\n"
    )
    asked = asked_for(monkeypatch, 2, config=file, profile="mine")
    aligner, model = asked["models"]  # type: ignore[misc]
    assert (aligner.name, aligner.options) == ("aligner", {})
    assert (model.name, model.options) == ("asr-small", {"vad_threshold": expected})


@pytest.mark.timeout(60, method="signal")
def test_a_pipe_in_the_place_of_the_file_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    text = "schema = 1\n[profiles.mine.models.asr-small]\nengine = 'moonshine'\n[recycle]\nmax_jobs = 7\n"
    writing = threading.Thread(target=path.write_text, args=[text], daemon=True)
    writing.start()  # it opens the pipe once there is a reader
    asked = asked_for(monkeypatch, 1, config=path, profile="mine")
    writing.join()
    assert [model.name for model in asked["models"]] == ["asr-small"]  # type: ignore[attr-defined]
    assert asked["recycle"].max_jobs == 7  # type: ignore[attr-defined]


def test_a_budget_is_kept_where_one_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked_for(monkeypatch, 1)["hard_budget"] is False
    for budget in ("500MiB", "2GB", "50%", "1.5GiB"):
        asked = asked_for(monkeypatch, 1, memory_budget=budget)
        assert (asked["hard_budget"], asked["memory_budget"]) == (True, budget)


@pytest.mark.parametrize("budget", ["0%", "101%", "-5%", "half", "%", "5 per cent", "nan%", "0"])
def test_a_budget_that_is_none_is_refused_in_one_sentence(budget: str) -> None:
    with pytest.raises(typer.BadParameter, match=r"--memory-budget: .* is no "):
        open_pool(PipelineOptions(memory_budget=budget))


def test_a_share_is_of_what_the_machine_or_its_group_has() -> None:
    whole = budget_bytes("100%")
    assert abs(budget_bytes("25%") - whole / 4) <= 1
    assert budget_bytes(" 12.5 % ") == int(whole * 0.125)
    assert budget_bytes(None) < whole
    assert budget_bytes("2GB") == budget_bytes("2GiB") == 2 * 1024**3
