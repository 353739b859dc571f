"""The slope and its interval."""

from __future__ import annotations

import numpy as np
import pytest

from orchestrator.analysis import robust_slope
from orchestrator.analysis.fitting.slope import fgls_slope


def _ar_noise(rng: np.random.Generator, count: int, phi: float) -> np.ndarray:
    noise = rng.standard_normal(count + 50)
    for i in range(1, noise.size):
        noise[i] = phi * noise[i - 1] + noise[i] * np.sqrt(1 - phi * phi)
    return noise[50:]


@pytest.mark.parametrize("phi", [0.0, 0.4, 0.7])
@pytest.mark.parametrize("count", [25, 60])
def test_interval_covers_the_true_slope_as_often_as_it_says(phi: float, count: int) -> None:
    rng = np.random.default_rng(20261121)
    true = 0.3
    trials = 300
    covered = 0
    for _ in range(trials):
        estimate = fgls_slope(100 + true * np.arange(count) + _ar_noise(rng, count, phi))
        covered += estimate.low <= true <= estimate.high
    assert 0.90 <= covered / trials <= 0.995


def test_random_walk_noise_is_seen_and_its_slope_is_the_mean_difference() -> None:
    rng = np.random.default_rng(5)
    walk = np.cumsum(0.2 + rng.standard_normal(150))
    estimate = fgls_slope(walk)
    assert estimate.autocorrelation == 1.0
    assert estimate.rate == pytest.approx((walk[-1] - walk[0]) / 149)


def test_exact_line_has_its_exact_slope() -> None:
    estimate = robust_slope([10 + 0.5 * i for i in range(20)])
    assert estimate.rate == pytest.approx(0.5)
    assert estimate.high - estimate.low < 1e-9


def test_noise_floor_keeps_the_interval_open() -> None:
    estimate = robust_slope([7.0] * 20, noise_floor=0.3)
    assert estimate.low < 0 < estimate.high


def test_a_spike_does_not_move_the_slope() -> None:
    rng = np.random.default_rng(1)
    plain = 50 + 0.1 * np.arange(40) + 0.01 * rng.standard_normal(40)
    spiked = plain.copy()
    spiked[[17, 39]] += 400
    assert robust_slope(spiked).rate == pytest.approx(robust_slope(plain).rate, abs=2e-3)


def test_wider_confidence_is_a_wider_interval() -> None:
    rng = np.random.default_rng(2)
    estimate = robust_slope(rng.standard_normal(30))
    low, high = estimate.interval(0.99)
    assert low < estimate.low < estimate.rate < estimate.high < high
    assert estimate.interval(0.95) == pytest.approx((estimate.low, estimate.high))
    assert estimate.scaled(2.0).high == pytest.approx(2 * estimate.high)


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ([1.0, 2.0, 3.0], "at least 4"),
        ([1.0, float("nan"), 3.0, 4.0, 5.0], "reading 2 of 5 is nan"),
        ([1.0, 2.0, 3.0, 4.0, float("inf")], "reading 5 of 5 is inf"),
        ([[1.0, 2.0], [3.0, 4.0]], "shape"),
    ],
)
def test_bad_input_is_named(values: list[float], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        robust_slope(values)
