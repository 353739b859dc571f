"""Where the results of an unfinished command are kept: what makes it another piece of work, and what does not."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from orchestrator.pipeline.kept_results import place_of
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
