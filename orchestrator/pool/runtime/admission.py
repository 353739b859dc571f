"""The bound on waiting jobs: who may put one more into the queue, who waits for a place, who is refused.

A place is taken before a job is handed to the supervisor and given back when the job first starts, or ends
without. Places go to waiting threads and coroutines in their order.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future

from orchestrator.errors import PoolClosedError, QueueFullError


class Places:
    """Counts places. Safe from every thread.

    ``what`` says of an error what takes the places, ``cure`` how there would be more.
    """

    def __init__(self, max_queue: int, what: str = "jobs wait", cure: str = "raise max_queue") -> None:
        if isinstance(max_queue, bool) or max_queue < 1:
            raise ValueError(f"max_queue={max_queue!r}: a whole number, at least 1")
        self.max_queue = max_queue
        self._what = what
        self._cure = cure
        self._lock = threading.Lock()
        self._taken = 0
        self._waiters: deque[Future[None]] = deque()
        self._closed_by: BaseException | None = None

    @property
    def taken(self) -> int:
        """Jobs that wait now."""
        return self._taken

    @property
    def closed(self) -> bool:
        """Whether no job may enter any more."""
        return self._closed_by is not None

    def enter(self, *, block: bool = True, timeout_s: float | None = None, on_loop: bool = False) -> None:
        """Take a place, waiting for one at most ``timeout_s`` seconds.

        ``on_loop``: the caller is the pool's own thread, which makes room for others and so never waits.

        Raises:
            PoolClosedError: The pool is, or was while waiting, closed.
            QueueFullError: There is none, and the caller would not wait, or not longer.
        """
        if self.enter_now():
            return
        waiter = self._enter_or_wait(may_wait=block and not on_loop, on_loop=block and on_loop)
        if waiter is None:
            return
        try:
            waiter.result(timeout_s)
        except TimeoutError:
            if waiter.cancel():
                raise self._too_late(timeout_s) from None
        except BaseException:
            self._abandon(waiter)
            raise

    def enter_now(self) -> bool:
        """Take a place if there is one; False when there is none, or the pool is closed."""
        with self._lock:
            if self._taken < self.max_queue and self._closed_by is None:
                self._taken += 1
                return True
        return False

    async def enter_async(self, *, timeout_s: float | None = None) -> None:
        """As :meth:`enter`, without blocking the event loop. A cancelled coroutine leaves no place taken."""
        waiter = self._enter_or_wait(may_wait=True)
        if waiter is None:
            return
        import asyncio  # noqa: PLC0415 - only who uses it pays for it

        try:
            await asyncio.wait_for(asyncio.wrap_future(waiter), timeout_s)
        except TimeoutError:
            self._abandon(waiter)
            raise self._too_late(timeout_s) from None
        except BaseException:
            self._abandon(waiter)
            raise

    def _enter_or_wait(self, *, may_wait: bool, on_loop: bool = False) -> Future[None] | None:
        with self._lock:
            self._refuse_when_closed()
            if self._taken < self.max_queue:
                self._taken += 1
                return None
            if not may_wait:
                raise self._full(on_loop=on_loop)
            waiter: Future[None] = Future()
            self._waiters.append(waiter)
            return waiter

    def _full(self, *, on_loop: bool) -> QueueFullError:
        """Return the error of a caller that did not wait."""
        wait = "submit with block=True to wait for a place"
        if on_loop:
            wait = "a callback on the pool's own thread cannot wait for a place: submit from another thread"
        return QueueFullError(self.max_queue, self._what, hint=f"{wait}, or {self._cure}")

    def _too_late(self, waited_s: float | None) -> QueueFullError:
        """Return the error of a caller that waited in vain."""
        hint = f"allow more time by queue_timeout_s, submit more slowly, or {self._cure}"
        return QueueFullError(self.max_queue, self._what, waited_s=waited_s, hint=hint)

    def _abandon(self, waiter: Future[None]) -> None:
        """Give back a place that was handed over too late."""
        if not waiter.cancel() and waiter.done() and waiter.exception() is None:
            self.leave()

    def leave(self) -> None:
        """Give a place back; the longest waiting one has it."""
        with self._lock:
            if not self._waiters:
                self._taken -= 1
                return
            while self._waiters:
                waiter = self._waiters.popleft()
                if waiter.set_running_or_notify_cancel():
                    break
            else:
                self._taken -= 1
                return
        waiter.set_result(None)

    def close(self, cause: BaseException | None = None) -> bool:
        """Let nobody in any more; those who wait are refused. False when it was closed before."""
        with self._lock:
            if self._closed_by is not None:
                return False
            self._closed_by = cause or PoolClosedError("the pool is closed")
            refused = [waiter for waiter in self._waiters if waiter.set_running_or_notify_cancel()]
            self._waiters.clear()
        for waiter in refused:
            error = PoolClosedError("the pool was closed while the job waited for a place")
            error.__cause__ = self._closed_by.__cause__
            waiter.set_exception(error)
        return True

    def _refuse_when_closed(self) -> None:
        if self._closed_by is not None:
            raise PoolClosedError(
                "the pool is closed: submit before leaving its with block, or make another Pool"
            ) from self._closed_by.__cause__


class Admission:
    """The places of one pool: in the queue, and for jobs with audio or large values in memory.

    Each of the latter holds a descriptor until it ends, and a process has not many.
    """

    def __init__(self, max_queue: int, max_arrays: int) -> None:
        self.queue = Places(max_queue)
        self.arrays = Places(
            max_arrays,
            "jobs hold audio or large values in memory until they end",
            "give the paths of files instead of arrays",
        )

    def enter(self, *, array: bool, block: bool, timeout_s: float | None, on_loop: bool = False) -> None:
        """Take the places a job needs; raises as :meth:`Places.enter`, and then none is taken."""
        if array:
            self.arrays.enter(block=block, timeout_s=timeout_s, on_loop=on_loop)
        try:
            self.queue.enter(block=block, timeout_s=timeout_s, on_loop=on_loop)
        except BaseException:
            if array:
                self.arrays.leave()
            raise

    async def enter_async(self, *, array: bool, timeout_s: float | None) -> None:
        """The same for a coroutine."""
        if array:
            await self.arrays.enter_async(timeout_s=timeout_s)
        try:
            await self.queue.enter_async(timeout_s=timeout_s)
        except BaseException:
            if array:
                self.arrays.leave()
            raise

    @property
    def closed(self) -> bool:
        """Whether nobody may enter any more."""
        return self.queue.closed

    def close(self, cause: BaseException | None = None) -> None:
        """Let nobody in any more."""
        self.arrays.close(cause)
        self.queue.close(cause)
