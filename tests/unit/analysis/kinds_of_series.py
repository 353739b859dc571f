"""Series of every kind that memory makes, drawn at random and the same each time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from orchestrator.analysis import MemorySeries

Floats = npt.NDArray[np.float64]
Maker = Callable[[np.random.Generator, int, Floats], Floats]


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
