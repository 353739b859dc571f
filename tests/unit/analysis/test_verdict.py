"""Several channels together."""

from __future__ import annotations

import numpy as np
import pytest
from scripted import TWINS

from orchestrator.analysis import MemorySeries, Verdict, judge

N = 60
T = np.arange(N, dtype=float)
RNG = np.random.default_rng(3)
QUIET = 0.002 * RNG.standard_normal(N)
FILE = 30.0


def series(
    live: np.ndarray | float = 0.0,
    outside: np.ndarray | float = 0.0,
    held: np.ndarray | float = 0.0,
    file: np.ndarray | float = 0.0,
    **kwargs: object,
) -> MemorySeries:
    live_mb = 80 + live + QUIET
    held_mb = 40 + held + np.zeros(N)
    anon = live_mb + held_mb + 20 + outside + 0.005 * np.sin(T * 7)
    return MemorySeries.of(
        anon + FILE + file,
        rss_anon_mb=anon,
        live_mb=live_mb,
        held_mb=held_mb,
        **kwargs,  # type: ignore[arg-type]
    )


def test_live_growth_is_a_leak_of_the_heap_and_both_rates_are_given() -> None:
    found = judge(series(live=0.3 * T, held=5.0 * T))
    assert (found.verdict, found.rate_channel) == ("leak", "live")
    assert found.rate_mb_per_iteration == pytest.approx(0.3, rel=0.01)
    assert found.heap_rate_mb_per_iteration == pytest.approx(0.3, rel=0.01)
    assert found.rss_rate_mb_per_iteration == pytest.approx(5.3, rel=0.01)
    assert found.ci_low > 0


def test_growth_outside_malloc_is_a_leak() -> None:
    found = judge(series(outside=0.5 * T))
    assert (found.verdict, found.rate_channel) == ("leak", "nonmalloc")


def test_a_masked_leak_is_seen_in_the_heap() -> None:
    found = judge(series(live=0.4 * T, held=-0.4 * T))
    assert (found.verdict, found.rate_channel) == ("leak", "live")
    assert judge(MemorySeries.of(series(live=0.4 * T, held=-0.4 * T).rss)).verdict != "leak"


def test_growth_of_held_memory_is_neither_a_leak_nor_clean() -> None:
    found = judge(series(held=1.0 * T))
    assert found.verdict == "inconclusive"
    assert "trim" in found.settle[0]


def test_slowing_growth_of_held_memory_is_slow_growth() -> None:
    assert judge(series(held=25 * np.sqrt(T + 1))).verdict == "slow-growth"


def test_steps_of_held_memory_with_the_heap_at_rest_are_a_plateau() -> None:
    pool = 40.0 * (T > 25) + 90.0 * (T > 50)
    assert judge(MemorySeries.of(series(held=pool).rss)).verdict == "inconclusive"
    assert judge(series(held=pool)).verdict == "plateau"


def test_noise_of_rss_with_the_heap_at_rest_is_bounded() -> None:
    noisy = 100 + 25 * np.random.default_rng(8).standard_normal(N) + 0.12 * T
    assert judge(MemorySeries.of(series(held=noisy).rss)).verdict == "inconclusive"
    found = judge(series(held=noisy))
    assert found.verdict in ("bounded", "plateau")
    assert any("at rest" in reason for reason in found.reasons)


def test_all_at_rest_is_flat() -> None:
    found = judge(series())
    assert found.verdict == "flat"
    assert not found.settle


def test_file_pages_that_grow_are_slow_growth_not_a_leak() -> None:
    found = judge(series(file=0.8 * T))
    assert (found.verdict, found.rate_channel) == ("slow-growth", "rss")
    assert any("file" in reason for reason in found.reasons)


def test_file_pages_are_seen_beside_noisy_anonymous_memory() -> None:
    noise = 25 * np.random.default_rng(8).standard_normal(N) + 100 + 0.12 * T
    assert judge(series(held=noise, file=9.0 * T)).verdict == "slow-growth"


def test_swap_counts_as_memory() -> None:
    anon = 300 - 1.0 * T
    found = judge(MemorySeries.of(anon + 20, rss_anon_mb=anon, swap_mb=2.0 * T))
    assert (found.verdict, found.rate_channel) == ("leak", "rss_anon")
    assert found.rate_mb_per_iteration == pytest.approx(1.0)
    assert found.composition.swap == pytest.approx(2.0)
    assert found.composition.file_pages == pytest.approx(0.0, abs=1e-9)


