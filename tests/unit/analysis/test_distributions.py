"""Student's t and the gamma distribution: against closed forms, and over the whole range against exact arithmetic."""

import math
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.analysis import MemorySeries, judge
from orchestrator.analysis.fitting.distributions import (
    gamma_above,
    gamma_quantile,
    student_at,
    student_quantile,
)
from orchestrator.analysis.fitting.mixture import mixture_quantile
from orchestrator.analysis.series import FloatArray

FINE = 1e-11
"""Relative, below the ninth digit that is asked for; student's degrees multiply the rounding of a logarithm."""

TINY = math.ulp(0.0)

degrees_of_freedom = st.floats(1.0, 1e4)
shapes = st.floats(0.5, 1e5)
probabilities = st.floats(1e-6, 1.0 - 1e-6)


def exact_t(degrees: float, value: float) -> float:
    """Return the probability below ``value``, reckoned with 40 digits."""
    mpmath = pytest.importorskip("mpmath", reason="needs the extra 'test'")
    with mpmath.workdps(40):
        of, square = mpmath.mpf(degrees), mpmath.mpf(value) ** 2
        tail = mpmath.betainc(of / 2, 0.5, 0, of / (of + square), regularized=True) / 2
        return float(tail if value < 0 else 1 - tail)


def exact_gamma(shape: float, value: float, *, above: bool = True) -> float:
    """Return the probability above ``value``, or below it, reckoned with 40 digits."""
    mpmath = pytest.importorskip("mpmath", reason="needs the extra 'test'")
    with mpmath.workdps(40):
        found = mpmath.gammainc(mpmath.mpf(shape), mpmath.mpf(value), regularized=True)
        return float(found if above else 1 - found)


def below(degrees: float, value: float) -> float:
    return float(student_at(np.array([degrees]), np.array([value]))[0][0])


@pytest.mark.parametrize("value", [-2.7e12, -40.0, -1.0, -1e-6, 0.0, 0.3, 2.0, 1e3])
def test_t_with_one_and_two_degrees_is_that_of_its_formula(value: float) -> None:
    cauchy = math.atan2(1.0, -value) / math.pi
    assert below(1.0, value) == pytest.approx(cauchy, rel=FINE)
    root = math.sqrt(2.0 + value * value)
    two = 1.0 / (root * (root - value)) if value < 0 else 1.0 - 1.0 / (root * (root + value))
    assert below(2.0, value) == pytest.approx(two, rel=FINE)


def test_each_entry_has_its_own_degrees_and_density() -> None:
    degrees, values = np.array([1.0, 2.0, 1.0]), np.array([1.0, 0.0, -1.0])
    probability, density = student_at(degrees, values)
    assert probability == pytest.approx([0.75, 0.5, 0.25], rel=FINE)
    assert density == pytest.approx([0.5 / math.pi, 1 / math.sqrt(8), 0.5 / math.pi], rel=FINE)


@given(degrees_of_freedom, st.floats(-60.0, 60.0))
def test_t_is_that_of_exact_arithmetic(degrees: float, value: float) -> None:
    expected = exact_t(degrees, value)
    if expected > 1e-290:
        assert below(degrees, value) == pytest.approx(expected, rel=FINE)


@given(degrees_of_freedom, probabilities)
def test_a_quantile_of_t_has_its_probability_below_it(degrees: float, probability: float) -> None:
    quantile = student_quantile(degrees, probability)
    assert exact_t(degrees, quantile) == pytest.approx(probability, rel=FINE)


@given(shapes, st.floats(0.0, 6.0), st.booleans())
def test_gamma_is_that_of_exact_arithmetic(shape: float, widths: float, upwards: bool) -> None:
    value = shape * math.exp((1 if upwards else -1) * widths / math.sqrt(shape))
    expected = exact_gamma(shape, value)
    if expected > 1e-290:
        assert gamma_above(shape, value) == pytest.approx(expected, rel=FINE)


@given(shapes, probabilities)
def test_a_quantile_of_gamma_has_its_probability_below_it(shape: float, probability: float) -> None:
    assert exact_gamma(shape, gamma_quantile(shape, probability), above=False) == pytest.approx(
        probability, rel=FINE
    )


