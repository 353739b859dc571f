"""Numbers and rates in the cells of tables."""

from __future__ import annotations

import pytest

from orchestrator.report.cells import counted_verdicts, number, rate_with_interval, with_interval
from orchestrator.report.summaries import LeakRate


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (0.0, "0.00"), (-0.001, "0.00"), (-1.5, "-1.50"), (1356.051, "1356.05")]
)
def test_numbers(value: float | None, text: str) -> None:
    assert number(value) == text


def test_a_rate_reads_with_half_its_interval() -> None:
    rate = LeakRate(boundary="after_infer", rate_mb_per_iteration=6.93, ci_low=6.81, ci_high=7.05)
    assert rate_with_interval(rate) == "6.93 ± 0.12"
    assert rate_with_interval(None) == "–"


def test_an_interval_that_is_not_about_its_rate_shows_its_ends() -> None:
    """``1.81 ± 3.21`` would say that no growth is possible, which the interval excludes."""
    assert with_interval(1.81, 0.21, 6.63) == "1.81 (0.21 to 6.63)"
    assert with_interval(1.81, 1.69, 1.93) == "1.81 ± 0.12"
    assert with_interval(1.81, None, None) == "1.81"


@pytest.mark.parametrize(
    ("verdicts", "read"),
    [
        ("flat", "no leak (flat)"),
        ("leak", "leak"),
        ("plateau 3, leak 1, inconclusive 2", "no leak (plateau) 3, leak 1, inconclusive 2"),
        ("not judged", "not judged"),
    ],
)
def test_verdicts_of_several_runs_say_first_that_there_is_no_leak(verdicts: str, read: str) -> None:
    assert counted_verdicts(verdicts) == read
