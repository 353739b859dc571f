"""The leak that the embedded profile finds in Moonshine is located in the real wheel, down to the two functions."""

from __future__ import annotations

import json
import wave
from pathlib import Path
from typing import Any

import pytest
from lab import REPOSITORY, Lab, experiment

pytest.importorskip(
    "memray", reason="the extra 'locate' is not installed: pip install 'orchestrator[locate]'"
)
pytest.importorskip("moonshine_voice", reason="the extra 'embedded' is not installed")

SPOKEN_S = 2
"""Enough for some words, and quick."""


@pytest.fixture(scope="module")
def located(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    lab = Lab(tmp_path_factory.mktemp("moonshine"))
    shorten(REPOSITORY / "samples" / "phone-en.wav", lab.folder / "tone.wav")
    lab.write(experiment("exp2", "restart", iterations=8), models={"small": {"engine": "moonshine"}})
    done = lab.run("locate", lab.file, "--profile", "lab", "--iterations", "1", "--json")
    assert done.code == 0, done.err
    found: dict[str, Any] = json.loads(done.out)
    return found


def shorten(source: Path, target: Path) -> None:
    with wave.open(str(source)) as reading, wave.open(str(target), "wb") as writing:
        writing.setparams(reading.getparams())
        writing.writeframes(reading.readframes(SPOKEN_S * reading.getframerate()))


def test_the_two_functions_are_named_with_their_module(located: dict[str, Any]) -> None:
    first, second, *rest = located["sites"]
    names = {site["frames"][0]["function"].partition("(")[0] for site in (first, second)}
    assert names == {"ort_get_value_shape", "ort_get_value_type"}
    assert {site["frames"][0]["module"] for site in (first, second)} == {"libmoonshine.so"}
    for site in (first, second):
        assert site["phase"] == "infer"
        assert any("moonshine_tensor_from_ort_tensor" in frame["function"] for frame in site["frames"])
    assert first["blocks"]["per_iteration"] == second["blocks"]["per_iteration"]
    assert all(site["held"]["per_iteration"] < first["held"]["per_iteration"] / 20 for site in rest)


def test_they_explain_the_live_leak(located: dict[str, Any]) -> None:
    """The live heap of the untraced worker is what they are held against."""
    two = sum(site["held"]["per_iteration"] for site in located["sites"][:2])
    measured = located["measured"]["rate"]["per_iteration"] * 1024**2
    assert located["measured"]["channel"] == "heap"
    assert 0.9 <= two / measured <= 1.05
