"""What is kept free for one job, and for what the growth of many strays, against drawn lives with known growth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from orchestrator.analysis.planning.job_growth import growth_spread, jobs_within_spread, upper_job_growth

Draw = Callable[[np.random.Generator, int], NDArray[np.float64]]

LAWS: dict[str, Draw] = {
    "constant": lambda rng, n: np.full(n, 2.0),
    "uniform": lambda rng, n: rng.uniform(0, 4, n),
    "exponential": lambda rng, n: rng.exponential(2.0, n),
    "gamma": lambda rng, n: rng.gamma(0.5, 4.0, n),
    "lognormal": lambda rng, n: rng.lognormal(0.0, 1.0, n),
    "every tenth": lambda rng, n: np.where(rng.random(n) < 0.1, 20.0, 0.0),
    "two sizes": lambda rng, n: np.where(rng.random(n) < 0.15, 10.0, 0.5),
}


def lives_that_pass(draw: Draw, kept: float, rng: np.random.Generator, *, room: float, lives: int) -> float:
    """Share of lives whose last job, the first to end above ``room - kept``, goes above ``room``."""
    steps = draw(rng, lives * 400).reshape(lives, 400)
    sizes = np.cumsum(steps, axis=1)
    crossed = (sizes > room - kept).argmax(axis=1)
    return float((sizes[np.arange(lives), crossed] > room).mean())


@pytest.mark.parametrize("law", LAWS)
def test_few_lives_pass_whatever_the_law_of_growth(law: str) -> None:
    rng = np.random.default_rng(7)
    shares = [
        lives_that_pass(LAWS[law], upper_job_growth(LAWS[law](rng, 60)), rng, room=205.0, lives=400)
        for _ in range(40)
    ]
    assert np.mean(shares) <= 0.01 + 0.01 * (law == "lognormal"), "a tail that goes on is known least"
    mean_kept = [
        lives_that_pass(LAWS[law], float(LAWS[law](rng, 60).mean()), rng, room=205.0, lives=400)
        for _ in range(5)
    ]
    assert law == "constant" or np.mean(mean_kept) > 5 * np.mean(shares), "which one mean job does not do"


def test_growth_of_one_size_keeps_no_more_than_that() -> None:
    assert upper_job_growth([2.0] * 30) == 2.0
    assert upper_job_growth([0.0, 0.0, 0.0, 12.0] * 10) == pytest.approx(12.0)
    assert upper_job_growth([2.0] * 3) == 0.0, "too few jobs"
    assert upper_job_growth([1.0, -1.0] * 20) == 0.0, "nothing grows"


def test_what_is_kept_is_not_absurd() -> None:
    rng = np.random.default_rng(1)
    kept = upper_job_growth(rng.uniform(1.9, 2.1, 50))
    assert 2.0 <= kept <= 2.3
    assert 8 <= upper_job_growth(rng.exponential(2.0, 400)) <= 16, "2 ln 200 is 10.6"


def test_the_spread_is_that_of_sums() -> None:
    rng = np.random.default_rng(3)
    independent = [growth_spread(rng.normal(2.0, 1.0, 80)) for _ in range(60)]
    assert np.mean(independent) == pytest.approx(1.0, abs=0.15)
    noise = [growth_spread(2.0 + np.diff(rng.normal(0.0, 1.0, 81))) for _ in range(60)]
    assert np.mean(noise) < 0.45, "ups and downs about a line cancel each other"
    assert growth_spread([2.0] * 40) == 0.0


def test_so_many_jobs_fit() -> None:
    assert jobs_within_spread(2.0, 0.0, 100.0, z=2.33) == pytest.approx(50)
    jobs = jobs_within_spread(2.0, 3.0, 100.0, z=2.33)
    assert 2.0 * jobs + 2.33 * 3.0 * jobs**0.5 == pytest.approx(100)
    assert jobs_within_spread(2.0, 3.0, -1.0, z=2.33) == 0.0
