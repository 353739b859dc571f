"""When starts that fail are tried again. Pure.

Two reasons are told apart. A *model* that cannot start k times within a period is taken out of use: without that a
broken model means a storm of processes. The others go on, the evidence is kept, and after a pause one more start may
be tried (half open). The *host* may have no descriptors, processes or memory left for one more worker: that is no
model's fault. The workers there are go on, and starts are put off.
"""

from __future__ import annotations

import math
from collections import deque

MOST_FAILED_STARTS = 3
PERIOD_S = 60.0
FIRST_REST_S, LONGEST_REST_S = 5.0, 300.0
"""How long a model is out of use before one more start is tried; twice as long each time that fails."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 30.0
"""How long starts are put off when the host is short of something; twice as long each time it still is."""


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


class Rests:
    """When a model that is out of use may be tried again."""

    def __init__(self) -> None:
        self._rest_s = FIRST_REST_S
        self._until = math.inf

    def begin(self, now: float) -> None:
        """It was taken out of use, perhaps again."""
        self._until = now + self._rest_s
        self._rest_s = min(2 * self._rest_s, LONGEST_REST_S)

    def over(self, now: float) -> bool:
        """Whether one more start may be tried."""
        return now >= self._until

    def forget(self) -> None:
        """It has started."""
        self._rest_s, self._until = FIRST_REST_S, math.inf


class StartPause:
    """Whether starts are put off because the host is short of something. One for all models of a pool."""

    def __init__(self) -> None:
        self.why: str | None = None
        """What the host said; None while it is short of nothing."""
        self.since = math.inf
        self._latest = -math.inf
        self._until = -math.inf
        self._pause_s = FIRST_PAUSE_S

    def begin(self, now: float, why: str) -> float:
        """The host refused a start; return when the next may be tried."""
        if self.why is None:
            self.since = now
        self.why = why
        self._latest = now
        self._until = now + self._pause_s
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        return self._until

    def holds(self, now: float) -> bool:
        """Whether no start may be tried now."""
        return now < self._until

    def end(self) -> None:
        """A process has gone, and what it held is free: a start may be tried at once."""
        self._until = -math.inf

    def started(self, since: float) -> None:
        """A start that was begun at ``since`` has succeeded: that ends a shortage that was there before."""
        if since <= self._latest:
            return
        self.why, self.since, self._until, self._pause_s = None, math.inf, -math.inf, FIRST_PAUSE_S
