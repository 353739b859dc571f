"""Model files that have become smaller than they were, or than somebody says they are."""

from typing import Any

import pytest

from orchestrator.config.model import BoundModel
from orchestrator.config.types import Experiment, Plan, Series, Step
from orchestrator.experiments.storage.file_hashes import HashedFile
from orchestrator.experiments.storage.model_sizes import shrunken_models

FILE = "/models/asr.bin"


def plan(**options: Any) -> Plan:
    model = BoundModel(name="asr-small", engine="chatllm", label="0.6B", file=FILE, options=options)
    experiment = Experiment(
        name="exp",
        title="",
        series=[Series("recreate")],
        iterations=1,
        recycle_after=1,
        sample_interval_ms=20,
        heap=True,
        timeout_s=60.0,
        output="o.json",
        steps=[Step("asr", model, None, None)],
    )
    return Plan("experiments.toml", "p", "", [experiment], keep_runs=20)


def sized(size_bytes: int, path: str = FILE) -> list[HashedFile]:
    return [HashedFile(path, size_bytes, "0")]


@pytest.mark.parametrize(
    ("now", "earlier", "options", "words"),
    [
        (1000, [], {}, None),
        (1000, [sized(1000), sized(900)], {}, None),
        (1000, [sized(5000, "/models/other.bin")], {}, None),
        (1000, [sized(1500), sized(1000)], {}, "has 1,000 bytes, 500 fewer than it had in an earlier run"),
        (1000, [], {"size_bytes": 1024}, "24 fewer than it should have by its option size_bytes"),
        (1024, [], {"size_bytes": 1024}, None),
        (1000, [], {"size_bytes": "1024"}, None),
    ],
)
def test_only_a_smaller_file_is_warned_of(
    now: int, earlier: list[list[HashedFile]], options: dict[str, Any], words: str | None
) -> None:
    found = shrunken_models(plan(**options), sized(now), earlier)
    assert [words in warning for warning in found if words] == ([True] if words else [])
    assert len(found) == (words is not None)


def test_a_file_that_is_not_there_is_somebody_elses_business() -> None:
    assert shrunken_models(plan(), [], [sized(1000)]) == []
