"""One thread that does what is posted to it, and what is due by the clock, one thing after the other."""

from __future__ import annotations

import heapq
import itertools
import logging
import queue
import threading
from collections.abc import Callable
from typing import Any

logger = logging.getLogger("orchestrator.cluster")


class EventLoop:
    """The queue, the timers and the thread of a dispatcher.

    Args:
        settle: Called after each round of acts.
        broke: Called with an exception that an act let out: a bug of ours, which must not leave callers waiting.
        clock: Seconds.
    """

    def __init__(
        self, settle: Callable[[], None], broke: Callable[[Exception], None], clock: Callable[[], float]
    ) -> None:
        self._settle = settle
        self._broke = broke
        self._clock = clock
        self._posted: queue.SimpleQueue[tuple[Callable[..., None], tuple[Any, ...]]] = queue.SimpleQueue()
        self._timers: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._number = itertools.count(1)
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._run, name="orchestrator-cluster", daemon=True)

    def post(self, act: Callable[..., None], *args: Any) -> None:
        """Let the thread do something; from any thread."""
        self._posted.put((act, args))

    def at(self, when: float, act: Callable[..., None], *args: Any) -> None:
        """Do something when the clock says ``when``."""
        heapq.heappush(self._timers, (when, next(self._number), act, args))

    def run_due(self) -> None:
        """Do what is due."""
        now = self._clock()
        while self._timers and self._timers[0][0] <= now:
            _, _, act, args = heapq.heappop(self._timers)
            act(*args)

    def _run(self) -> None:
        while not self.ended.is_set():
            wait_s = max(0.0, self._timers[0][0] - self._clock()) if self._timers else None
            try:
                self._round(wait_s)
            except Exception as error:
                logger.exception("the cluster pool broke")
                self._broke(error)

    def _round(self, wait_s: float | None) -> None:
        """Do all that is posted, waiting for the first, and what is due."""
        try:
            act, args = self._posted.get(timeout=wait_s)
        except queue.Empty:
            pass
        else:
            act(*args)
            while not self._posted.empty():
                act, args = self._posted.get()
                act(*args)
        self.run_due()
        self._settle()
