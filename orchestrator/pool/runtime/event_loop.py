"""The event loop of one pool: takes what happened, lets the supervisor decide, and waits for more.

::

    callers ── post ──▶ inbox ─┐
    replies, noise, deaths ────┼─▶ one round ─▶ supervisor ─▶ pipes, signals, spawns, promises
    next deadline ─────────────┘

One thread runs it, and it is complete with that. Where callers may run it too, to save the change of threads,
:mod:`.calling_threads` does it; that is the *fast path*, switched by ``Settings.fast_path``, and this file calls it in
six places. Whoever runs the loop holds ``deciding``, so decisions come one after the other.

Nothing polls: with nothing to do the thread sleeps. It is a daemon, so that it never keeps an interpreter alive; the
controller ends it at exit.
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

from orchestrator.errors import PoolClosedError
from orchestrator.pool.core.entities import JobRecord
from orchestrator.pool.core.memory_monitor import LOOKS_AT_A_PULSE
from orchestrator.pool.core.supervisor import Supervisor
from orchestrator.pool.events import Hook
from orchestrator.pool.futures import PoolFuture
from orchestrator.pool.models import Model
from orchestrator.pool.options import Settings
from orchestrator.pool.runtime.admission import Admission
from orchestrator.pool.runtime.calling_threads import CallingThreads, may_be_a_handlers
from orchestrator.pool.runtime.effects import PoolEffects
from orchestrator.pool.runtime.hearing import Hearing
from orchestrator.pool.runtime.pool_sampling import PoolSampling
from orchestrator.pool.runtime.selector import Selector, Waker

log = logging.getLogger("orchestrator.pool")
POLL_WITHOUT_PIDFD_S = 0.05
NEVER = math.inf


class EventLoop:
    """Runs a supervisor in a thread of its own.

    ``deciding`` is held by whoever lets the supervisor decide. ``ended`` is set in the round after which nothing is
    left to do, ``broken`` when a bug of ours let an exception out of a decision: then the pool ends.
    ``unfinished`` is true in the middle of a decision, and stays so when it is interrupted there.
    """

    def __init__(
        self, models: Iterable[Model], settings: Settings, admission: Admission, on_event: Hook | None
    ) -> None:
        """Prepare; :meth:`start` starts the thread."""
        self._admission = admission
        self.inbox: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self.waker = Waker()
        self.selector = Selector(self.waker)
        # Reentrant because such a lock knows its owner: release() by any other thread raises RuntimeError, so a
        # thread that was interrupted between taking it and noting so can find out (see CallingThreads._let_go).
        self.deciding = threading.RLock()
        self._decider = 0  # the thread that lets the supervisor decide now
        self.wakes_at = NEVER  # when the thread wakes by itself
        self.unfinished = False
        self._arguments: tuple[Any, ...] = ()  # what the posted call is about that is made now
        self._held: list[BaseException] = []  # what callbacks raised in the decision under way
        self.broken = False
        self.bug: Exception | None = None  # what came out of a decision on a caller's thread
        self._closed = PoolClosedError("the pool was closed meanwhile")
        """What jobs are told that come too late."""
        self.ended = False
        self._drains = False  # from then on whoever posts drains the inbox
        self.owner_pid = os.getpid()
        self._effects = PoolEffects(
            admission,
            on_event,
            self.selector,
            settings.python,
            linger=settings.fast_path,
            beat_s=None if settings.heartbeat_s is None else settings.heartbeat_s / (2 * LOOKS_AT_A_PULSE),
            most_shared=settings.max_value_bytes,
            sampling=PoolSampling(
                settings.sample_interval_s,
                settings.workers + settings.standby,
                budget_bytes=settings.budget_bytes if settings.hard_budget else 0,
                python=settings.python,
            ),
        )
        self._effects.hold = self.hold
        self.supervisor = Supervisor(models, settings, self._effects)
        self._effects.hung_up = lambda worker: self.post(self.supervisor.hung_up, worker)
        # A daemon: the interpreter joins all other threads before it calls ``atexit``, which is what ends this one.
        self._thread = threading.Thread(target=self._run, name="orchestrator-pool", daemon=True)
        self._hearing = Hearing(self.supervisor, self.selector, self.post, self._thread)
        self.take = self._hearing.take
        """Take what workers said, in a decision: ``take(ready, now)``."""
        # Where workers are replaced, a decision may start a process. It takes milliseconds, and an interrupt in the
        # middle would leave a process that nobody knows: so the thread alone decides there.
        self._callers = CallingThreads(self) if settings.fast_path and settings.recycle is None else None

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    # ------------------------------------------------------------------ from any thread

    def post(self, call: Callable[..., object], *arguments: Any) -> None:
        """Have ``call(*arguments, now)`` made in the next round. Never blocks; nothing after the end."""
        # Append before waking: the thread says that it sleeps, then looks at the inbox, then waits. So either it
        # sees the call, or it is woken; a lock is not needed.
        self.inbox.append((call, arguments))
        self.waker.wake()
        if self._drains:
            self._drain()

    def submit(self, job: JobRecord, *, returning: bool = False) -> None:
        """Hand in a job. A caller that is ``returning`` submits more and waits for results in a moment."""
        if self._callers is None or not self._callers.submit(job, returning=returning):
            self.post(self.supervisor.submit, job)

    def drive(self, future: PoolFuture[Any], timeout_s: float | None) -> float | None:
        """Let a caller that waits for a job run the loop meanwhile, if it may; return what is left of its time."""
        return timeout_s if self._callers is None else self._callers.drive(future, timeout_s)

    def replies_descriptor(self) -> int | None:
        """Return a descriptor that is readable while workers have answered, for the caller to close.

        Whoever waits on it, and calls :meth:`take_replies` then, submits as one that is returning. None where the
        thread takes all replies.
        """
        return None if self._callers is None else self._callers.replies_descriptor()

    def take_replies(self) -> None:
        """Take what workers have answered; nothing when somebody else decides now, and so takes it."""
        if self._callers is not None:
            self._callers.take_replies()

    def not_returning(self) -> None:
        """A caller is about to wait for something else than a reply: the thread takes the replies."""
        if self._callers is not None:
            self._callers.not_returning()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the thread's end; True when it has ended. At once in a forked copy, which has no thread."""
        # A callback that closes its own pool would wait for itself; a forked copy for a thread that it has not got.
        if self.is_current() or os.getpid() != self.owner_pid:
            return False
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def is_current(self) -> bool:
        """Whether the caller is inside a decision (a future's callback, the event hook)."""
        return self._decider == threading.get_ident()

    @property
    def thread_ended(self) -> bool:
        """Whether the thread has ended."""
        return not self._thread.is_alive()

    # ------------------------------------------------------------------ the thread

    def _run(self) -> None:
        try:
            while not self.ended:
                ready = self._wait()
                with self.deciding:
                    self._round(ready)
        except BaseException as error:
            log.critical("the pool's loop failed; its jobs end with PoolClosedError", exc_info=True)
            self._break(error)
        finally:
            self._close()

    def _wait(self) -> list[int]:
        timeout_s: float | None = None
        if self.wakes_at < NEVER:
            timeout_s = max(0.0, self.wakes_at - time.monotonic())
        # Without pidfds (macOS, old kernels) a death is no event: the one thing that must be looked for.
        if self._effects.blind:
            timeout_s = POLL_WITHOUT_PIDFD_S if timeout_s is None else min(timeout_s, POLL_WITHOUT_PIDFD_S)
        # The last look before sleeping, after ``asleep`` was set in the round: what comes from here on wakes us.
        if self.inbox or self.unfinished or self.supervisor.registry.replan:
            timeout_s = 0.0
        ready = self.selector.wait(timeout_s)
        if self._callers is not None:
            ready += self._callers.left_unread()
        # Whoever posts from here on need not wake us: the round that follows looks into the inbox.
        self.waker.asleep = False
        return ready

    def _round(self, ready: list[int]) -> None:
        if self.bug is not None:
            raise self.bug
        if self.unfinished:
            self.decide(self._recover, None)
        self.decide(self._take_all, ready)
        self.wakes_at = self.supervisor.next_due() or NEVER
        # Before the last look at the inbox in _wait: who posts sees it and wakes us, or we see the call before we
        # sleep.
        self.waker.asleep = True
        self.ended = self.supervisor.finished
        if self._callers is not None:
            self._callers.round_done()

    def _take_all(self, ready: list[int], now: float) -> None:
        """Take what happened, and decide all that is to be decided.

        Replies come first: a job that was answered in time must not be timed out because we looked late.
        """
        self.take(ready, now)
        if self._effects.blind:
            self._hearing.look_at_all(now)
        # All of it, also what arrives meanwhile: a call posted now is decided in this round, and wakes nobody for
        # another.
        while self.inbox:
            call, self._arguments = self.inbox.popleft()
            call(*self._arguments, now)
            self._arguments = ()
        supervisor = self.supervisor
        now = time.monotonic()  # starting processes may have taken a while
        if self._effects.alarm in ready:
            supervisor.memory_alarm(now)
        supervisor.tick(now)
        supervisor.settle(now)

    # ------------------------------------------------------------------ a decision, by whoever holds the lock

    def decide(self, call: Callable[[Any, float], object], argument: Any) -> None:
        """Make ``call(argument, now)``; raise what a callback let out meanwhile, when the decision is complete.

        A signal handler that raises (Ctrl-C) can strike a caller's thread at any moment. Half a decision cannot be
        completed where it stopped: ``unfinished`` stays set, and before anybody decides again the thread makes the
        state consistent (:mod:`orchestrator.pool.core.recovery`). It is set before and cleared after, with no handler
        between that could be interrupted itself. Where no handler can have raised it (in the thread itself, none runs),
        what leaves a decision is a bug of ours, and ends the pool.
        """
        self._decider = threading.get_ident()
        if not self.unfinished:  # else this is the recovery, which reads what was touched
            self.supervisor.registry.new_decision()
        self.unfinished = True
        try:
            call(argument, time.monotonic())
            self.unfinished = False
        except Exception as error:
            if not may_be_a_handlers(error):
                self.bug = error
            raise
        finally:
            self._decider = 0
        if self._held:
            self._raise_held()

    def hold(self, error: BaseException) -> None:
        """Keep what a callback or hook has let out (KeyboardInterrupt, SystemExit) until the decision is complete."""
        if not self.is_current():
            raise error
        self._held.append(error)

    def _raise_held(self) -> None:
        error, *_ = self._held
        self._held.clear()
        if threading.current_thread() is not self._thread:
            raise error
        log.error("a callback or hook raised in the pool's thread", exc_info=error)

    def forget_decider(self) -> None:
        """This thread is in no decision any more, however it came out."""
        if self.is_current():
            self._decider = 0

    def _recover(self, _: None, now: float) -> None:
        log.warning("a decision was interrupted half way; the workers that it was about are replaced")
        self._hearing.hear_again(now)

    # ------------------------------------------------------------------ the end

    def _break(self, error: BaseException) -> None:
        """A bug of ours must not leave callers waiting: every job ends, and :meth:`_close` kills every worker."""
        self._closed = closed = PoolClosedError(f"the pool broke: {type(error).__name__}: {error}")
        closed.__cause__ = error
        self._admission.close(closed)
        with self.deciding:
            self.broken = True
            # Three places where a job may be: in the call that broke, posted and not looked at, or in the state.
            posted = [argument for _, arguments in self.inbox for argument in arguments]
            for job in [*self._arguments, *posted, *self.supervisor.registry.jobs()]:
                if isinstance(job, JobRecord):
                    self._refuse(job)

    def _refuse(self, job: JobRecord) -> None:
        """End a job that has not ended; nothing that is wrong with it, or with a callback, keeps others from theirs.

        Its promise is asked and not its state: a decision may have been cut off between the two.
        """
        self._decider = (
            threading.get_ident()
        )  # as in a decision: a callback that asks the pool is answered at once
        try:
            try:
                if not job.promise.done():
                    job.promise.reject(self._closed)
                if self._held:
                    self._raise_held()
            finally:
                self._effects.close_audio(job)
        except BaseException:
            if threading.current_thread() is not self._thread:
                raise
            log.exception("while ending job %d of a pool that is over", job.id)
        finally:
            self._decider = 0

    def _close(self) -> None:
        self.ended = True
        try:
            if self._callers is not None:
                self._callers.close()
            with self.deciding:
                self._hearing.close()
                self.selector.close()
                self._effects.close()
                self.waker.close()
        finally:
            # In this order: whoever posts after our last look sees that it has to drain the inbox itself.
            self._drains = True
            self._drain()

    def _drain(self) -> None:
        """Answer what came too late: jobs are refused, questions answered, the rest has no meaning any more."""
        while self.inbox:
            try:
                call, arguments = self.inbox.popleft()
            except IndexError:
                return  # another thread took it
            if call == self.supervisor.submit:
                self._refuse(arguments[0])
            elif getattr(call, "__self__", None) is not self.supervisor:
                call(*arguments, time.monotonic())
