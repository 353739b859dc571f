"""What judging a long record costs: promised are 1 s and 100 MB for 10,000 readings, and nothing kept afterwards."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np

from orchestrator.analysis import MemorySeries, judge

MB = 1024 * 1024


def long_record(count: int) -> MemorySeries:
    """Return a record with every channel that leaks 1 KB an iteration."""
    generator = np.random.default_rng(count)
    live = 40 + np.arange(count) / 1024 + 0.01 * generator.standard_normal(count)
    anon = live + 30 + 0.3 * generator.standard_normal(count)
    return MemorySeries.of(anon + 20, rss_anon_mb=anon, live_mb=live, held_mb=np.full(count, 5.0))


def test_a_long_record_is_judged_within_the_promised_time() -> None:
    series = long_record(10_000)
    judge(series)
    started = time.process_time()
    found = judge(series)
    assert time.process_time() - started < 5.0  # five times the promise
    assert found.ci_low <= 1 / 1024 <= found.ci_high


def test_a_long_record_takes_little_memory_and_leaves_none() -> None:
    judge(long_record(100))
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for count in (300, 700, 900, 1100, 10_000):
            judge(long_record(count))
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < 100 * MB
    assert kept - before < 1 * MB
