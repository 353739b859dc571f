"""One channel: every leak is found and its fixed twin is not called one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scripted import TWINS

from orchestrator.analysis import CLEAN, ChannelVerdict, judge_channel

PAGE = 4096 / 1024**2


def judge(values: object, tolerance: float = 0.1) -> ChannelVerdict:
    return judge_channel(np.asarray(values, dtype=float), tolerance, noise_floor=PAGE)


@pytest.mark.parametrize("name", TWINS)
def test_leak_is_found_with_its_rate(name: str) -> None:
    found = judge(TWINS[name](True))
    assert found.verdict == "leak", found
    assert found.slope.low > 0
    assert found.slope.low <= found.slope.rate <= found.slope.high


@pytest.mark.parametrize("name", TWINS)
def test_fixed_twin_is_not_called_a_leak(name: str) -> None:
    found = judge(TWINS[name](False))
    assert found.verdict != "leak", found


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("steady", "flat"),
        ("after_warm_up", "plateau"),
        ("after_stepwise_warm_up", "plateau"),
        ("in_even_blocks", "plateau"),
        ("under_a_sawtooth", "bounded"),
        ("under_two_levels", "bounded"),
        ("with_spikes", "flat"),
    ],
)
def test_clean_series_are_told_apart(name: str, verdict: str) -> None:
    assert judge(TWINS[name](False)).verdict == verdict


@pytest.mark.parametrize("count", range(10))
def test_fewer_than_ten_iterations_are_inconclusive(count: int) -> None:
    found = judge(10 + 5.0 * np.arange(count))
    assert found.verdict == "inconclusive"
    assert found.settle == (f"at least {10 - count} more iteration{'s' if count < 9 else ''}",)


def test_constant_series_is_flat() -> None:
    found = judge([123.0] * 30)
    assert found.verdict == "flat"
    assert found.slope.low < 0 < found.slope.high


def test_slowing_growth_is_slow_growth() -> None:
    t = np.arange(1, 101)
    found = judge(300 + 30 * np.sqrt(t) + 0.05 * np.random.default_rng(0).standard_normal(100))
    assert found.verdict == "slow-growth"
    assert found.settle


def test_a_pool_of_three_late_blocks_is_not_settled() -> None:
    t = np.arange(1, 61)
    found = judge(300 + 30.0 * (t > 20) + 70.0 * (t > 34) + 18.0 * (t > 52))
    assert found.verdict == "inconclusive"
    assert "steps" in found.reasons[0]
    assert "pool" in found.settle[0]


def test_noise_that_hides_the_slope_asks_for_more_iterations() -> None:
    found = judge(500 + 30 * np.random.default_rng(4).standard_normal(20) + 0.9 * np.arange(20))
    assert found.verdict == "inconclusive"
    assert "more iterations" in found.settle[0]


def test_warm_up_is_reported() -> None:
    assert judge(TWINS["after_warm_up"](True)).warm_up >= 3


def test_late_growth_and_steps_are_named_in_the_reasons() -> None:
    t = np.arange(60)
    late = judge(300 + 2.0 * np.maximum(0, t - 44) + 0.3 * np.random.default_rng(1).standard_normal(60))
    assert late.verdict == "leak"
    assert any("late" in reason for reason in late.reasons)
    at = np.array([8, 13, 22, 27, 36, 44, 55])
    random_blocks = 300 + 8.0 * (t[:, None] >= at).sum(axis=1)
    found = judge(random_blocks)
    assert found.verdict == "leak"
    assert any("steps" in reason for reason in found.reasons)


def test_a_cycle_taken_out_is_named() -> None:
    assert any("repeats" in reason for reason in judge(TWINS["under_a_sawtooth"](True)).reasons)


@pytest.mark.parametrize("tolerance", [0.0, -1.0, float("nan")])
def test_tolerance_must_be_above_zero(tolerance: float) -> None:
    with pytest.raises(ValueError, match="tolerance"):
        judge([1.0] * 20, tolerance)


SERIES = hnp.arrays(np.float64, st.integers(0, 60), elements=st.floats(0, 1e5, width=32))


@settings(max_examples=50, deadline=None)
@given(SERIES)
def test_no_leak_has_an_interval_that_includes_zero(values: np.ndarray) -> None:
    found = judge(values)
    assert found.verdict != "leak" or 0 < found.slope.low <= found.slope.rate <= found.slope.high
    assert 0 <= found.growing <= 1
    assert (found.verdict in ("inconclusive", "slow-growth")) == bool(found.settle)
    assert found.reasons
    assert 0 <= found.warm_up <= max(values.size // 2, 0)


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(sorted(TWINS)), st.booleans(), st.sampled_from([-8, -2, 1, 5]))
def test_scale_does_not_matter(name: str, leak: bool, power: int) -> None:
    values = TWINS[name](leak)
    factor = 2.0**power
    plain = judge_channel(values, 0.1, noise_floor=PAGE)
    scaled = judge_channel(factor * values, factor * 0.1, noise_floor=factor * PAGE)
    assert scaled.verdict == plain.verdict
    assert scaled.slope.rate == pytest.approx(factor * plain.slope.rate, rel=1e-6, abs=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(sorted(TWINS)), st.floats(0, 4000))
def test_level_does_not_turn_a_leak(name: str, shift: float) -> None:
    plain, moved = judge(TWINS[name](True)), judge(TWINS[name](True) + shift)
    assert moved.verdict == plain.verdict == "leak"
    assert moved.slope.rate == pytest.approx(plain.slope.rate, rel=1e-4)


def test_clean_names() -> None:
    assert {"flat", "plateau", "bounded"} == CLEAN
    assert judge([5.0] * 20).clean


def test_a_forecast_of_many_times_the_record_is_no_number() -> None:
    noise = np.random.default_rng(3).normal(0, 40, 14)
    found = judge(1000 + noise)
    assert found.verdict == "inconclusive"
    assert "over 20 times as many iterations" in found.settle[0]


def test_only_what_rose_by_steps_is_said_to_keep_its_largest_size() -> None:
    t = np.arange(200)
    by_steps = judge(300 + 10.0 * (t > 30) + 1.0 * (t > 70))
    smoothly = judge(300 + 10.0 * (1 - np.exp(-t / 12)) + 1.0 * (t > 70))
    assert (by_steps.verdict, smoothly.verdict) == ("plateau", "plateau")
    assert any("keeps the largest size that it ever needed" in reason for reason in by_steps.reasons)
    assert not any("largest" in reason for reason in smoothly.reasons)
