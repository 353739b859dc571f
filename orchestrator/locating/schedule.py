"""How many iterations are traced: a warm-up without the tracer, then blocks of equal length.

Where the untraced worker's live heap grows alike with every single iteration, more iterations in a block would show the
same again, and a block is one iteration. What decides a site is untouched by that: as many blocks, each with growth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.analysis.locating.site_growth import growth

BLOCKS = 6
"""Blocks of iterations. A site that grows by chance in all of them is one in 64."""
WARM_UP = 4
MOST_PER_BLOCK = 16
CALLS_PER_BLOCK = 50
"""The calls of one block, where a function is called and not an experiment run."""
TRACED_S = 15.0
"""The traced iterations should take so long; the tracer makes most of them a few times slower."""
SLOWDOWN = 2.5
MOST_TRACE_BYTES = 2 * 1024**3
STEADY = 0.02
"""A live heap whose growth per iteration is known to within this share of it grows alike with every iteration."""


@dataclass(frozen=True)
class Schedule:
    """``iterations`` per block where somebody said so, else as many as the time of one allows."""

    warm_up: int = WARM_UP
    blocks: int = BLOCKS
    iterations: int | None = None
    most_trace_bytes: int = MOST_TRACE_BYTES

    def per_block(self, seconds: float, *, calls: bool = False) -> int:
        """Return the iterations (or ``calls``) of a block, one of which takes ``seconds`` untraced."""
        if self.iterations is not None:
            return self.iterations
        fitting = TRACED_S / self.blocks / SLOWDOWN / max(seconds, 1e-6)
        return max(1, min(CALLS_PER_BLOCK if calls else MOST_PER_BLOCK, int(fitting)))

    def steady(self, live: Sequence[int]) -> bool:
        """Whether one iteration a block is enough, by the live bytes before the first and after each untraced one."""
        if self.iterations is not None or len(live) != self.blocks + 1:
            return False
        rate = growth(live, [1] * self.blocks)
        return rate.low > 0 and rate.high - rate.per_iteration <= STEADY * rate.per_iteration
