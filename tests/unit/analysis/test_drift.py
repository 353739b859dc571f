"""The interval of a level that may wander, and of a line under noise that only returns slowly."""

from __future__ import annotations

import numpy as np
import pytest

from orchestrator.analysis.fitting.drift import drift


def _autocorrelated(rng: np.random.Generator, count: int, phi: float) -> np.ndarray:
    noise = rng.standard_normal(count + 50)
    for i in range(1, noise.size):
        noise[i] += phi * noise[i - 1]
    return noise[50:]


def test_noise_that_returns_narrows_the_interval_and_it_still_holds_the_slope() -> None:
    rng = np.random.default_rng(20261201)
    true, trials = 0.2, 100
    narrower, covered = [], 0
    for _ in range(trials):
        values = true * np.arange(200) + _autocorrelated(rng, 200, 0.6)
        wide, found = drift(values, 0.004), drift(values, 0.004, may_return=True)
        narrower.append((found.high - found.low) / (wide.high - wide.low))
        covered += found.low <= true <= found.high
    assert float(np.median(narrower)) < 0.6
    assert covered >= 90


@pytest.mark.parametrize("count", [30, 100])
def test_growth_of_random_size_keeps_its_wide_interval(count: int) -> None:
    rng = np.random.default_rng(20261202)
    true, trials, covered = 1.0, 200, 0
    for _ in range(trials):
        values = np.cumsum(true * rng.exponential(size=count))
        found = drift(values, 0.004, may_return=True)
        covered += found.low <= true <= found.high
    assert covered / trials >= 0.88


def test_a_line_with_independent_noise_is_known_alike_by_both() -> None:
    rng = np.random.default_rng(20261203)
    values = 0.5 * np.arange(60) + rng.standard_normal(60)
    wide, found = drift(values, 0.004), drift(values, 0.004, may_return=True)
    assert found.rate == pytest.approx(wide.rate, abs=wide.error)
    assert found.high - found.low <= 1.1 * (wide.high - wide.low)
