"""One module words a judgement: short, long, and by the hour where there is a clock."""

from __future__ import annotations

import pytest

from orchestrator.analysis.judging.judged import (
    AgainstBaseline,
    BeyondBaseline,
    CountJudgement,
    Growth,
    Judged,
)
from orchestrator.report import judged_words as words

LEAK = {
    "verdict": "leak",
    "iterations": 50,
    "rate_mb_per_iteration": 0.3,
    "ci_low": 0.29,
    "ci_high": 0.31,
    "rate_channel": "live",
    "rss_rate_mb_per_iteration": 6.93,
    "warm_up": 3,
    "tolerance": 0.1,
}


def test_the_short_form_is_one_line() -> None:
    assert (
        words.short(Judged(**LEAK))
        == "leak: the live heap grows by 0.30 ± 0.01 MB per iteration, RSS by 6.93"
    )
    assert words.short(Judged(verdict="inconclusive")) == "inconclusive"


def test_the_long_form_has_everything_that_stands_behind_it() -> None:
    held = AgainstBaseline(
        series="recycle",
        boundary="after_infer",
        iterations=50,
        rate_channel="live",
        channels={
            "live": BeyondBaseline(
                fresh_mb_per_iteration=0.0,
                beyond_mb_per_iteration=0.3,
                beyond_ci_low=0.29,
                beyond_ci_high=0.31,
            )
        },
    )
    counted = CountJudgement(
        verdict="leak", first=12, last=61, rate_per_iteration=1.0, ci_low=0.99, ci_high=1.01
    )
    judged = Judged(
        **LEAK,
        reasons=["it is so"],
        settle=["more"],
        composition=Growth(live_heap=0.3),
        descriptors=counted,
        against_baseline=held,
    )
    assert words.short(judged).endswith("; fresh processes by 0.00")
    assert words.long(judged) == [
        "beyond fresh processes: the live heap 0.30 ± 0.01 MB per iteration",
        "made of: live heap 0.30 MB per iteration",
        "because: it is so",
        "50 iterations, the first 3 left out as warm-up; accepted: 0.100 MB per iteration",
        "to settle it: more",
        "descriptors: leak, 1.00 ± 0.01 per iteration (12 at first, 61 at last)",
    ]


def test_growth_of_a_series_with_a_clock_is_told_by_the_hour() -> None:
    judged = Judged(**LEAK, rate_mb_per_hour=108.0)
    assert words.growth_words(judged) == "the live heap grows by 108.00 ± 3.60 MB per hour, RSS by 2494.80"


@pytest.mark.parametrize(
    ("rate", "low", "high", "said"),
    [
        (-0.3, -0.31, -0.29, "RSS falls by 0.30 ± 0.01 MB per iteration"),
        (-0.3, -0.8, 0.2, "RSS changes by -0.30 ± 0.50 MB per iteration"),
        (0.3, -0.2, 0.8, "RSS grows by 0.30 ± 0.50 MB per iteration"),
    ],
)
def test_a_series_that_gets_smaller_is_not_said_to_grow(
    rate: float, low: float, high: float, said: str
) -> None:
    facts = {"rate_mb_per_iteration": rate, "ci_low": low, "ci_high": high, "rate_channel": "rss"}
    assert words.growth_words(Judged(**{"verdict": "flat", **facts})) == said
