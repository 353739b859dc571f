"""The one thread of a pool: waits on descriptors and on the next deadline, and calls the supervisor.

::

    callers ── post ──▶ inbox ─┐
    replies, noise, deaths ────┼─▶ epoll ─▶ supervisor ─▶ pipes, signals, spawns, promises
    next deadline ─────────────┘

Nothing polls: with nothing to do the thread sleeps without a timeout. Callers wake it only when it sleeps. The
thread is a daemon, so that it never keeps an interpreter alive; ``pool`` ends it at exit.
"""

from __future__ import annotations

import logging
import os
import random
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from orchestrator.errors import PoolClosedError, ProtocolError
from orchestrator.pool.cgroup import OomKills
from orchestrator.pool.events import PoolEvent
from orchestrator.pool.gate import Gates
from orchestrator.pool.job_record import JobRecord
from orchestrator.pool.models import Model
from orchestrator.pool.process_link import ProcessLink
from orchestrator.pool.settings import Settings
from orchestrator.pool.slot import Worker
from orchestrator.pool.states import JobState, WorkerState
from orchestrator.pool.supervisor import Supervisor

log = logging.getLogger("orchestrator.pool")
POLL_WITHOUT_PIDFD_S = 0.05
Hook = Callable[[PoolEvent], object]


