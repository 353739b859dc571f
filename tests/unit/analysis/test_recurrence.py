"""Whether steps go on coming."""

from __future__ import annotations

import pytest

from orchestrator.analysis.fitting.recurrence import recurrence

AT = (9, 31, 40, 78)
N = 100


def chance(
    sizes: tuple[float, ...],
    at: tuple[int, ...] = AT,
    *,
    count: int = N,
    tolerance: float = 0.01,
    size_error: float = 0.01,
) -> float:
    return recurrence(at, sizes, count, tolerance, size_error)[0]


def test_equal_steps_go_on_sooner_than_steps_of_any_size() -> None:
    assert chance((8.0, 8.0, 8.0, 8.0)) > 0.85
    assert chance((250.0, 8.0, 41.0, 90.0)) < 0.4


def test_two_blocks_at_once_are_still_the_same_block() -> None:
    twice = chance((8.0, 16.0, 8.1, 7.9))
    assert twice > 0.85
    assert twice > chance((8.0, 13.0, 10.1, 5.2))


def test_what_the_noise_can_make_alike_proves_less() -> None:
    sizes = (8.0, 16.3, 8.2, 7.8)
    assert chance(sizes, size_error=3.0) < chance(sizes)


def test_equal_steps_that_stopped_long_ago_are_over() -> None:
    assert chance((8.0,) * 4, (2, 5, 9, 14)) < 0.05


def test_even_distances_speak_for_going_on_unless_the_next_is_overdue() -> None:
    even, uneven = (20, 40, 60, 80), (9, 38, 60, 80)
    sizes = (8.0, 11.0, 7.0, 9.0)
    assert chance(sizes, even) > chance(sizes, uneven)
    assert chance(sizes, even, count=130) < chance(sizes, even)


def test_crumbs_do_not_count() -> None:
    plain = chance((8.0,) * 4)
    assert chance((0.3, 8.0, 8.0, 8.0, 0.1, 8.0), (3, 9, 31, 40, 55, 78)) == pytest.approx(plain, abs=0.01)


def test_one_step_is_probably_the_last() -> None:
    assert 0.05 < chance((50.0,), (90,)) < 0.3
    assert chance((50.0,), (20,)) < 0.1


def test_steps_below_the_tolerance_are_not_too_fast() -> None:
    assert chance((8.0,) * 4, tolerance=0.3) > 0.2
    assert chance((8.0,) * 4, tolerance=3.0) < 0.001


def test_steps_that_come_down_are_no_growth() -> None:
    assert recurrence((20, 60), (5.0, -9.0), N, 0.1, 0.01) == (0.0, pytest.approx(-0.04))


def test_the_rate_is_that_of_all_steps() -> None:
    assert recurrence(AT, (8.0, -2.0, 8.0, 8.0), N, 0.1, 0.01)[1] == pytest.approx(0.22)


@pytest.mark.parametrize("period", [10, 30])
def test_even_distances_count_as_much_as_chance_makes_them_rare(period: int) -> None:
    """Of three steps: the middle one, placed at random, lies so near to the middle with probability 2 slack / span."""
    last, sizes = 4 * period, (8.0, 11.0, 9.0)
    count = last + period // 2
    even = chance(sizes, (last - 2 * period, last - period, last), count=count, tolerance=1e-9)
    uneven = chance(sizes, (last - 2 * period, last - period // 2, last), count=count, tolerance=1e-9)
    by_chance = 2 * max(1.5, 0.1 * period) / (2 * period)
    expected = (0.4 / by_chance + 0.6) / (0.04 / by_chance + 0.96)
    assert odds(even) / odds(uneven) == pytest.approx(expected / (0.6 / 0.96))


def odds(probability: float) -> float:
    return probability / (1 - probability)
