"""The short form of benchmarks/soak.py, by the same code: every fault, every reason to recycle, nothing lost."""

from pathlib import Path

import pytest

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