@pytest.mark.parametrize("value", [1e-9, 0.3, 1.0, 3.0, 40.0, 600.0])
def test_gamma_of_whole_shapes_counts_random_events(value: float) -> None:
    assert gamma_above(1.0, value) == pytest.approx(math.exp(-value), rel=FINE)
    four = math.exp(-value) * sum(value**k / math.factorial(k) for k in range(4))
    assert gamma_above(4.0, value) == pytest.approx(four, rel=FINE)


def test_the_ends_are_certain_and_nothing_overflows() -> None:
    assert (gamma_above(2.0, 0.0), gamma_above(2.0, -1.0), gamma_above(2.0, math.inf)) == (1.0, 1.0, 0.0)
    assert gamma_above(1.5, 4e14) == 0.0
    for shape in (0.5, 1.5, 1e5, 1e12):
        below_tiny = math.exp(shape * math.log(1e-17) - math.lgamma(shape + 1.0))
        assert (gamma_above(shape, 1e-17), gamma_above(shape, TINY)) == (pytest.approx(1.0 - below_tiny), 1.0)
        assert (gamma_above(shape, 1e300), gamma_above(shape, sys.float_info.max)) == (0.0, 0.0)
        assert 0.0 <= gamma_quantile(shape, TINY) < shape < gamma_quantile(shape, 1.0 - 1e-16)
    assert (student_quantile(1.0, TINY), student_quantile(3.0, TINY)) == (
        -math.inf,
        pytest.approx(-6.07e107, rel=1e-2),
    )
    assert (student_quantile(9.0, 0.0), student_quantile(9.0, 1.0)) == (-math.inf, math.inf)
    assert (gamma_quantile(9.0, 0.0), gamma_quantile(9.0, 1.0)) == (0.0, math.inf)
    assert student_quantile(3.0, 0.5) == pytest.approx(0.0, abs=1e-12)
    assert below(50.0, 1e200) == 1.0
    # So many events are known to one in the square root of their number.
    assert gamma_quantile(1e12, 0.975) / 1e12 - 1 == pytest.approx(1.959964e-6, rel=1e-5)


@pytest.mark.parametrize("value", [1e-9, 0.2, 0.49, 0.51, 1.49, 1.51, 9.0])
def test_gamma_has_its_digits_on_both_sides_of_where_its_logarithm_is_taken_otherwise(value: float) -> None:
    for shape in (0.5, 1.5, 80.0):
        expected = exact_gamma(shape, shape * value)
        assert gamma_above(shape, shape * value) == pytest.approx(expected, rel=FINE)


@pytest.mark.parametrize("tolerance", [1e-18, TINY])
def test_a_staircase_is_judged_however_little_is_accepted(tolerance: float) -> None:
    stairs = 100.0 + 4.0 * np.repeat(np.arange(10.0), 5)
    assert judge(MemorySeries.of(stairs), tolerance=tolerance).verdict == "leak"


def test_a_mixture_of_one_has_the_quantile_of_its_only_t() -> None:
    for probability in (0.005, 0.025, 0.6, 0.975):
        found = mixture_quantile(probability, *(np.array([x]) for x in (3.0, 0.5, 1.0, 8.0)))
        assert found == pytest.approx(3.0 + 0.5 * student_quantile(8.0, probability), abs=1e-6)


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(-12, 1), st.floats(0.01, 1)), min_size=1, max_size=9))
def test_the_quantile_of_a_mixture_is_on_the_outer_side_of_its_probability(
    models: list[tuple[float, float, float]],
) -> None:
    """Errors reach from 1e-12, where the probability leaps, to 10; one is 1, as floats end near 1e-16."""
    middles, errors, weights = (np.array(each) for each in zip((0.0, 0.0, 0.1), *models, strict=True))
    errors, weights, degrees = 10.0**errors, weights / weights.sum(), np.full(errors.size, 5.0)

    def probability_below(value: float) -> float:
        return float(weights @ student_at(degrees, (value - middles) / errors)[0])

    def quantile(probability: float, middles: FloatArray) -> float:
        return mixture_quantile(probability, middles, errors, weights, degrees)

    step = 1.1e-6 * float(errors.max())
    low, high = quantile(0.025, middles), quantile(0.975, middles)
    assert probability_below(low) <= 0.025 <= probability_below(low + step)
    assert probability_below(high - step) <= 0.975 <= probability_below(high)
