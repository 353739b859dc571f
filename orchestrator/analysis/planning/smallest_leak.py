"""Search the smallest rate that is found every time, by halving. Pure: how a rate is tried is the caller's.

A few runs a step narrow the rates down, then the rate that is left must be found in many runs; if it is
missed once, the next larger one must. So the answer is a rate *tried* and found in all of its runs; smaller
ones may be found too, now and then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

RATES_MB: tuple[float, ...] = (
    *(0.01, 0.0125, 0.016, 0.02, 0.025, 0.032, 0.04, 0.05, 0.064, 0.08),
    *(0.1, 0.125, 0.16, 0.2, 0.25, 0.32, 0.4, 0.5, 0.64, 0.8, 1.0, 1.25, 1.6, 2.0),
)
"""Rates tried, MB per iteration: ten a decade. 2 MB for 100 iterations is 200 MB, which any machine has."""

CountFound = Callable[[float, int], int]
"""``count(rate, runs)``: in how many of the first ``runs`` runs a leak of ``rate`` was found."""


def smallest_always_found(
    rates: Sequence[float], count: CountFound, *, search_runs: int, confirm_runs: int
) -> float | None:
    """Return the smallest of the ascending ``rates`` found in all of ``confirm_runs`` runs; None: not even the last.

    Larger rates are taken to be found where smaller ones are; ``search_runs`` runs a step decide where to go on.
    """
    low, high = 0, len(rates)
    while low < high:
        middle = (low + high) // 2
        if count(rates[middle], search_runs) == search_runs:
            high = middle
        else:
            low = middle + 1
    for rate in rates[low:]:
        if count(rate, confirm_runs) == confirm_runs:
            return rate
    return None