def test_shared_memory_that_grows_is_a_leak_not_pages_of_files() -> None:
    shared = 20 + 0.8 * T
    found = judge(MemorySeries.of(150 + shared, rss_anon_mb=np.full(N, 100.0), rss_shmem_mb=shared))
    assert (found.verdict, found.rate_channel) == ("leak", "rss_anon")
    assert found.composition.shared_memory == pytest.approx(0.8)
    assert found.composition.file_pages == pytest.approx(0.0, abs=1e-9)


def test_shared_memory_is_apart_from_what_is_outside_malloc() -> None:
    still, shared = np.full(N, 100.0), 20 + 0.8 * T
    found = judge(
        MemorySeries.of(
            150 + shared, rss_anon_mb=still, rss_shmem_mb=shared, live_mb=still - 40, held_mb=still - 90
        )
    )
    assert (found.verdict, found.rate_channel) == ("leak", "nonmalloc")
    assert found.composition.outside_malloc == pytest.approx(0.0, abs=1e-9)
    assert found.composition.shared_memory == pytest.approx(0.8)


def test_positions_and_times_must_increase_and_steps_of_one_are_dropped() -> None:
    assert MemorySeries.of(np.ones(4), positions=[3, 4, 5, 6]).positions is None
    spread = MemorySeries.of(np.ones(4), positions=[10, 20, 40, 50], elapsed_s=[0, 1, 5, 9]).first(3)
    assert spread.positions is not None
    assert spread.elapsed_s is not None
    assert (spread.positions.tolist(), spread.elapsed_s.tolist()) == ([10, 20, 40], [0, 1, 5])
    with pytest.raises(ValueError, match="positions: reading 3 is 2, not above 2"):
        MemorySeries.of(np.ones(3), positions=[1, 2, 2])
    with pytest.raises(ValueError, match="elapsed_s: reading 2 is 0, not above 5"):
        MemorySeries.of(np.ones(3), elapsed_s=[5, 0, 9])


def test_heap_channel_that_is_off_is_not_believed() -> None:
    zeros = np.zeros(N)
    rss = TWINS["steady"](True)
    found = judge(MemorySeries.of(rss, live_mb=zeros, held_mb=zeros, heap_off="allocator replaced"))
    assert found.verdict == "leak"
    assert found.heap_rate_mb_per_iteration is None
    assert any("allocator replaced" in reason for reason in found.reasons)


def test_live_alone_shows_a_leak_but_never_clears_one() -> None:
    full = series(outside=0.8 * T)
    found = judge(MemorySeries.of(full.rss, rss_anon_mb=full.rss_anon, live_mb=full.live))
    assert found.verdict == "inconclusive"
    leaking = series(live=0.8 * T)
    live_only = MemorySeries.of(leaking.rss, rss_anon_mb=leaking.rss_anon, live_mb=leaking.live)
    assert judge(live_only).verdict == "leak"


def test_live_alone_with_rss_at_rest_is_clean() -> None:
    full = series()
    assert judge(MemorySeries.of(full.rss, rss_anon_mb=full.rss_anon, live_mb=full.live)).verdict == "flat"


def test_negative_nonmalloc_is_not_believed() -> None:
    full = series()
    found = judge(
        MemorySeries.of(full.rss, rss_anon_mb=full.rss_anon, live_mb=full.live, held_mb=np.full(N, 6000.0))
    )
    assert "nonmalloc" not in dict(found.channels)
    assert found.composition.outside_malloc is None
    assert any("exceed" in reason for reason in found.reasons)


def test_inconclusive_without_heap_asks_for_the_heap_channel() -> None:
    found = judge(
        MemorySeries.of(400 + 40 * np.random.default_rng(5).standard_normal(20) + 1.5 * np.arange(20))
    )
    assert found.verdict == "inconclusive"
    assert "heap channel" in found.settle[-1]


def test_slow_live_growth_is_slow_growth() -> None:
    found = judge(series(live=12 * np.sqrt(T + 1)))
    assert (found.verdict, found.rate_channel) == ("slow-growth", "live")


def test_composition_adds_up_to_rss() -> None:
    found = judge(series(live=0.3 * T, held=1.0 * T, outside=0.2 * T, file=0.1 * T))
    parts = found.composition
    assert parts.live_heap == pytest.approx(0.3, rel=0.01)
    assert parts.held_free == pytest.approx(1.0, rel=0.01)
    assert parts.outside_malloc == pytest.approx(0.2, rel=0.01)
    assert parts.file_pages == pytest.approx(0.1, rel=0.01)
    assert parts.swap is None


