"""Where the results of an unfinished command are kept: what makes it another piece of work, and what does not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from orchestrator.pipeline.kept_results import KeptResults, place_of
from orchestrator.pool.models import Model

MODEL = Model(name="asr", engine="moonshine", threads=4)


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ({"threads": 1}, True),
        ({"threads": None}, True),
        ({"language": "French"}, False),
        ({"options": {"beam": 2}}, False),
    ],
)
def test_a_share_of_the_cores_makes_no_other_work(changed: dict[str, object], same: bool) -> None:
    other = msgspec.structs.replace(MODEL, **changed)
    places = {place_of(Path("kept"), "ab" * 32, [model], ["settings"]) for model in (MODEL, other)}
    assert len(places) == (1 if same else 2)


@pytest.mark.parametrize("made", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to(os.devnull)])
def test_nothing_but_a_file_keeps_results(tmp_path: Path, made: Callable[[Path], object]) -> None:
    path = tmp_path / "kept" / "work.jsonl"
    path.parent.mkdir(mode=0o700)
    made(path)
    with pytest.raises(OSError):
        KeptResults(path)
