"""Levers: what a variant, a load and a trim show, on figures that are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from orchestrator.analysis.planning.lever_words import (
    cost_sentence,
    split_sentence,
    trim_sentence,
    variant_sentence,
)
from orchestrator.analysis.planning.levers import (
    Change,
    Effect,
    Interval,
    Ratio,
    Side,
    TrimEffect,
    VariantEffect,
    split_growth,
    time_ratio,
    variant_effect,
)

TRIM = "MALLOC_TRIM_THRESHOLD_=131072"


def about(rate: float, half: float = 0.1) -> Interval:
    return Interval(rate - half, rate, rate + half)


def side(rss: Interval, heap: float | None = None, times_s: Sequence[float] = (), **more: float) -> Side:
    return Side(rss=rss, heap=None if heap is None else about(heap, 0.005), times_s=times_s, **more)


@pytest.mark.parametrize(
    ("plain", "variant", "live", "effect"),
    [
        (about(6.1), about(0.3), 0.3, "live-leak"),
        (about(6.1), about(0.35), 0.3, "live-leak"),
        (about(6.1), about(0.02), 0.0, "all"),
        (about(6.1), about(2.0), 0.3, "part"),
        (about(6.1), about(2.0), None, "part"),
        (about(6.1), about(6.1), 0.3, "nothing"),
        (about(6.1, 3.0), about(6.5, 3.0), 0.3, "open"),
        (about(6.1, 0.01), about(6.0, 0.01), 0.3, "little"),
        (about(6.1), about(9.0), 0.3, "worse"),
        (about(0.02), about(0.01), 0.0, "no-growth"),
        (about(0.02), about(3.0), 0.0, "worse"),
        (about(1.0, 2.0), about(0.1), 0.0, "open"),
    ],
)
def test_what_a_variant_shows(plain: Interval, variant: Interval, live: float | None, effect: Effect) -> None:
    assert variant_effect(side(plain, live), side(variant, live)).effect == effect


def test_a_leak_and_its_retention_are_taken_apart() -> None:
    found = variant_effect(side(about(6.1), 0.3), side(about(0.3), 0.3))
    assert found.retention == pytest.approx(5.8)
    assert found.unexplained == pytest.approx(0.0)
    assert found.rss.difference == pytest.approx(-5.8)
    assert found.rss.low == pytest.approx(-5.8 - 0.1 * np.sqrt(2))
    assert found.heap is not None
    assert found.heap.difference == pytest.approx(0.0)
    said = variant_sentence(TRIM, found)
    assert said == (
        f"{TRIM} takes RSS growth from 6.10 to 0.30 MB per iteration, which is what the live heap grows by (0.30): "
        "the rest (5.80) was retention"
    )


def test_a_replaced_allocator_has_no_heap_but_the_plain_one_has() -> None:
    found = variant_effect(side(about(6.1), 0.3), side(about(0.3)))
    assert found.heap is None
    assert (found.effect, found.live_heap) == ("live-leak", pytest.approx(0.3))


def test_what_is_left_is_named() -> None:
    found = variant_effect(side(about(6.1), 0.3), side(about(2.0), 0.3))
    assert variant_sentence(TRIM, found).endswith(
        "4.10 of it was retention; what is left is 0.30 of live heap and 1.70 that neither explains"
    )
    unknown = variant_effect(side(about(6.1)), side(about(2.0)))
    assert variant_sentence("jemalloc", unknown, replaced=True).endswith("the live heap is not known")


@pytest.mark.parametrize(
    ("setting", "replaced", "cause"),
    [
        ("MALLOC_ARENA_MAX=1", False, "arenas are not the cause"),
        ("jemalloc", True, "the C library's allocator is not the cause"),
        ("OMP_NUM_THREADS=1", False, "it is not the cause"),
        ("MALLOC_ARENA_MAX=1 and X=2", False, "it is not the cause"),
    ],
)
def test_what_changes_nothing_is_not_the_cause(setting: str, replaced: bool, cause: str) -> None:
    found = variant_effect(side(about(6.1), 0.3), side(about(6.1), 0.3))
    said = variant_sentence(setting, found, replaced=replaced)
    assert said.startswith(f"{setting} changes nothing")
    assert said.endswith(cause)


@pytest.mark.parametrize(
    ("rates", "words"),
    [
        ((about(0.02), about(0.01)), "has nothing to take away"),
        ((about(6.1, 3.0), about(6.5, 3.0)), "more iterations would tell"),
        ((about(6.1), about(9.0)), "makes it worse"),
        ((about(6.1), about(0.02)), "all of the growth was retention"),
        ((about(6.1, 0.01), about(6.0, 0.01)), "changes little"),
    ],
)
def test_every_effect_has_its_words(rates: tuple[Interval, Interval], words: str) -> None:
    assert words in variant_sentence(TRIM, variant_effect(side(rates[0], 0.0), side(rates[1], 0.0)))


# ------------------------------------------------------------------ what it costs


def times(level_s: float, count: int = 40, seed: int = 1) -> list[float]:
    return list(level_s * np.exp(0.02 * np.random.default_rng(seed).standard_normal(count)))


def test_the_time_is_a_ratio_with_an_interval() -> None:
    found = time_ratio(times(0.40), times(0.492, seed=2))
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low < 1.23 < found.high
    assert found.high - found.low < 0.1


def test_a_slow_iteration_now_and_then_does_not_count() -> None:
    slow = times(0.40)
    slow[7] = slow[23] = 9.0
    found = time_ratio(times(0.40), slow)
    assert found is not None
    assert found.ratio == pytest.approx(1.0, abs=0.03)


def test_a_machine_that_was_busy_for_a_while_widens_the_interval() -> None:
    busy = [*times(0.8, 20), *times(0.4, 20)]
    found = time_ratio(times(0.40), busy)
    assert found is not None
    assert found.low is not None
    assert found.low < 1.0


def test_few_readings_give_no_interval_and_none_no_ratio() -> None:
    assert time_ratio([], [1.0]) is None
    assert time_ratio([0.0], [1.0]) is None
    assert time_ratio([1.0] * 3, [2.0] * 3) == Ratio(pytest.approx(2.0))


@pytest.mark.parametrize(
    ("ratio", "words"),
    [
        (Ratio(1.23, 1.19, 1.27), "it costs 23 % more time per iteration (95 %: 19 to 27 %)"),
        (Ratio(0.9, 0.8, 0.95), "it takes 10 % less time per iteration (95 %: 5 to 20 %)"),
        (Ratio(1.01, 0.97, 1.05), "no difference in time per iteration is shown (95 %: -3 to +5 %)"),
        (Ratio(1.5), "the time per iteration changes by +50 % (too few iterations for an interval)"),
    ],
)
def test_the_cost_in_words(ratio: Ratio, words: str) -> None:
    effect = VariantEffect(effect="all", rss=Change(6, 0, -6), time=ratio, peak=Change(890, 620, -270))
    assert cost_sentence(effect) == f"{words}; peak memory is 620 MB instead of 890"
    assert cost_sentence(VariantEffect(effect="all", rss=Change(6, 0, -6))) == ""


@pytest.mark.parametrize(
    ("without", "with_it", "busy"),
    [(1.0, 1.4, False), (0.5, 1.2, False), (5.2, 15.1, True), (9.0, 2.0, True), (None, 9.0, False)],
)
def test_the_time_of_a_busier_machine_proves_nothing(
    without: float | None, with_it: float | None, busy: bool
) -> None:
    plain, variant = (
        Side(rss=about(6.1), times_s=times(level), machine_load=load)
        for level, load in ((0.4, without), (0.8, with_it))
    )
    found = variant_effect(plain, variant)
    assert (found.busy is not None) is busy
    assert ("is not known: the machine was not as busy" in cost_sentence(found)) is busy
    assert ("% more time" in cost_sentence(found)) is not busy


# ------------------------------------------------------------------ per load, per job


@pytest.mark.parametrize(
    ("recreate", "kept", "job", "load", "words"),
    [
        (
            about(0.32, 0.02),
            about(0.30, 0.02),
            "grows",
            "open",
            "jobs grow; whether loading does is not settled",
        ),
        (about(0.301, 0.001), about(0.30, 0.001), "grows", "nothing", "it comes with every job"),
        (about(2.0, 0.01), about(0.0, 0.001), "nothing", "grows", "it comes with loading"),
        (about(2.0, 0.01), about(0.3, 0.01), "grows", "grows", "so both grow"),
        (
            about(2.0, 0.01),
            about(0.03, 0.04),
            "open",
            "grows",
            "loading grows; whether jobs do is not settled",
        ),
        (about(0.2, 0.5), about(0.1, 0.5), "open", "open", "which of them grows is not settled"),
        (about(0.0, 0.01), about(0.3, 0.01), "grows", "shrinks", "it comes with every job"),
    ],
)
def test_growth_per_load_and_per_job(
    recreate: Interval, kept: Interval, job: str, load: str, words: str
) -> None:
    found = split_growth(recreate, kept, channel="live", tolerance=0.02)
    assert (found.job, found.load) == (job, load)
    assert found.per_load.rate == pytest.approx(recreate.rate - kept.rate)
    assert found.per_load.low <= found.per_load.rate <= found.per_load.high
    assert words in split_sentence(found, kept="Restart()")


def test_without_growth_there_is_nothing_to_say() -> None:
    found = split_growth(about(0.0, 0.001), about(0.0, 0.001), channel="rss", tolerance=0.1)
    assert split_sentence(found, kept="Restart()") == ""


# ------------------------------------------------------------------ the trim at the end


@pytest.mark.parametrize(
    ("found", "words", "share"),
    [
        (
            TrimEffect(290, 310),
            "290.0 MB was the allocator's cache and came back with a trim, where memory had grown by 310.0 MB",
            0.935,
        ),
        (
            TrimEffect(290, 310, 0.12),
            "290.0 MB was the allocator's cache and came back with a trim; 0.12 MB per iteration did not",
            0.935,
        ),
        (TrimEffect(400, 310), "400.0 MB was the allocator's cache", 1.0),
        (
            TrimEffect(0.2, 310),
            "gave back 0.20 of the 310.0 MB that memory had grown by: what is left is in use",
            0.0,
        ),
        (TrimEffect(-3.0, 310), "gave back 0.000 of the 310.0 MB", 0.0),
        (
            TrimEffect(20, 0.3),
            "20.0 MB was the allocator's cache and came back with a trim; nothing had grown",
            1.0,
        ),
        (TrimEffect(0.1, -2.0), "", None),
    ],
)
def test_what_came_back_was_retention(found: TrimEffect, words: str, share: float | None) -> None:
    said = trim_sentence(found)
    assert words in said
    assert bool(said) == bool(words)
    assert found.share == (None if share is None else pytest.approx(share, abs=1e-3))


def test_a_sure_difference_of_no_percent_is_none() -> None:
    found = VariantEffect(effect="nothing", rss=Change(1.0, 1.0, 0.0), time=Ratio(0.997, 0.995, 0.999))
    assert cost_sentence(found) == "the time per iteration stays the same (95 %: -0.5 to -0.1 %)"
