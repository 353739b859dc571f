"""What an experiment is told to do next: not what it has just done."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from record_builders import ended, experiment, iteration, reading, records, step_record

from orchestrator.config.types import Series
from orchestrator.experiments.judging.judgement import judge_series
from orchestrator.experiments.storage.records import SeriesRecords

HELD_MB = 2.0
TRIM = Series("reuse", "trim", {"MALLOC_TRIM_THRESHOLD_": "131072"})
JEMALLOC = Series("reuse", "jemalloc", allocator="jemalloc")


def holding(count: int, *, trimmed: bool) -> SeriesRecords:
    """Free memory that the allocator holds grows; live heap and the rest are at rest."""
    made = []
    for n in range(1, count + 1):
        rss = 100 + HELD_MB * n
        sizes = {"heap_live": 20 << 20, "heap_held": int((rss - 60) * 2**20)}
        done = step_record(None, readings={"after_infer": reading(rss, **sizes)})
        made.append(iteration(n, done, memory_mb=rss, series="reuse"))
    return records("reuse", made, ended(count, "reuse", trimmed=trimmed))


@pytest.mark.parametrize(
    ("variants", "trimmed", "said"),
    [
        ([], False, "a heap trim at the end (malloc_trim), or a run with MALLOC_TRIM_THRESHOLD_=131072"),
        ([], True, "a run with MALLOC_TRIM_THRESHOLD_=131072"),
        ([TRIM], False, "a heap trim at the end (malloc_trim)"),
        ([TRIM], True, 'a variant with another allocator (allocator = "jemalloc")'),
        ([TRIM, JEMALLOC], True, "40 more iterations, to see whether what is held comes to rest"),
    ],
)
def test_held_memory_asks_for_the_first_lever_that_was_not_pulled(
    variants: Sequence[Series], trimmed: bool, said: str
) -> None:
    found = judge_series(experiment("reuse", series=variants), holding(40, trimmed=trimmed))
    assert (found.verdict, found.settle) == ("inconclusive", [said])
