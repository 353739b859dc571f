"""How far a series is and how long it will still take. The clock is passed in; nothing is printed here."""

from __future__ import annotations

from collections.abc import Callable


class IterationProgress:
    """Counts the iterations of one series from ``first`` to ``total``."""

    def __init__(self, first: int, total: int, clock: Callable[[], float]) -> None:
        self._before = first - 1
        self.total = total
        self.done = self._before
        self._clock = clock
        self._began = clock()
        self._warm: tuple[int, float] | None = None

    def reached(self, iteration: int) -> None:
        """Note that ``iteration`` is complete."""
        self.done = iteration
        if self._warm is None:
            self._warm = iteration, self._clock()

    @property
    def at_tenth(self) -> bool:
        """Whether the last iteration completed another tenth of the whole."""
        return self.done * 10 // self.total > (self.done - 1) * 10 // self.total

    @property
    def left_s(self) -> float | None:
        """Seconds the rest takes if it goes on as it went; None before the first iteration is complete.

        The first iteration also starts a worker and loads its model: it counts only while there is no other.
        """
        completed = self.done - self._before
        if completed < 1:
            return None
        began, counted = self._began, completed
        if self._warm is not None and self.done > self._warm[0]:
            began, counted = self._warm[1], self.done - self._warm[0]
        return (self._clock() - began) / counted * (self.total - self.done)


def duration(seconds: float) -> str:
    """Return ``45 s``, ``3 min 05 s`` or ``1 h 02 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest_s = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest_s:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def time_left(progress: IterationProgress) -> str:
    """Return ``45 s left``, or nothing before that is known and at the end."""
    return (
        ""
        if progress.left_s is None or progress.done >= progress.total
        else f"{duration(progress.left_s)} left"
    )
