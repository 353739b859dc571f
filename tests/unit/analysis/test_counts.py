"""Descriptors and threads."""

from __future__ import annotations

import numpy as np
import pytest

from orchestrator.analysis import judge_count

N = np.arange(40)


@pytest.mark.parametrize("every", [1, 2, 5])
def test_descriptors_that_stay_open_are_a_leak(every: int) -> None:
    found = judge_count(12 + N // every, "descriptors")
    assert found.verdict == "leak"
    assert found.slope.rate == pytest.approx(1 / every, rel=0.15)


@pytest.mark.parametrize(
    "counts",
    [np.full(40, 9), 8 + np.minimum(N, 6), 8 + N % 3, 8 + (N % 7 == 0), np.where(N == 20, 30, 9)],
    ids=["constant", "filling pool", "cycle", "now and then", "once"],
)
def test_counts_that_come_back_are_not_a_leak(counts: np.ndarray) -> None:
    assert judge_count(counts, "threads").clean


@pytest.mark.parametrize("bad", [-1, 1.5])
def test_what_is_not_a_count_is_named(bad: float) -> None:
    with pytest.raises(ValueError, match="threads: reading 3 of 12"):
        judge_count([4, 4, bad, *[4] * 9], "threads")
