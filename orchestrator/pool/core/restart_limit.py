"""Restart limit: a model that cannot start k times within a period is taken out of use. Pure.

Without it a broken model means a storm of processes. With it the others go on, and the evidence is kept.
"""

from __future__ import annotations

from collections import deque

MOST_FAILED_STARTS = 3
PERIOD_S = 60.0


class RestartLimit:
    """Counts the failed starts of one model. Times are seconds of the caller's clock."""

    def __init__(self, most: int = MOST_FAILED_STARTS, period_s: float = PERIOD_S) -> None:
        self._most = most
        self._period_s = period_s
        self._failures: deque[tuple[float, str]] = deque(maxlen=most)
        self._in_a_row = 0

    def start_failed(self, now: float, evidence: str) -> bool:
        """Note a failed start; return whether the model is to be taken out of use.

        That is so after ``most`` failures within the period. Starts that take longer to fail than the period
        is long count too when none between them succeeded: they would go on for ever.
        """
        self._failures.append((now, evidence))
        self._in_a_row += 1
        full = len(self._failures) == self._most
        within = full and now - self._failures[0][0] <= self._period_s
        return within or self._in_a_row >= self._most

    def started(self) -> None:
        """Note a start that succeeded."""
        self._in_a_row = 0

    @property
    def evidence(self) -> tuple[str, ...]:
        """What was seen at the last failures, oldest first."""
        return tuple(text for _, text in self._failures)
