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
        iteration_s: Seconds that an iteration took, where rates are per iteration and that was measured.
    """

    step: float = 1.0
    per: Per = "iteration"
    iteration_s: float | None = None


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


class Amount(float):
    """A number that is never written with an exponent for being large: 72,000 and not 7.2e+04."""

    def __format__(self, spec: str) -> str:
        """Format it, from 1,000 on as a whole number."""
        return format(float(self), ",.0f" if spec.endswith("g") and abs(self) >= 1000 else spec)


_DAY_S = 86_400.0


def outlook_words(rate: float, unit: str, per: Per, iteration_s: float | None = None) -> str:
    """Return what a rate comes to in the long run: in 1,000 iterations, and in a day where the pace is known."""
    if per == "hour":
        return f"{_amount(24.0 * rate)} {unit} in a day"
    said = f"{_amount(1000.0 * rate)} {unit} in 1,000 iterations"
    if not iteration_s:
        return said
    return f"{said}, {_amount(rate * _DAY_S / iteration_s)} {unit} in a day at the measured pace"


def _amount(value: float) -> str:
    return format(Amount(value), ".3g")