class Loop:
    """Runs a supervisor. Also its :class:`~orchestrator.pool.roster.Hands`, which only it calls."""

    def __init__(
        self, models: Iterable[Model], settings: Settings, gates: Gates, on_event: Hook | None
    ) -> None:
        """Prepare; :meth:`start` starts the thread."""
        self._gates = gates
        self._on_event = on_event
        self._kills = OomKills()
        self._random = random.Random()  # noqa: S311 - jitter, no secret
        self._inbox: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._asleep = False
        self._links: dict[int, ProcessLink] = {}
        self._epoll = select.epoll()
        self._wake_lock = threading.Lock()
        self._wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._epoll.register(self._wake_fd, select.EPOLLIN)
        self._owner_pid = os.getpid()
        self._over = False
        self._blind = False  # whether deaths must be looked for, where the system has no pidfd
        self.supervisor = Supervisor(models, settings, self)
        self._thread = threading.Thread(target=self._run, name="orchestrator-pool", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    # ------------------------------------------------------------------ from any thread

    def post(self, call: Callable[..., object], *arguments: Any) -> None:
        """Have ``call(*arguments, now)`` made on the loop's thread. Never blocks; nothing after the end."""
        self._inbox.append((call, arguments))
        if self._asleep:
            self._wake()
        elif self._over:
            self._drain()

    def _wake(self) -> None:
        with self._wake_lock:
            if self._wake_fd >= 0 and os.getpid() == self._owner_pid:
                self._asleep = False
                os.eventfd_write(self._wake_fd, 1)

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the thread's end; True when it has ended. At once in a forked copy, which has no thread."""
        if self.is_current() or os.getpid() != self._owner_pid:
            return False
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def is_current(self) -> bool:
        """Whether the caller is the loop's own thread (a future's callback, the event hook)."""
        return threading.current_thread() is self._thread

    @property
    def ended(self) -> bool:
        """Whether the thread has ended."""
        return not self._thread.is_alive()

    # ------------------------------------------------------------------ the thread

    def _run(self) -> None:
        try:
            while not self.supervisor.finished:
                self._turn()
        except BaseException as error:
            log.critical("the pool's loop failed; its jobs end with PoolClosedError", exc_info=True)
            self._break(error)
        finally:
            self._close()

    def _turn(self) -> None:
        """Wait, take what happened, decide."""
        supervisor = self.supervisor
        ready = self._wait(supervisor.next_due())
        now = time.monotonic()
        seen: set[int] = set()
        for descriptor, _ in ready:
            link = self._links.get(descriptor)
            if link is not None and link.pid not in seen:
                seen.add(link.pid)
                self._pump(link, now)
        if self._blind:
            self._pump_all(now)
        while self._inbox:
            call, arguments = self._inbox.popleft()
            call(*arguments, now)
        supervisor.tick(time.monotonic())
        supervisor.settle(time.monotonic())

    def _wait(self, due: float | None) -> list[tuple[int, int]]:
        timeout_s = -1.0 if due is None else max(0.0, due - time.monotonic())
        if self._blind:
            timeout_s = POLL_WITHOUT_PIDFD_S if due is None else min(timeout_s, POLL_WITHOUT_PIDFD_S)
        self._asleep = True
        if self._inbox or self.supervisor.roster.replan:
            timeout_s = 0.0
        ready = self._epoll.poll(timeout_s)
        self._asleep = False
        if any(descriptor == self._wake_fd for descriptor, _ in ready):
            os.eventfd_read(self._wake_fd)
        return ready

    def _pump(self, link: ProcessLink, now: float) -> None:
        """Take what one worker said; see whether it is gone."""
        supervisor, worker = self.supervisor, link.worker
        try:
            replies = link.pump()
        except ProtocolError as error:
            replies = []
            if worker.state is not WorkerState.LEAVING:
                supervisor.broke_protocol(worker, error, now)
        for reply in replies:
            supervisor.received(worker, reply, now)
        status = link.process.returncode
        if status is not None:
            self._unwatch(link)
            supervisor.exited(worker, status, now)
        else:
            self._watch(link)

    def _pump_all(self, now: float) -> None:
        for link in set(self._links.values()):
            self._pump(link, now)

    def _watch(self, link: ProcessLink) -> None:
        """Wait on the descriptors the process has now: some close, one is only of interest while it is full."""
        wanted = dict.fromkeys(link.process.readable_fds, select.EPOLLIN)
        if (outgoing := link.process.writable_fd) is not None:
            wanted[outgoing] = select.EPOLLOUT
        if wanted == link.watched:
            return
        for descriptor in link.watched.keys() - wanted.keys():
            self._forget(descriptor)
        for descriptor in wanted.keys() - link.watched.keys():
            self._epoll.register(descriptor, wanted[descriptor])
            self._links[descriptor] = link
        link.watched = wanted

    def _unwatch(self, link: ProcessLink) -> None:
        for descriptor in link.watched:
            self._forget(descriptor)
        link.watched = {}

    def _forget(self, descriptor: int) -> None:
        self._links.pop(descriptor, None)
        try:
            self._epoll.unregister(descriptor)
        except OSError:
            return  # closed already, which took it out

    # ------------------------------------------------------------------ the end

    def _break(self, error: BaseException) -> None:
        """A bug of ours must not leave callers waiting: every job ends, every worker is killed."""
        closed = PoolClosedError(f"the pool broke: {type(error).__name__}: {error}")
        closed.__cause__ = error
        self._gates.close(closed)
        roster = self.supervisor.roster
        jobs = [argument for _, arguments in self._inbox for argument in arguments]
        jobs += [worker.job for worker in [*roster.workers(), *roster.leaving]]
        jobs += [job for lane in roster.lanes.values() for job in lane.waiting.members()]
        for job in [*jobs, *roster.delayed]:
            if isinstance(job, JobRecord) and job.state is not JobState.ENDED:
                job.promise.reject(closed)

    def _close(self) -> None:
        for link in set(self._links.values()):
            self._unwatch(link)
            link.close()
        self._epoll.close()
        with self._wake_lock:
            os.close(self._wake_fd)
            self._wake_fd = -1
        self._over = True  # from here on whoever posts drains
        self._drain()

    def _drain(self) -> None:
        """Answer what came too late: jobs are refused, questions answered, the rest has no meaning any more."""
        while self._inbox:
            try:
                call, arguments = self._inbox.popleft()
            except IndexError:
                return  # another thread took it
            if not arguments:
                call(time.monotonic())
            elif call == self.supervisor.submit:
                self.close_audio(arguments[0])
                arguments[0].promise.reject(PoolClosedError("the pool was closed meanwhile"))

    # ------------------------------------------------------------------ hands

    def spawn(self, worker: Worker) -> ProcessLink:
        """Start a process and wait on it."""
        link = ProcessLink(worker, self._watch)
        self._blind = self._blind or not link.process.notices_death
        self._watch(link)
        log.debug("slot %d generation %d: started pid %d", worker.slot.index, worker.generation, link.pid)
        return link

    def bury(self, worker: Worker) -> None:
        """Close what was kept of a process that is gone."""
        link = worker.link
        assert isinstance(link, ProcessLink)
        link.close()

    def kernel_killed(self) -> bool:
        """Whether the kernel killed for memory since the last call."""
        return self._kills.rose()

    def draw(self) -> float:
        """Return a random number from 0 to 1."""
        return self._random.random()

    def job_left_queue(self, job: JobRecord) -> None:  # noqa: ARG002 - places are only counted
        """Give the job's place to another."""
        self._gates.queue.leave()

    def close_audio(self, job: JobRecord) -> None:
        """Close a job's memfd."""
        if job.descriptor is not None:
            os.close(job.descriptor)
            job.descriptor = None
            self._gates.arrays.leave()

    @property
    def listening(self) -> bool:
        """Whether there is a hook or a log that wants events."""
        return self._on_event is not None or log.isEnabledFor(logging.INFO)

    def tell(self, event: PoolEvent) -> None:
        """Log an event and hand it to the hook, whose exceptions hurt nobody."""
        log.log(logging.DEBUG if type(event).__name__ == "JobEnded" else logging.INFO, "%s", event)
        if self._on_event is None:
            return
        try:
            self._on_event(event)
        except Exception:
            log.exception("on_event raised")
