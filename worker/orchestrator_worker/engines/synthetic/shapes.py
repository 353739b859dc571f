"""How a rate of the synthetic engine is spread over events. Pure: takes no memory, reads no clock."""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import log
from random import Random  # here, not at the first draw: an import in mid-series would look like growth


def draw(seed: int, what: str, number: int) -> float:
    """Return the ``number``-th draw in [0, 1) for ``what``; the same in every process on every machine."""
    return Random(f"{seed}:{what}:{number}").random()


class Shape(ABC):
    """How a rate is spread over events."""

    @abstractmethod
    def kib(self, event: int) -> float:
        """Return what the ``event``-th event (from 1) takes."""


class ConstantShape(Shape):
    """Every event takes the same."""

    def __init__(self, rate_kib: float) -> None:
        self._rate_kib = rate_kib

    def kib(self, event: int) -> float:  # noqa: ARG002 - the same for all
        """Return the rate."""
        return self._rate_kib


class ChunkShape(Shape):
    """Whole chunks now and then; the mean is the rate.

    The events are cut into windows of ``chunk / rate``; each window takes one chunk at a drawn place. So the
    total never strays by more than one chunk from the constant shape's.
    """

    def __init__(self, rate_kib: float, chunk_kib: float, seed: int, what: str) -> None:
        self._window = chunk_kib / rate_kib
        self._chunk_kib = chunk_kib
        self._seed = seed
        self._what = what

    def kib(self, event: int) -> float:
        """Return the chunks that fall on this event."""
        index = event - 1
        first, last = int(index / self._window), int((index + 1) / self._window)
        windows = range(max(0, first - 1), last + 2)
        return self._chunk_kib * sum(self._place(window) == index for window in windows)

    def _place(self, window: int) -> int:
        return int((window + draw(self._seed, self._what, window)) * self._window)


class RandomShape(Shape):
    """Each event takes another size, drawn from an exponential distribution whose mean is the rate."""

    def __init__(self, rate_kib: float, seed: int, what: str) -> None:
        self._rate_kib = rate_kib
        self._seed = seed
        self._what = what

    def kib(self, event: int) -> float:
        """Return the size drawn for this event."""
        return -self._rate_kib * log(1 - draw(self._seed, self._what, event))


class PoolShape(Shape):
    """The same with each event until the pool is full, then nothing."""

    def __init__(self, pool_kib: float, fill_events: int) -> None:
        self._step_kib = pool_kib / fill_events
        self._fill_events = fill_events

    def kib(self, event: int) -> float:
        """Return one step while the pool fills."""
        return self._step_kib if event <= self._fill_events else 0
