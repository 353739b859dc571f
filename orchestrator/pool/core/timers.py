"""Who must be looked at when: one deadline per key, on the caller's clock. Pure."""

from __future__ import annotations

import heapq
import itertools
import math
from typing import Generic, TypeVar

K = TypeVar("K")
MOST_STALE = 64


class Timers(Generic[K]):
    """One deadline per key. Moving one later costs a dictionary entry, not a heap operation."""

    def __init__(self) -> None:
        self._due: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._queued: dict[K, float] = {}  # earliest heap entry of a key
        self._order = itertools.count()
        self.earliest = math.inf
        """No deadline is before this; there may be none that early any more."""

    def __len__(self) -> int:
        return len(self._due)

    def set(self, key: K, due: float) -> None:
        """Look at ``key`` at ``due``, instead of when it was due before."""
        self._due[key] = due
        queued = self._queued.get(key)
        if queued is None or due < queued:
            self._push(key, due)

    def clear(self, key: K) -> None:
        """Look at ``key`` no more; harmless when it has no deadline."""
        self._due.pop(key, None)

    def next_due(self) -> float | None:
        """Return the earliest deadline."""
        if self._stale:
            self.rebuild()
        self._drop_stale()
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: float) -> list[K]:
        """Return the keys whose deadline has come, earliest first, and forget them."""
        found: list[K] = []
        self._drop_stale()
        while self._heap and self._heap[0][0] <= now:
            key = heapq.heappop(self._heap)[2]
            self._queued.pop(key, None)
            del self._due[key]
            found.append(key)
            self._drop_stale()
        return found

    def _push(self, key: K, due: float) -> None:
        if self._stale:
            self.rebuild()
            return
        self._queued[key] = due
        heapq.heappush(self._heap, (due, next(self._order), key))
        self.earliest = min(self.earliest, due)

    @property
    def _stale(self) -> bool:
        """Whether most of the heap is about what is not due any more."""
        return len(self._heap) > MOST_STALE + 2 * len(self._due)

    def _drop_stale(self) -> None:
        """Bring the top of the heap in line with what is really due."""
        while self._heap:
            queued, _, key = self._heap[0]
            due = self._due.get(key)
            if due == queued and self._queued.get(key) == queued:
                self.earliest = queued
                return
            heapq.heappop(self._heap)
            if self._queued.get(key) == queued:
                del self._queued[key]
                if due is not None:
                    self._push(key, due)
        self.earliest = math.inf

    def rebuild(self) -> None:
        """Make the heap anew from the deadlines; also where an interrupt has left it half changed."""
        self._queued = dict(self._due)
        self._heap = [(due, next(self._order), key) for key, due in self._due.items()]
        heapq.heapify(self._heap)
        self.earliest = self._heap[0][0] if self._heap else math.inf
