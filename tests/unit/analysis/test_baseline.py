"""Growth and level beyond the process-restart baseline."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest

from orchestrator.analysis import (
    MemorySeries,
    growth_beyond,
    hold_against,
    judge,
    level_above_fresh,
    level_beyond,
    robust_slope,
)


def test_difference_is_found_with_its_interval() -> None:
    rng = np.random.default_rng(4)
    restart = robust_slope(300 + 6.9 * np.arange(60) + 0.5 * rng.standard_normal(60))
    fresh = robust_slope(310 + 0.5 * rng.standard_normal(50))
    found = growth_beyond(restart, fresh)
    assert found.low < 6.9 < found.high
    assert found.resolved
    assert found.value == pytest.approx(restart.rate - fresh.rate)


def test_the_same_growth_is_no_difference_as_often_as_it_says() -> None:
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(200):
        a, b = (robust_slope(0.2 * np.arange(40) + rng.standard_normal(40)) for _ in range(2))
        held += not growth_beyond(a, b).resolved
    assert 0.90 <= held / 200 <= 1.0


def test_every_channel_that_both_have_is_held_against_the_baseline() -> None:
    n = np.arange(40)
    own = judge(
        MemorySeries.of(200 + 7.0 * n, rss_anon_mb=150 + 7.0 * n, live_mb=20 + 0.3 * n, held_mb=100 + 6.7 * n)
    )
    fresh = judge(MemorySeries.of(200 + 0.5 * n, rss_anon_mb=150 + 0.5 * n))
    found = hold_against(own, fresh, series="recycle", boundary="after_infer", iterations=40)
    assert set(found.channels) == {"rss", "rss_anon"}
    assert found.rate_channel == "rss"  # the live heap decided, but the baseline has none
    rss = found.channels["rss"]
    assert (rss.fresh_mb_per_iteration, rss.beyond_mb_per_iteration) == (
        pytest.approx(0.5),
        pytest.approx(6.5),
    )
    assert rss.beyond_ci_low is not None
    assert rss.beyond_ci_low > 6.4


def test_a_short_baseline_gives_a_difference_without_interval() -> None:
    own, fresh = (
        judge(MemorySeries.of(100 + 2.0 * np.arange(20))),
        judge(MemorySeries.of([100.0, 100.0, 100.0])),
    )
    found = hold_against(own, fresh, series="recycle", boundary="after_unload", iterations=3).channels["rss"]
    assert found.beyond_mb_per_iteration == pytest.approx(2.0)
    assert (found.beyond_ci_low, found.beyond_ci_high) == (None, None)


def test_the_level_is_that_of_the_mean_and_its_doubt() -> None:
    found = level_beyond(300.0, [100.0, 102.0, 104.0])
    assert found.value == pytest.approx(198.0)
    assert found.high - found.value == pytest.approx(4.303 * 2 / 3**0.5, rel=1e-3)
    assert (level_beyond(300.0, [100.0]).low, level_beyond(300.0, [100.0]).high) == (-inf, inf)


@pytest.mark.parametrize(
    ("iteration", "recycle_after", "life"),
    [(50, 1, 1), (50, 5, 5), (3, 5, 3), (50, 9, 5)],
    ids=["fresh each time", "at the end of its life", "as old as it", "the oldest there is"],
)
def test_a_process_is_held_against_fresh_ones_of_its_own_age(
    iteration: int, recycle_after: int, life: int
) -> None:
    by_life = {age: [100.0 + age] for age in range(1, 6)}
    found = level_above_fresh(iteration, 300.0, by_life, recycle_after)
    assert found is not None
    assert (found.life, found.fresh_rss_mb, found.above_mb) == (life, 100.0 + life, 200.0 - life)


def test_without_fresh_readings_there_is_no_level() -> None:
    assert level_above_fresh(5, 300.0, {}, 1) is None
    with pytest.raises(ValueError, match="no fresh reading"):
        level_beyond(1.0, [])
