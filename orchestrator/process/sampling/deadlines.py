"""Deadlines at a fixed pace that do not drift. Pure: the time is passed in."""

from __future__ import annotations


class Deadlines:
    """Every ``interval_ns`` from the start on, whatever the work in between takes.

    A deadline that could not be kept is counted in ``missed`` and not made up for: samples in a burst would
    say nothing, and cost the time that was short already.
    """

    def __init__(self, interval_ns: int, now_ns: int) -> None:
        """Set the first deadline one interval from now.

        Raises:
            ValueError: The interval is not positive.
        """
        if interval_ns <= 0:
            raise ValueError(f"the sampling interval must be positive, not {interval_ns} ns")
        self._interval_ns = interval_ns
        self.next_ns = now_ns + interval_ns
        self.missed = 0

    def wait_ns(self, now_ns: int) -> int:
        """Return how long it is until the next deadline; 0 when it has come."""
        return max(0, self.next_ns - now_ns)

    def keep(self, now_ns: int) -> None:
        """Count the deadline that has come as kept, those after it that have passed too as missed."""
        missed = (now_ns - self.next_ns) // self._interval_ns
        self.missed += missed
        self.next_ns += (missed + 1) * self._interval_ns

    def restart(self, now_ns: int) -> None:
        """Go on one interval from now; what passed meanwhile was a pause and is not missed."""
        self.next_ns = now_ns + self._interval_ns
