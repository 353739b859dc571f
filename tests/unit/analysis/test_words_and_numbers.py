"""No sentence says what its own numbers deny: words against intervals, over many series of every kind."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from orchestrator.analysis import CLEAN, ChannelVerdict, MemorySeries, Verdict, judge

Floats = npt.NDArray[np.float64]
Maker = Callable[[np.random.Generator, int, Floats], Floats]

REST = ("came to rest", "stays where it began", "do not rise", "at rest")
"""Words that nothing may be said in whose interval lies above zero."""


def _log_uniform(generator: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(generator.uniform(np.log(low), np.log(high))))


KINDS: dict[str, Maker] = {
    "flat": lambda g, n, t: np.zeros(n),
    "small leak": lambda g, n, t: g.uniform(0.001, 0.2) * t,
    "leak": lambda g, n, t: _log_uniform(g, 0.2, 5) * t,
    "leak of random sizes": lambda g, n, t: np.cumsum(g.gamma(0.5, 2 * _log_uniform(g, 0.02, 2), n)),
    "late leak": lambda g, n, t: _log_uniform(g, 0.1, 2) * np.maximum(0, t - g.uniform(0.3, 0.8) * n),
    "cache that fills": lambda g, n, t: _log_uniform(g, 1, 200) * (1 - np.exp(-t / (n * g.uniform(0.05, 1)))),
    "cap reached": lambda g, n, t: np.minimum(t * _log_uniform(g, 0.1, 3), g.uniform(0.1, 0.9) * n),
    "given back once": lambda g, n, t: _log_uniform(g, 0.1, 3) * (t % max(2, int(g.uniform(0.4, 0.9) * n))),
    "sawtooth": lambda g, n, t: (
        _log_uniform(g, 0.1, 3) * (t % g.integers(3, 12)) + g.choice([0, 0.05, 0.5]) * t
    ),
    "wave": lambda g, n, t: _log_uniform(g, 1, 40) * np.sin(t * 6.3 / (n * g.uniform(0.1, 1.2))),
    "falls": lambda g, n, t: -_log_uniform(g, 0.001, 1) * t,
    "square root": lambda g, n, t: _log_uniform(g, 0.1, 20) * np.sqrt(t),
    "steps": lambda g, n, t: np.cumsum((g.random(n) < g.uniform(0.02, 0.2)) * _log_uniform(g, 1, 50)),
    "random walk": lambda g, n, t: np.cumsum(_log_uniform(g, 0.01, 3) * g.standard_normal(n)),
    "largest so far": lambda g, n, t: np.maximum.accumulate(_log_uniform(g, 1, 20) * g.lognormal(0, 1, n)),
}


def made(kind: str, seed: int) -> tuple[MemorySeries, MemorySeries]:
    """Return a series of a kind, by RSS alone and with all channels."""
    generator = np.random.default_rng([seed, len(kind), ord(kind[0])])
    count = int(generator.choice([10, 14, 20, 30, 60, 120, 700]))
    t = np.arange(count, dtype=np.float64)
    live = (
        300
        + KINDS[kind](generator, count, t)
        + generator.choice([0, 0.003]) * generator.standard_normal(count)
    )
    held = 40 + generator.choice([0.0, 0.3]) * t
    rss = live + held + 20 + _log_uniform(generator, 0.001, 3) * generator.standard_normal(count)
    other = MemorySeries.of(rss + 30, rss_anon_mb=rss, live_mb=live, held_mb=held)
    clock = 10.0 * t if generator.random() < 0.3 else None
    return MemorySeries.of(rss, elapsed_s=clock), other


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
