"""The fast path: callers that run the event loop, instead of waiting until the pool's thread has done it.

Handing a job to another thread and its answer back are two wake-ups of a sleeping thread and two contests for the GIL:
for a small job most of its round trip (``docs/adr/0011-a-waiting-caller-runs-the-loop.md``). So

* a thread that *submits* lets the supervisor decide itself, when nobody else is deciding;
* one thread that *waits* in ``result()``, the *driver*, waits on the workers' replies and takes them itself;
* an asyncio loop that submits takes the replies itself, and so does a ``map`` of short jobs: such a caller is
  *returning*, it will be back in a moment, and replies wait for it.

The pool's thread stays: for deadlines, for deaths, for planning, and for every reply that no caller waits for. It takes
the replies from a returning caller that was not back between two of its rounds. Everything here may be left out
(``Settings.fast_path``): the pool is correct and complete without it, and slower.

Whose replies are they? The selector's set of replies is *shared* with the thread, or not::

    a driver waits, or a caller is returning     not shared: a reply wakes that caller alone
    else, while a worker has something to say    shared: a reply wakes the thread
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

from orchestrator.pool.core.entities import JobRecord
from orchestrator.pool.core.supervisor import Supervisor
from orchestrator.pool.futures import PoolFuture
from orchestrator.pool.runtime.selector import Selector, Waker

ROOM_FOR_A_DECISION = 200
"""Frames of the stack that are left to a decision; the deepest needs a quarter of that, callbacks some more."""


class Loop(Protocol):
    """What is needed of the event loop; see :class:`~orchestrator.pool.runtime.event_loop.EventLoop`."""

    supervisor: Supervisor
    selector: Selector
    waker: Waker
    wakes_at: float
    ended: bool
    unfinished: bool
    broken: bool
    bug: Exception | None
    owner_pid: int
    inbox: deque[Any]

    @property
    def deciding(self) -> threading.RLock:
        """Held by whoever lets the supervisor decide."""
        ...

    def is_current(self) -> bool:
        """Whether this thread is inside a decision."""
        ...

    def decide(self, call: Callable[[Any, float], object], argument: Any) -> None:
        """Make ``call(argument, now)``."""
        ...

    def take(self, ready: list[int], now: float) -> None:
        """Take what workers said."""
        ...

    def post(self, call: Callable[..., object], *arguments: Any) -> None:
        """Have ``call(*arguments, now)`` made in the next round of the thread."""
        ...

    def forget_decider(self) -> None:
        """This thread is in no decision any more."""
        ...


class CallingThreads:
    """The callers of one pool that run its loop."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._registry = loop.supervisor.registry
        self._waker = Waker()
        loop.selector.add_callers_waker(self._waker)
        # Reentrant for the same reason as ``deciding``: it knows its owner.
        self._seat = threading.RLock()  # held by the driver
        self._driver = 0  # its thread
        self._awaited: PoolFuture[Any] | None = None  # what it waits for
        self._returning = False  # the last caller will be back, and takes the replies then
        self._was_back = False  # it has been, since the thread's last round

    # ------------------------------------------------------------------ submitting

    def submit(self, job: JobRecord, *, returning: bool) -> bool:
        """Let the supervisor have a job on this thread; False where that must not be, and nothing has happened.

        Not while something is posted that came before, nor inside a decision (a callback that submits).
        """
        loop = self._loop
        if loop.inbox or loop.is_current() or _is_deep():
            return False
        try:
            # Never wait for the lock: whoever holds it may be starting a process, and the thread can have the job.
            if not loop.deciding.acquire(False):
                return False
            try:
                return self._submit(job, returning=returning)
            finally:
                loop.deciding.release()
        except BaseException as error:
            if self._is_bug(error):
                return False  # the pool's thread ends the job with all others
            # The caller gets no future: whatever has become of the job, nobody waits for it.
            loop.post(loop.supervisor.withdraw, job)
            self._let_go()
            raise

    def _submit(self, job: JobRecord, *, returning: bool) -> bool:
        loop = self._loop
        # Again, now that nobody else decides: a post of this moment came before us.
        if loop.inbox or not self._may_decide():
            return False
        loop.decide(loop.supervisor.submit, job)
        self._returning = self._was_back = returning
        if returning:
            loop.selector.share(False)
        elif self._awaited is None:
            self._look_once()
        self._leave_the_rest()
        return True

    def _look_once(self) -> None:
        """Take replies that are there already, lest the thread be woken for them; else let it wait for them.

        On a busy machine a small job is often done before the write that gave it has returned.
        """
        loop = self._loop
        if ready := loop.selector.wait_for_replies(0):
            loop.decide(loop.take, ready)
        loop.selector.share(not self._registry.quiet)

    def _leave_the_rest(self) -> None:
        """Wake the thread for what a caller leaves: something to plan, or a deadline before it wakes anyway.

        Callers never plan and keep no deadline: those may start processes, or come while no caller is there.
        """
        registry = self._registry
        soonest = registry.timers.earliest
        if registry.next_sample_at is not None:
            soonest = min(soonest, registry.next_sample_at)
        if registry.replan or soonest < self._loop.wakes_at:
            self._loop.waker.wake()

    # ------------------------------------------------------------------ callers that will be back

    def replies_descriptor(self) -> int | None:
        """Return a copy of the descriptor that is readable while there are replies; None after the end."""
        with self._loop.deciding:
            return None if self._loop.ended else self._loop.selector.copy_of_replies()

    def take_replies(self) -> None:
        """Take what workers have answered, as a caller that was returning; nothing when somebody else decides."""
        loop = self._loop
        if loop.is_current() or _is_deep():
            return
        try:
            if not loop.deciding.acquire(False):
                return
            try:
                if self._may_decide():
                    self._returning = self._was_back = True
                    loop.decide(loop.take, loop.selector.wait_for_replies(0))
                    self._leave_the_rest()
            finally:
                loop.deciding.release()
        except BaseException as error:
            if self._is_bug(error):
                return
            self._let_go()
            raise

    def not_returning(self) -> None:
        """The caller waits for something else now: let the thread hear the replies."""
        if self._returning:
            self._returning = self._was_back = False
            self._loop.waker.wake()

    # ------------------------------------------------------------------ the driver

    def drive(self, future: PoolFuture[Any], timeout_s: float | None) -> float | None:
        """Run the loop on this thread until the job has ended, at most ``timeout_s``; return what is left.

        Returns at once where that must not be: another caller does so already, or this thread is inside a decision (a
        callback), or a signal handler waits in the middle of a wait, or this is a forked copy of the process, or
        the caller's stack is nearly full.
        """
        loop = self._loop
        if loop.is_current() or self._driver == threading.get_ident() or os.getpid() != loop.owner_pid:
            return timeout_s
        if _is_deep():
            self.not_returning()
            return timeout_s
        ends_at = None if timeout_s is None else time.monotonic() + timeout_s
        try:
            if not self._seat.acquire(False):
                return timeout_s
            self._drive(future, ends_at)
        except BaseException as error:
            if not self._is_bug(error):
                self._let_go()
                raise
        return None if ends_at is None else max(0.0, ends_at - time.monotonic())

    def _drive(self, future: PoolFuture[Any], ends_at: float | None) -> None:
        """Do it in the seat, which is taken; leave it."""
        loop = self._loop
        try:
            self._driver = threading.get_ident()
            with loop.deciding:
                self._awaited = future
                if not loop.ended:
                    loop.selector.share(False)
            while self._wait_and_take(future, ends_at):
                pass
        finally:
            try:
                self._waker.asleep = False
                with loop.deciding:
                    self._awaited = None
                    if not (loop.ended or self._returning or self._registry.quiet):
                        loop.selector.share(True)
            finally:
                self._awaited, self._driver = None, 0
                self._seat.release()

    def _wait_and_take(self, future: PoolFuture[Any], ends_at: float | None) -> bool:
        """Wait for replies and take them; False when there is nothing more to wait for.

        The wait itself is outside of every lock: a Ctrl-C there, where a caller with real jobs nearly always is,
        ends the wait and touches nothing.
        """
        loop = self._loop
        self._waker.asleep = True  # before the look at the future: whoever ends it after that look wakes us
        left_s = None if ends_at is None else ends_at - time.monotonic()
        if future.done() or loop.ended or (left_s is not None and left_s <= 0):
            return False
        ready = loop.selector.wait_for_replies(left_s)
        with loop.deciding:
            if not self._may_decide():
                return False
            loop.decide(loop.take, ready)
            self._leave_the_rest()
        return True

    def _may_decide(self) -> bool:
        """Whether the state is fit for a decision; asked with ``deciding`` held: ``unfinished`` means interrupted."""
        loop = self._loop
        return not (loop.ended or loop.broken or loop.unfinished)

    def _is_bug(self, error: BaseException) -> bool:
        """Whether a decision let out what no signal handler can have raised: by it the pool's thread ends the pool.

        What a handler raises is the caller's, and costs the pool little (:mod:`orchestrator.pool.core.recovery`). A bug
        is not the caller's: it hears of it from its own job, like everybody else.
        """
        if error is not self._loop.bug:
            return False
        self._let_go()
        return True

    def _let_go(self) -> None:
        """An exception came out, maybe between taking a lock and the block that would release it.

        No lock is left behind. A reentrant lock that is another thread's, or nobody's, says so by RuntimeError.
        """
        loop = self._loop
        loop.forget_decider()
        if self._driver == threading.get_ident():
            self._awaited, self._driver = None, 0
        for lock in (loop.deciding, self._seat):
            with suppress(RuntimeError):
                lock.release()
        loop.waker.wake_surely()

    # ------------------------------------------------------------------ from the pool's thread

    def round_done(self) -> None:
        """Decide who takes the replies until the next round; called with ``deciding`` held."""
        self._returning, self._was_back = self._was_back, False
        self._loop.selector.share(self._awaited is None and not self._returning)
        if self._awaited is not None and self._awaited.done():
            self._waker.wake()

    def left_unread(self) -> list[int]:
        """Return replies that a returning caller has left: no job runs out of time whose answer is there."""
        return self._loop.selector.wait_for_replies(0) if self._awaited is None else []

    def close(self) -> None:
        """Send the driver away and let no other begin: from here on callers wait for nothing but their futures."""
        self._waker.wake()
        self._seat.acquire()  # kept; the thread ends with it
        with self._loop.deciding:
            self._waker.close()


def may_be_a_handlers(error: Exception) -> bool:
    """Whether a signal handler may have raised ``error`` on this thread: only the main thread runs any.

    A handler that is a Python function has left its frame in the traceback; of any other kind there is no telling.
    """
    if threading.current_thread() is not threading.main_thread():
        return False
    codes = {frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__)}
    for number in signal.valid_signals():
        handler = signal.getsignal(number)
        while isinstance(handler, partial):
            handler = handler.func
        if callable(handler) and handler is not signal.default_int_handler:
            code = getattr(handler, "__code__", None)
            if code is None or code in codes:
                return True
    return False


def _is_deep() -> bool:
    """Whether the calling thread's stack is too full for a decision, which must not end in a RecursionError."""
    try:
        sys._getframe(max(0, sys.getrecursionlimit() - ROOM_FOR_A_DECISION))  # pyright: ignore[reportPrivateUsage] # noqa: SLF001
    except ValueError:
        return False
    return True