def test_channels_that_do_not_fit_are_named() -> None:
    with pytest.raises(ValueError, match="live: 3 readings, but the other channels have 20"):
        MemorySeries.of(np.ones(20), live_mb=np.ones(3))
    with pytest.raises(ValueError, match="held: reading 1 of 20 is nan"):
        MemorySeries.of(np.ones(20), held_mb=[np.nan] * 20)


def test_tolerance_follows_the_size_of_the_process() -> None:
    assert judge(MemorySeries.of([100.0] * 20)).tolerance == 0.1
    assert judge(MemorySeries.of([5000.0] * 20)).tolerance == pytest.approx(0.5)
    assert judge(MemorySeries.of([5000.0] * 20), tolerance=2.0).tolerance == 2.0


@pytest.mark.parametrize("count", [0, 1, 3, 9])
def test_short_series_are_inconclusive(count: int) -> None:
    found: Verdict = judge(series(live=3 * T).first(count))
    assert found.verdict == "inconclusive"


@pytest.mark.parametrize("rate", [0.0, 30.0, 523.62])
def test_the_verdict_does_not_depend_on_how_often_a_process_is_read(rate: float) -> None:
    said: list[tuple[str, float]] = []
    for every_s in (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0):
        times = every_s * np.arange(240)
        noise = 0.004 * np.random.default_rng(7).standard_normal(240)
        found = judge(MemorySeries.of(100 + rate * times / 3600 + noise, elapsed_s=times))
        assert found.readings_per_hour == pytest.approx(3600 / every_s)
        said.append((found.verdict, found.rate_mb_per_iteration * 3600 / every_s))
    assert {verdict for verdict, _ in said} == {"leak" if rate else "flat"}
    assert [per_hour for _, per_hour in said] == pytest.approx([rate] * 7, abs=0.2)


def test_a_tolerance_of_a_series_with_a_clock_is_per_hour() -> None:
    times = 10.0 * np.arange(360)
    series_of_an_hour = MemorySeries.of(100 + 5.0 * times / 3600, elapsed_s=times)
    assert judge(series_of_an_hour).verdict == "leak"
    accepted = judge(series_of_an_hour, tolerance=20.0)
    assert accepted.verdict == "slow-growth"
    assert "within the accepted 20: 120 MB in a day" in accepted.reasons[0]


def test_growth_is_counted_by_the_numbers_of_the_iterations() -> None:
    every_tenth = judge(MemorySeries.of(300 + 2.0 * T, positions=10 * (T + 1)))
    assert every_tenth.rate_mb_per_iteration == pytest.approx(0.2)
    kept = np.flatnonzero(np.arange(N) % 5 != 3)
    with_gaps = judge(MemorySeries.of(300 + 0.5 * T[kept], positions=T[kept] + 1))
    assert with_gaps.verdict == "leak"
    assert with_gaps.rate_mb_per_iteration == pytest.approx(0.5, rel=0.01)


def test_growth_within_what_is_accepted_is_told_with_its_numbers() -> None:
    t = np.arange(10_000.0)
    found = judge(MemorySeries.of(100 + t / 1024))
    assert found.verdict == "slow-growth"
    assert found.reasons[0].startswith("grows by 0.000977 ± ")
    assert "within the accepted 0.1: 0.977 MB in 1,000 iterations" in found.reasons[0]
    assert "in a day" not in found.reasons[0], "nothing is known of the pace"
    assert found.warm_up < 100


@pytest.mark.parametrize(("iteration_s", "a_day"), [(0.5, "169 MB in a day"), (0.05, "1,688 MB in a day")])
def test_growth_within_what_is_accepted_is_told_by_the_day_where_the_pace_was_measured(
    iteration_s: float, a_day: str
) -> None:
    series = MemorySeries.of(100 + np.arange(10_000.0) / 1024, iteration_s=iteration_s)
    found = judge(series)
    assert f"in 1,000 iterations, {a_day} at the measured pace" in found.reasons[0]
    assert found.rate_mb_per_iteration == judge(MemorySeries.of(series.rss)).rate_mb_per_iteration


def test_large_rates_are_written_without_an_exponent() -> None:
    t = np.arange(40.0)
    found = judge(MemorySeries.of(100 + 2.0 * t, elapsed_s=0.1 * t))
    assert found.reasons[0].startswith("grows by 72,000 MB per hour")
