"""The short forms of benchmarks/soak.py and fuzz_frames.py, by the same code: every fault, nothing lost."""

import sys
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


@pytest.mark.usefixtures("nothing_left")
def test_fuzzed_frames_of_workers_that_are_no_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from fuzz_frames import fuzz

    found = fuzz(frames=600, workers=2, seed=5, first=1000, processes=False)
    assert found["problems"] == []
    assert found["outcomes"]["innocent"] == 120
    assert sum(found["outcomes"].values()) == 720
    # Whether one that says nothing more is seen as a crash depends on which of its pipes is read first.
    assert found["exits"].keys() - {"crash"} == {"protocol"}


def test_a_frame_is_the_same_whatever_was_drawn_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from fuzzed_replies import drawn

    before = [drawn(1, number) for number in range(600)]
    assert drawn(1, 150) == before[150]
    assert len({payload for payload, _ in before}) > 500
    assert any(header for _, header in before)


HARMFUL = """
import os, sys, time
said = dict(zip(sys.argv[1::2], sys.argv[2::2]))
first, count = int(said["--first"]), int(said["--frames"])
progress = os.open(said["--progress"], os.O_WRONLY)
for number in range(first, first + count):
    os.pwrite(progress, max(first, number - 3).to_bytes(8, "little") + (number + 1).to_bytes(8, "little"), 0)
    if number == 17:
        {harm}
print("{{}}")
"""


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize(
    ("harm", "how"),
    [
        ("os.abort()", "ended by SIGABRT"),
        ("time.sleep(600)", "hung"),
        ("raise KeyError", "ended with status 1"),
    ],
)
def test_a_frame_that_crashes_or_hangs_the_host_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, harm: str, how: str
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from fuzz_frames import blamed, watched

    program = tmp_path / "part.py"
    program.write_text(HARMFUL.format(harm=harm))
    command = [sys.executable, str(program), "--seed", "1"]
    found, said, under_way = watched([*command, "--first", "0", "--frames", "100"], deadline_s=3.0)
    assert (found, said) == ({}, how)
    assert list(under_way) == [14, 15, 16, 17]
    assert blamed(command, under_way, deadline_s=3.0) == [f"frame 17, alone: {how}"]
    assert watched([*command, "--first", "20", "--frames", "5"]) == ({}, "", range(0))
