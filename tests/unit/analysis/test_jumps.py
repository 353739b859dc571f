"""Jumps of a series: where they are, what share of the growth they carry, and how well their rate is known."""

import numpy as np
import pytest

from orchestrator.analysis.fitting.jumps import Jumps, find_jumps, random_events


def test_jumps_have_their_places_sizes_and_share() -> None:
    tail = np.array([0.0] * 4 + [10.0] * 5 + [22.0] * 6 + [22.0, 27.0])
    found = find_jumps(tail, noise_floor=0.01, smallest=6.0)
    assert (found.at, found.sizes, found.count) == ((4, 9), (10.0, 12.0), 17)
    assert found.share == pytest.approx(22 / 27), "the last 5 are too small to be a jump"


def test_a_fall_is_no_jump_and_no_growth_has_no_share() -> None:
    found = find_jumps(np.array([9.0] * 6 + [1.0] * 6), noise_floor=0.01, smallest=1.0)
    assert (found.at, found.share) == ((), 0.0)
    assert find_jumps(np.array([3.0]), noise_floor=0.01, smallest=1.0) == Jumps((), (), 0.0, 1)


def test_a_few_large_jumps_among_small_ones_count_as_fewer() -> None:
    assert Jumps((1, 2, 3, 4), (5.0, 5.0, 5.0, 5.0), 1.0, 9).effective == pytest.approx(4.0)
    assert Jumps((1, 2, 3), (8.0, 1.0, 1.0), 1.0, 9).effective == pytest.approx(100 / 66)
    assert Jumps((), (), 0.0, 9).effective == 0.0


def test_even_jumps_of_one_size_are_known_to_one_more_or_less() -> None:
    even = Jumps((10, 20, 30, 40), (5.0, 5.0, 5.0, 5.0), 1.0, 45)
    assert even.regularity() == (0.0, 0.0)
    assert even.factors() == pytest.approx((0.75, 1.25))


@pytest.mark.parametrize(
    ("number", "least", "most"),
    [(1.0, 0.025318, 5.571643), (4.0, 1.089865, 10.241589), (25.0, 16.178682, 36.904932)],
)
def test_random_jumps_have_the_exact_limits_of_their_number(number: float, least: float, most: float) -> None:
    """The limits of Garwood's table."""
    low, high = random_events(number)
    assert (low * number, high * number) == pytest.approx((least, most), rel=1e-5)
