"""The cases of a calibration: which there are, and what can be known of them."""

from __future__ import annotations

import pytest

from orchestrator.experiments.calibration.calibrate import Effort
from orchestrator.experiments.calibration.cases import RARE_EVERY, known_cases, with_seed
from orchestrator_worker.engines.options import read_options
from orchestrator_worker.engines.synthetic.options import SyntheticOptions


@pytest.mark.parametrize("iterations", [12, 30, 50, 100, 400])
def test_every_case_is_something_the_engine_can_do(iterations: int) -> None:
    cases = known_cases(iterations)
    assert len({case.name for case in cases}) == len(cases)
    for case in cases:
        read_options(dict(case.options), SyntheticOptions, case.name)
    names = {case.name for case in cases}
    new = {"Python objects", "shared memory", "random leak sizes", "slowly filling cache", "flush"}
    assert new | {f"leak every {RARE_EVERY}th job"} <= names


@pytest.mark.parametrize(("iterations", "known"), [(50, False), (100, False), (250, True), (400, True)])
def test_a_rare_leak_is_beyond_a_short_record(iterations: int, known: bool) -> None:
    (rare,) = (case for case in known_cases(iterations) if case.name.startswith("leak every"))
    assert (rare.beyond == "") is known
    assert {case.name for case in known_cases(iterations) if case.beyond} <= {rare.name}


def test_runs_of_a_case_differ_in_their_random_choices_only() -> None:
    case = known_cases(50)[0]
    assert with_seed(case, 0) is case
    second = with_seed(case, 1)
    assert second.name != case.name
    assert {**second.options, "seed": None} == {**case.options, "seed": None}


def test_the_time_announced_is_that_of_so_many_series() -> None:
    full, quick = Effort.for_full(), Effort.for_quick()
    assert quick.estimate_s(0.2) == pytest.approx(0.2 * quick.series)
    assert full.series > 3 * quick.series
    assert quick.series == len(known_cases(50)) + 9 * 2 + 4 * 2 + 4
