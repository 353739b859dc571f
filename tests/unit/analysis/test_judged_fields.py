"""What judging says reaches results field by field: nothing is lost, nothing is put into another's place."""

from __future__ import annotations

import numpy as np
import pytest

from orchestrator.analysis import MemorySeries, judge
from orchestrator.analysis.judging.judged import count_judgement, rates_of


def all_channels(*, clock: bool) -> MemorySeries:
    t = np.arange(40.0)
    noise = 0.05 * np.random.default_rng(3).standard_normal(40)
    live, held = 80 + 0.5 * t + noise, 30 + 0.25 * t
    anon = live + held + 20 + 0.125 * t
    elapsed = 90.0 * t if clock else None
    return MemorySeries.of(anon + 30, rss_anon_mb=anon, live_mb=live, held_mb=held, elapsed_s=elapsed)


@pytest.mark.parametrize("clock", [False, True])
def test_a_verdict_fills_its_fields(clock: bool) -> None:
    found = judge(all_channels(clock=clock))
    told = rates_of(found)
    assert found.verdict == "leak"
    for name in (
        "rate_mb_per_iteration",
        "ci_low",
        "ci_high",
        "rate_channel",
        "rss_rate_mb_per_iteration",
        "rss_ci_low",
        "rss_ci_high",
        "heap_rate_mb_per_iteration",
        "heap_ci_low",
        "heap_ci_high",
        "warm_up",
        "tolerance",
    ):
        assert told[name] == getattr(found, name), name
    assert told["rss_rate_mb_per_iteration"] != told["heap_rate_mb_per_iteration"]
    assert told["rate_mb_per_hour"] == (pytest.approx(40 * found.rate_mb_per_iteration) if clock else None)
    assert told["tolerance_mb_per_hour"] == (pytest.approx(40 * found.tolerance) if clock else None)


def test_each_channel_fills_its_fields() -> None:
    found = judge(all_channels(clock=False))
    told = rates_of(found)["channels"]
    assert list(told) == [name for name, _ in found.channels] == ["rss", "rss_anon", "live", "nonmalloc"]
    for name, channel in found.channels:
        one = told[name]
        assert (one.ci_low, one.rate_mb_per_iteration, one.ci_high) == (
            channel.slope.low,
            channel.slope.rate,
            channel.slope.high,
        )
        assert (one.verdict, one.warm_up, one.tolerance) == (
            channel.verdict,
            channel.warm_up,
            channel.tolerance,
        )
        assert one.reasons == list(channel.reasons)


def test_parts_of_the_growth_add_up_and_have_their_names() -> None:
    growth = rates_of(judge(all_channels(clock=False)))["composition"]
    assert growth.live_heap == pytest.approx(0.5, abs=0.01)
    assert growth.held_free == pytest.approx(0.25, abs=0.001)
    assert growth.outside_malloc == pytest.approx(0.125, abs=0.001)
    assert (growth.file_pages, growth.swap, growth.shared_memory) == (
        pytest.approx(0.0, abs=1e-9),
        None,
        None,
    )


def test_counts_fill_their_fields() -> None:
    told = count_judgement([7 + 2 * number for number in range(30)], "descriptors")
    assert told is not None
    assert (told.verdict, told.first, told.last, told.warm_up) == ("leak", 7, 65, 0)
    assert told.rate_per_iteration == pytest.approx(2.0)
    assert told.ci_low is not None
    assert told.ci_high is not None
    assert told.ci_low <= 2.0 <= told.ci_high
    assert told.reasons
    assert count_judgement(None, "threads") is None
    assert count_judgement([], "threads") is None
