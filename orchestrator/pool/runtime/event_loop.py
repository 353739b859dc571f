"""Who runs the supervisor, and when: one thread of its own, and callers that would else only wait.

::

    callers ── post ──▶ inbox ─┐
    replies, noise, deaths ────┼─▶ a turn ─▶ supervisor ─▶ pipes, signals, spawns, promises
    next deadline ─────────────┘

A *turn* takes what happened and lets the supervisor decide, under one lock: whoever holds it is the loop. Usually
that is the pool's thread. But handing a job and its answer from thread to thread takes longer than a small job, so

* a submitting thread hands its job to the supervisor itself when nobody else is deciding;
* one thread that waits in ``result()`` waits on the workers' descriptors and takes the turns itself;
* so does an event loop that hears the replies, and a ``map`` of short jobs leaves them for when it is back.

The pool's thread stays: for timers, for what comes while no caller waits, and for all that a submit cannot do at
once. It takes the replies over from whoever was not back between two readings of memory. Nothing polls: with nothing
to do it sleeps. It is a daemon, so that it never keeps an interpreter alive; ``pool`` ends it at exit.

A pool that replaces workers keeps all turns to its thread: its decisions start processes.

A signal handler that raises (Ctrl-C) can strike a caller in the middle of a decision. Half a decision cannot be
trusted: the pool ends then, with every job answered. One that strikes while the caller waits hurts nothing.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from orchestrator.errors import PoolClosedError, ProtocolError
from orchestrator.pool.core.entities import JobRecord
from orchestrator.pool.core.states import JobState, WorkerState
from orchestrator.pool.core.supervisor import Supervisor
from orchestrator.pool.events import Hook
from orchestrator.pool.futures import PoolFuture
from orchestrator.pool.models import Model
from orchestrator.pool.options import Settings
from orchestrator.pool.runtime.admission import Admission
from orchestrator.pool.runtime.effects import PoolEffects
from orchestrator.pool.runtime.process_link import ProcessLink
from orchestrator.pool.runtime.selector import Selector, Waker
from orchestrator.process.exit_status import describe_exit

log = logging.getLogger("orchestrator.pool")
POLL_WITHOUT_PIDFD_S = 0.05
_NEVER = math.inf
_NO_DESCRIPTOR = -2


class EventLoop:
    """Runs a supervisor."""

    def __init__(
        self, models: Iterable[Model], settings: Settings, admission: Admission, on_event: Hook | None
    ) -> None:
        """Prepare; :meth:`start` starts the thread."""
        self._admission = admission
        self._inbox: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._waker, self._callers_waker = Waker(), Waker()
        self._selector = Selector(self._waker, self._callers_waker)
        # Both know their owner: an interrupt can strike between taking one and the block that would let it go.
        self._deciding = threading.RLock()
        self._decider = 0  # the thread that holds it
        self._wakes_at = _NEVER  # when the thread wakes by itself
        self._seat = threading.RLock()  # held by the caller that takes turns
        self._awaited: PoolFuture[Any] | None = None
        self._staying = False  # the last caller will be back, and takes the replies then
        self._visited = False  # it has been, since the thread's last turn
        self._fault: BaseException | None = None
        # Where workers are replaced, a decision may start a process, and half a start is a process nobody knows.
        self._callers_decide = settings.recycle is None
        self._ended = False
        self._over = False
        self._owner_pid = os.getpid()
        self._effects = PoolEffects(admission, on_event, self._selector, settings.python)
        self.supervisor = Supervisor(models, settings, self._effects)
        self._thread = threading.Thread(target=self._run, name="orchestrator-pool", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    # ------------------------------------------------------------------ from any thread

    def post(self, call: Callable[..., object], *arguments: Any) -> None:
        """Have ``call(*arguments, now)`` made in the next turn. Never blocks; nothing after the end."""
        self._inbox.append((call, arguments))
        self._waker.wake()
        if self._over:
            self._drain()

    def submit(self, job: JobRecord, *, staying: bool = False) -> None:
        """Hand in a job: to the supervisor itself when nobody decides now and nothing came before.

        A caller who is ``staying`` submits more and waits for results in a moment: replies are left to it.
        """
        if self._inbox or not self._callers_decide or _owned(self._deciding):
            self.post(self.supervisor.submit, job)
            return
        try:
            if not self._deciding.acquire(False):
                self.post(self.supervisor.submit, job)
                return
            try:
                self._submit(job, staying=staying)
            finally:
                self._deciding.release()
        except BaseException:
            self._let_go()
            raise

    def _submit(self, job: JobRecord, *, staying: bool) -> None:
        if self._inbox or self._ended or self._fault is not None:
            self.post(self.supervisor.submit, job)
            return
        self._decide(self.supervisor.submit, job)
        self._staying = self._visited = staying
        if staying:
            self._selector.share(False)
        elif self._awaited is None:
            self._look_once()
        self._leave_the_rest()

    def replies_descriptor(self) -> int | None:
        """Return a descriptor that is readable while workers have answered, for the caller to close.

        Whoever waits on it, and calls :meth:`take_replies` then, submits as one who is staying. None where callers take
        no turns.
        """
        with self._deciding:
            return None if self._ended or not self._callers_decide else self._selector.copy_of_replies()

    def take_replies(self) -> None:
        """Take what workers have answered; nothing when somebody else decides now, who does it."""
        if _owned(self._deciding):
            return
        try:
            if not self._deciding.acquire(False):
                return
            try:
                if not self._ended and self._fault is None:
                    self._staying = self._visited = True
                    self._decide(self._take_replies, self._selector.wait_for_replies(0))
                    self._leave_the_rest()
            finally:
                self._deciding.release()
        except BaseException:
            self._let_go()
            raise

    def stay_no_longer(self) -> None:
        """A caller is about to wait for something else than a reply: let the thread hear them."""
        if self._staying:
            self._staying = self._visited = False
            self._waker.wake()

    def _let_go(self) -> None:
        """An interrupt has struck, maybe between taking a lock and noting it; the thread puts the rest right."""
        for lock in (self._deciding, self._seat):
            if _owned(lock):
                lock.release()
        self._waker.wake()

    def _look_once(self) -> None:
        """Take replies that are there already, lest the thread be woken for them; else let it wait for them.

        On a busy machine a small job is often done before the write that gave it has returned.
        """
        if ready := self._selector.wait_for_replies(0):
            self._decide(self._take_replies, ready)
        self._selector.share(not self.supervisor.registry.quiet)

    def drive(self, future: PoolFuture[Any], timeout_s: float | None) -> float | None:
        """Take turns on the calling thread until the job has ended, at most ``timeout_s``; return what is left.

        Returns at once where that must not be: another caller does so already, this thread is in a turn (a
        callback) or belongs to a forked copy, or the pool replaces workers.
        """
        if not self._callers_decide or os.getpid() != self._owner_pid:
            return timeout_s
        if _owned(self._deciding) or _owned(self._seat):
            return timeout_s
        ends_at = None if timeout_s is None else time.monotonic() + timeout_s
        try:
            if not self._seat.acquire(False):
                return timeout_s
            self._take_turns(future, ends_at)
        except BaseException:
            self._let_go()
            raise
        return None if ends_at is None else max(0.0, ends_at - time.monotonic())

    def _take_turns(self, future: PoolFuture[Any], ends_at: float | None) -> None:
        """Do it in the seat, which is taken; leave it."""
        try:
            with self._deciding:
                self._awaited = future
                if not self._ended:
                    self._selector.share(False)
            while self._wait_as_caller(future, ends_at):
                pass
        finally:
            try:
                self._callers_waker.asleep = False
                with self._deciding:
                    self._awaited = None
                    if not (self._ended or self._staying or self.supervisor.registry.quiet):
                        self._selector.share(True)
            finally:
                self._awaited = None
                self._seat.release()

    def _wait_as_caller(self, future: PoolFuture[Any], ends_at: float | None) -> bool:
        """Wait for replies and take them; False when there is nothing more to wait for."""
        self._callers_waker.asleep = True
        left_s = None if ends_at is None else ends_at - time.monotonic()
        if future.done() or self._ended or (left_s is not None and left_s <= 0):
            return False
        ready = self._selector.wait_for_replies(left_s)
        with self._deciding:
            if self._ended or self._fault is not None:
                return False
            self._decide(self._take_replies, ready)
            self._leave_the_rest()
        return True

    def _leave_the_rest(self) -> None:
        """Wake the thread for what a caller leaves: something to plan, or a deadline before it wakes anyway."""
        registry = self.supervisor.registry
        soonest = min(registry.timers.earliest, registry.next_sample_at or _NEVER)
        if registry.replan or soonest < self._wakes_at:
            self._waker.wake()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the thread's end; True when it has ended. At once in a forked copy, which has no thread."""
        if self.is_current() or os.getpid() != self._owner_pid:
            return False
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def is_current(self) -> bool:
        """Whether the caller is in a turn (a future's callback, the event hook)."""
        return self._decider == threading.get_ident()

    @property
    def ended(self) -> bool:
        """Whether the thread has ended."""
        return not self._thread.is_alive()

    # ------------------------------------------------------------------ the thread

    def _run(self) -> None:
        try:
            while not self._ended:
                ready = self._wait()
                with self._deciding:
                    self._check_fault()
                    self._decide(self._turn, ready)
                    self._wakes_at = self.supervisor.next_due() or _NEVER
                    self._waker.asleep = True
                    self._staying, self._visited = self._visited, False
                    self._selector.share(self._awaited is None and not self._staying)
                    self._ended = self.supervisor.finished
                    awaited = self._awaited
                    if awaited is not None and awaited.done():
                        self._callers_waker.wake()
        except BaseException as error:
            log.critical("the pool's loop failed; its jobs end with PoolClosedError", exc_info=True)
            self._break(error)
        finally:
            self._close()

    def _check_fault(self) -> None:
        """End the thread for what happened to a caller in a turn."""
        if self._fault is not None:
            raise self._fault

    def _wait(self) -> list[int]:
        timeout_s: float | None = None
        if self._wakes_at < _NEVER:
            timeout_s = max(0.0, self._wakes_at - time.monotonic())
        if self._effects.blind:
            timeout_s = POLL_WITHOUT_PIDFD_S if timeout_s is None else min(timeout_s, POLL_WITHOUT_PIDFD_S)
        if self._inbox or self._fault is not None or self.supervisor.registry.replan:
            timeout_s = 0.0
        ready = self._selector.wait(timeout_s)
        if (
            self._awaited is None
        ):  # what a caller left unread: nobody has run out of time whose answer is there
            ready += self._selector.wait_for_replies(0)
        self._waker.asleep = False
        return ready

    # ------------------------------------------------------------------ a turn, by whoever holds the lock

    def _decide(self, call: Callable[[Any, float], object], argument: Any) -> None:
        """Make ``call(argument, now)``. What leaves here, a bug of ours or an interrupt, ends the pool."""
        self._decider = threading.get_ident()
        try:
            call(argument, time.monotonic())
        except BaseException as error:
            self._fault = error
            self._waker.wake()
            raise
        finally:
            self._decider = 0

    def _turn(self, ready: list[int], now: float) -> None:
        """Take what happened; decide all that is to be decided."""
        self._take_replies(ready, now)
        if self._effects.blind:
            for link in self._selector.links():
                self._pump(link, _NO_DESCRIPTOR, now)
        while self._inbox:
            call, arguments = self._inbox.popleft()
            call(*arguments, now)
        supervisor = self.supervisor
        now = time.monotonic()
        supervisor.tick(now)
        supervisor.settle(now)

    def _take_replies(self, ready: list[int], now: float) -> None:
        """Take what workers said, and deaths and noise where ``ready`` has them."""
        for descriptor in ready:
            link = self._selector.link_of(descriptor)
            if link is not None:
                self._pump(link, descriptor, now)

    def _pump(self, link: ProcessLink, descriptor: int, now: float) -> None:
        """Take what one worker said; see whether it is gone."""
        process = link.process
        if descriptor == process.replies_fd:
            self._receive(link, link.read_replies, now)
            if process.replies_fd >= 0 and not process.broken:
                return
        self._receive(link, link.pump, now)
        if process.returncode is None:
            self._selector.update(link)
            return
        self._selector.drop(link)
        self.supervisor.exited(link.worker, process.returncode, describe_exit(process.returncode), now)

    def _receive(self, link: ProcessLink, read: Callable[[], list[Any]], now: float) -> None:
        supervisor, worker = self.supervisor, link.worker
        try:
            for reply in read():
                supervisor.received(worker, reply, now)
        except ProtocolError as error:
            if worker.state is not WorkerState.LEAVING:
                supervisor.broke_protocol(worker, error, now)

    # ------------------------------------------------------------------ the end

    def _break(self, error: BaseException) -> None:
        """A bug of ours must not leave callers waiting: every job ends, every worker is killed."""
        closed = PoolClosedError(f"the pool broke: {type(error).__name__}: {error}")
        closed.__cause__ = error
        self._admission.close(closed)
        with self._deciding:
            self._fault = error
            posted = [argument for _, arguments in self._inbox for argument in arguments]
            for job in [*posted, *self.supervisor.registry.jobs()]:
                if isinstance(job, JobRecord) and job.state is not JobState.ENDED:
                    job.promise.reject(closed)

    def _close(self) -> None:
        self._ended = True
        self._callers_waker.wake()
        self._seat.acquire()  # kept: from here on callers wait for nothing but their futures
        with self._deciding:
            self._selector.close()
            self._effects.close()
            self._waker.close()
            self._callers_waker.close()
            self._over = True  # from here on whoever posts drains
        self._drain()

    def _drain(self) -> None:
        """Answer what came too late: jobs are refused, questions answered, the rest has no meaning any more."""
        while self._inbox:
            try:
                call, arguments = self._inbox.popleft()
            except IndexError:
                return  # another thread took it
            if call == self.supervisor.submit:
                self._effects.close_audio(arguments[0])
                arguments[0].promise.reject(PoolClosedError("the pool was closed meanwhile"))
            elif getattr(call, "__self__", None) is not self.supervisor:
                call(*arguments, time.monotonic())


def _owned(lock: Any) -> bool:
    """Whether this thread holds the reentrant lock; the standard library asks it so for its conditions."""
    return bool(lock._is_owned())  # noqa: SLF001
