"""The short forms of benchmarks/soak.py and fuzz_frames.py, by the same code: every fault, nothing lost."""

from pathlib import Path

import pytest

from orchestrator_worker.sandbox.kernel import why_not

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.soak
@pytest.mark.usefixtures("nothing_left")
def test_every_job_ends_once_and_rightly_and_the_parent_is_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from soak import FAULTS, soak

    outcome = soak(jobs=500, workers=2, seed=1)
    assert outcome.problems() == []
    assert outcome.faults.keys() == FAULTS.keys()
    assert sum(outcome.outcomes.values()) == 500
    assert outcome.spawns == sum(outcome.exits.values())


@pytest.mark.soak
@pytest.mark.usefixtures("nothing_left")
def test_the_same_from_confined_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    if reason := why_not("strict"):
        pytest.skip(reason)
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from soak import soak

    outcome = soak(jobs=250, workers=2, seed=2, sandbox="strict")
    assert outcome.lost == outcome.doubled == 0
    assert outcome.wrong == []
    assert outcome.after == outcome.before
    assert sum(outcome.outcomes.values()) == 250


@pytest.mark.soak
@pytest.mark.usefixtures("nothing_left")
def test_the_same_where_descriptors_are_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from soak import soak

    outcome = soak(jobs=250, workers=2, seed=3, free=2)
    assert outcome.lost == outcome.doubled == 0
    assert outcome.wrong == []
    assert outcome.after == outcome.before
    assert sum(outcome.outcomes.values()) == 250


@pytest.mark.soak
@pytest.mark.usefixtures("nothing_left")
def test_fuzzed_frames_cost_their_own_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from fuzz_frames import fuzz

    found = fuzz(frames=150, workers=2, seed=4)
    assert found["problems"] == []
    assert found["outcomes"]["innocent"] == 30
    assert sum(found["outcomes"].values()) == 180
    assert found["spawns"] > 75, "hardly a frame leaves its worker alive"
