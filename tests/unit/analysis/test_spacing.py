"""Uneven readings on an even grid: the slope is that of the column they were given with."""

import numpy as np
import pytest

from orchestrator.analysis.judging.composition import ordinary_slope
from orchestrator.analysis.judging.memory_series import MemorySeries
from orchestrator.analysis.judging.spacing import evenly_spaced
from orchestrator.analysis.judging.verdict import pace_of


def line(positions: np.ndarray, rate: float = 0.5, noise: float = 0.2) -> MemorySeries:
    rng = np.random.default_rng(7)
    values = 300 + rate * positions + noise * rng.standard_normal(positions.size)
    return MemorySeries.of(values, rss_anon_mb=values - 20)


def rate_of(series: MemorySeries, step: float) -> float:
    return ordinary_slope(series.rss) / step


def test_even_steps_are_left_alone() -> None:
    positions = np.arange(10.0, 610, 10)
    series, step = evenly_spaced(line(positions), positions)
    assert (len(series), step) == (60, 10)
    assert rate_of(series, step) == pytest.approx(0.5, rel=0.01)


def test_a_clock_that_trembles_is_even() -> None:
    hours = (np.arange(100) * 10 + np.random.default_rng(1).uniform(0, 0.4, 100)) / 3600
    series, step = evenly_spaced(line(hours, rate=30), hours)
    assert len(series) == 100
    assert rate_of(series, step) == pytest.approx(30, rel=0.1)


@pytest.mark.parametrize("seed", range(5))
def test_holes_keep_the_step_and_the_rate(seed: int) -> None:
    every = np.arange(1.0, 81)
    kept = np.sort(np.random.default_rng(seed).choice(every, 70, replace=False))
    series, step = evenly_spaced(line(kept), kept)
    assert (len(series), step) == (int(kept[-1] - kept[0]) + 1, 1.0)
    assert rate_of(series, step) == pytest.approx(0.5, rel=0.02)
    assert series.rss_anon is not None
    assert series.rss - series.rss_anon == pytest.approx(20)


def test_two_paces_in_one_recording_give_one_rate() -> None:
    hours = np.concatenate([np.arange(60) / 60, 1 + np.arange(1, 41) / 2])
    series, step = evenly_spaced(line(hours, rate=10), hours)
    assert rate_of(series, step) == pytest.approx(10, rel=0.02)
    assert 0.3 <= step <= 0.6
    assert series.rss[0] == pytest.approx(300, abs=3)


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_a_few_readings_stay_what_they_are(count: int) -> None:
    positions = np.array([1.0, 5.0, 500.0])[:count]
    series, step = evenly_spaced(line(positions), positions)
    assert len(series) >= min(count, 1)
    assert step > 0


@pytest.mark.parametrize("apart", [[1.0] * 30, [1.0, 3.0] * 15])
def test_what_is_even_has_no_positions_of_its_own_any_more(apart: list[float]) -> None:
    positions = np.cumsum(apart)
    given = MemorySeries.of(300 + 0.5 * positions, positions=positions, elapsed_s=60.0 * positions)
    series, _ = evenly_spaced(given, positions)
    assert (series.positions, series.elapsed_s) == (None, None)


def test_the_pace_is_the_mean_distance_of_iterations_or_hours() -> None:
    values = [300.0, 301.0, 302.0]
    assert pace_of(MemorySeries.of(values, positions=[10, 20, 34])).step == 12.0
    assert pace_of(MemorySeries.of(values, elapsed_s=[0, 900, 3600])).step == 0.5
    assert pace_of(MemorySeries.of(values)).step == 1.0
