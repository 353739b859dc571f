"""No sentence says what its own numbers deny: words against intervals, over many series of every kind."""

from __future__ import annotations

import numpy as np
import pytest
from kinds_of_series import KINDS, made

from orchestrator.analysis import CLEAN, ChannelVerdict, MemorySeries, Verdict, judge

REST = ("came to rest", "stays where it began", "do not rise", "at rest")
"""Words that nothing may be said in whose interval lies above zero."""


def holds(
    channel: ChannelVerdict | Verdict, words: str, low: float, rate: float, high: float, accepted: float
) -> None:
    """Check words against the interval they stand beside."""
    assert low <= rate <= high, words
    if channel.verdict == "leak":
        assert low > 0, words
    if channel.verdict in CLEAN:
        assert high < accepted, words
    if channel.verdict == "plateau":
        assert low <= 0, words
    if low > 0:
        assert not any(said in words for said in REST), (words, low)
    if "includes 0" in words or "hides the slope" in words or "cannot be excluded" in words:
        assert low <= 0, words
    if "but may be coming to rest" in words or "within the accepted" in words:
        assert low > 0 or "far within" in words, words
    if "falls by" in words:
        assert high < 0, words
    if "does not slow down" in words or "keep coming" in words:
        assert channel.verdict == "leak", words
    if "were given back by" in words:
        assert channel.verdict == "inconclusive", words


@pytest.mark.parametrize("kind", KINDS)
def test_no_sentence_contradicts_its_numbers(kind: str) -> None:
    for seed in range(8):
        for series in made(kind, seed):
            found = judge(series)
            for _, channel in found.channels:
                slope = channel.slope
                accepted = max(channel.tolerance, found.tolerance)
                holds(channel, "; ".join(channel.reasons), slope.low, slope.rate, slope.high, accepted)
            words = found.reasons[0]
            if "outside malloc are at rest" in words:
                inside = [dict(found.channels)[name].slope.low for name in ("live", "nonmalloc")]
                assert max(inside) <= 0, words
                words = words.partition("at rest")[2]
            holds(found, words, found.ci_low, found.rate_mb_per_iteration, found.ci_high, found.tolerance)
            assert (found.verdict in ("inconclusive", "slow-growth")) == bool(found.settle)


def test_a_series_that_is_given_back_once_is_no_leak_at_any_length() -> None:
    for count in (30, 50, 100, 200):
        t = np.arange(count, dtype=np.float64)
        for share in (0.55, 0.7, 0.85):
            freed = 100 + 0.5 * (t % int(share * count))
            assert judge(MemorySeries.of(freed + 50, rss_anon_mb=freed, live_mb=freed / 2)).verdict != "leak"


def test_a_cache_that_fills_is_no_leak() -> None:
    for count in (30, 50, 100, 200):
        t = np.arange(1, count + 1, dtype=np.float64)
        for share in (0.15, 0.25, 0.4):
            along_an_s = 60 / (1 + np.exp(-(t - 0.5 * count) / (share * count / 4)))
            saturating = 60 * (1 - np.exp(-t / (share * count)))
            for filled in (along_an_s, saturating):
                assert judge(MemorySeries.of(200 + filled)).verdict != "leak"
