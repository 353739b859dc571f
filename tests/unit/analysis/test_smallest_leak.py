"""The search for the smallest leak that is found every time, on machines made of plain functions."""

from collections import Counter
from itertools import pairwise

import pytest

from orchestrator.analysis.planning.smallest_leak import RATES_MB, smallest_always_found

RATES = (0.1, 0.2, 0.4, 0.8, 1.6)


def always_above(threshold):
    return lambda rate, runs: runs if rate > threshold else 0


@pytest.mark.parametrize(
    ("threshold", "found"), [(0.0, 0.1), (0.1, 0.2), (0.3, 0.4), (1.0, 1.6), (2.0, None)]
)
def test_a_sharp_threshold_is_found(threshold, found):
    assert smallest_always_found(RATES, always_above(threshold), search_runs=3, confirm_runs=10) == found


def test_one_miss_among_the_confirming_runs_moves_the_answer_to_the_next_rate():
    def misses_the_seventh(rate, runs):
        if rate < 0.4:
            return 0
        return runs - (rate == 0.4 and runs >= 7)

    assert smallest_always_found(RATES, misses_the_seventh, search_runs=3, confirm_runs=10) == 0.8


def test_only_the_answer_is_confirmed():
    asked = Counter()

    def count(rate, runs):
        asked[rate, runs] += 1
        return runs if rate >= 0.2 else 0

    smallest_always_found(RATES, count, search_runs=3, confirm_runs=10)
    assert [rate for rate, runs in asked if runs == 10] == [0.2]
    assert len([rate for rate, runs in asked if runs == 3]) <= 3  # halving: log2 of 5 rates, rounded up


def test_a_rate_that_is_missed_once_in_the_search_counts_as_missed():
    assert (
        smallest_always_found((0.1, 0.2), lambda rate, runs: runs - 1, search_runs=3, confirm_runs=3) is None
    )


def test_the_rates_rise_by_about_a_quarter():
    steps = [after / before for before, after in pairwise(RATES_MB)]
    assert min(steps) > 1.2
    assert max(steps) < 1.3
