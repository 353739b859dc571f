"""Growth beyond the process-restart baseline."""

from __future__ import annotations

import numpy as np
import pytest

from orchestrator.analysis import compare_with_baseline, robust_slope, settled_slope, slope_difference


def test_difference_is_found_with_its_interval() -> None:
    rng = np.random.default_rng(4)
    restart = 300 + 6.9 * np.arange(60) + 0.5 * rng.standard_normal(60)
    fresh = 310 + 0.5 * rng.standard_normal(50)
    found = compare_with_baseline(restart, fresh)
    assert found.low < 6.9 < found.high
    assert found.significant
    assert found.difference == pytest.approx(found.first.rate - found.second.rate)


def test_the_same_growth_is_no_difference_as_often_as_it_says() -> None:
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(200):
        a, b = (0.2 * np.arange(40) + rng.standard_normal(40) for _ in range(2))
        held += not slope_difference(robust_slope(a), robust_slope(b)).significant
    assert 0.90 <= held / 200 <= 1.0


def test_warm_up_is_cut_before() -> None:
    series = 100 + 300 * (1 - np.exp(-np.arange(40) / 1.2))
    assert abs(settled_slope(series, "series", 0.004).rate) < 0.05


def test_exact_lines_have_no_interval() -> None:
    found = slope_difference(robust_slope(np.arange(20.0)), robust_slope(np.arange(20.0)))
    assert not found.significant or abs(found.difference) < 1e-9


def test_too_few_readings_are_named() -> None:
    with pytest.raises(ValueError, match="baseline: a slope needs at least 4"):
        compare_with_baseline(np.ones(10), [1.0, 2.0])
