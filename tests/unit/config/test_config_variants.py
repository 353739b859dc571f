"""Variants of an experiment become further series."""

from __future__ import annotations

from pathlib import Path

import pytest
from resolved_plans import VARIANTS, Resolved, problems_of, series_of


def test_variants_are_further_series(right_text: str, resolved: Resolved) -> None:
    text = right_text.replace('name = "two"', 'name = "two"\nenv = { A = "experiment" }') + VARIANTS
    experiment = resolved(text).experiments[1]
    assert series_of(experiment) == [
        "recreate",
        "recycle",
        "recreate@one-arena",
        "recycle@one-arena",
        "recreate@preload",
    ]
    assert experiment.series[0].env == {"A": "experiment"}
    assert experiment.series[2].env == {"A": "variant", "MALLOC_ARENA_MAX": "1"}
    assert experiment.series[4].env == {"A": "experiment", "LD_PRELOAD": "x.so"}


def test_the_flag_for_methods_narrows_what_a_variant_says(right_text: str, resolved: Resolved) -> None:
    experiment = resolved(right_text + VARIANTS, methods=("recycle",)).experiments[1]
    assert series_of(experiment) == ["recycle", "recycle@one-arena"]


@pytest.mark.parametrize("said", ["jemalloc", "mimalloc", "/opt/lib/libx.so"])
def test_a_variant_may_name_an_allocator(said: str, right_text: str, resolved: Resolved) -> None:
    text = right_text + f'[experiment.variants.other]\nallocator = "{said}"\nmethods = ["recreate"]\n'
    series = resolved(text).experiments[1].series
    assert [one.allocator for one in series] == [None, None, said]


def test_the_path_of_an_allocator_counts_from_the_file(right_text: str, resolved: Resolved) -> None:
    text = right_text + '[experiment.variants.other]\nallocator = "lib/libx.so"\n'
    said = resolved(text).experiments[1].series[-1].allocator
    assert said is not None
    assert Path(said).is_absolute()
    assert said.endswith("/lib/libx.so")


def test_an_unknown_allocator_is_refused(right_text: str, resolved: Resolved) -> None:
    text = right_text + '[experiment.variants.other]\nallocator = "jemaloc"\n'
    [problem] = problems_of(lambda: resolved(text))
    assert problem.key_path == "$.experiment[1].variants.other.allocator"
    assert '"jemalloc"' in str(problem)
