"""``--recycle``: what it takes, and what holds without it."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from orchestrator.cli.pipeline_setup import PipelineOptions, recycling
from orchestrator.pool.recycling import Recycle


def options(folder: Path, said: str | None, recycle: str = "") -> PipelineOptions:
    file = folder / "experiments.toml"
    file.write_text(f"schema = 1\n{recycle}\n")
    return PipelineOptions(config=file, recycle=said)


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
    assert recycling(options(tmp_path, said)) == expected


def test_the_files_own_limits_hold_where_no_flag_is_given(tmp_path: Path) -> None:
    model = "[profiles.own.models.aligner]\nengine = 'synthetic'\n"
    table = f"{model}[recycle]\nmax_jobs = 7\n[recycle.models.aligner]\nmax_rss = '1GiB'"
    own = recycling(options(tmp_path, None, table))
    assert (own.max_jobs, own.auto, own.models["aligner"].max_rss) == (7, False, "1GiB")
    assert recycling(options(tmp_path, "auto", table)) == Recycle(auto=True)


@pytest.mark.parametrize("said", ["", "0", "-3", "never", "1.5", "auto,off", "²", "٣"])
def test_other_words_are_refused(tmp_path: Path, said: str) -> None:
    with pytest.raises(typer.BadParameter, match="auto, off, or a number of jobs"):
        recycling(options(tmp_path, said))
