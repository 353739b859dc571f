"""What a rate counts by: iterations, or hours where the series has a clock.

The same process read every tenth of a second and every minute is one truth, so that with a clock growth is judged by
the hour, whatever the sampling period; without one an iteration is all there is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Per = Literal["iteration", "hour"]


@dataclass(frozen=True, slots=True)
class Pace:
    """How far apart two readings are.

    Attributes:
        step: Iterations, or hours, from one reading to the next, > 0.
        per: What ``step`` and rates count by.
    """

    step: float = 1.0
    per: Per = "iteration"


EACH_ITERATION = Pace()
"""One reading per iteration."""


def span_words(amount: float, per: Per, more: str = "") -> str:
    """Return ``1 iteration``, ``7 iterations``, ``7 more iterations``, ``2.5 hours``, ``40 more seconds``."""
    if per == "iteration":
        count, unit = f"{amount:.0f}", "iteration"
    else:
        size, unit = next(
            (amount * per_hour, name)
            for per_hour, name in ((1.0, "hour"), (60.0, "minute"), (3600.0, "second"))
            if amount * per_hour >= 1 or name == "second"
        )
        count = f"{size:.2g}" if size < 100 else f"{size:.0f}"
    return f"{count}{more} {unit}{'' if count == '1' else 's'}"


def outlook_words(rate: float, unit: str, per: Per) -> str:
    """Return what a rate comes to in the long run: in 1,000 iterations, or in a day."""
    times, span = (1000.0, "1,000 iterations") if per == "iteration" else (24.0, "a day")
    return f"{times * rate:.3g} {unit} in {span}"
