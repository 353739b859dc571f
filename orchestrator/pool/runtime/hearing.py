"""What workers say reaches the supervisor: replies are read, noise is kept, deaths are noticed.

::

    descriptors with news ──▶ take ──▶ read ──▶ replies, one by one ──▶ supervisor.received
                                         └────▶ an exit, when all is read ──▶ supervisor.exited

A part of :mod:`.event_loop`, called inside a decision by whoever makes it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from orchestrator.errors import ProtocolError
from orchestrator.pool.core.entities import Worker
from orchestrator.pool.core.states import WorkerState
from orchestrator.pool.core.supervisor import Supervisor
from orchestrator.pool.runtime.process_link import ProcessLink
from orchestrator.pool.runtime.selector import Selector
from orchestrator.pool.runtime.template_link import ProcessTemplateLink
from orchestrator.process.exit_status import describe_exit
from orchestrator_worker.protocol import Reply

_NO_DESCRIPTOR = -2


class Hearing:
    """The replies that are being dealt with. It outlives an interrupt: nothing that was read is lost."""

    def __init__(
        self, supervisor: Supervisor, selector: Selector, post: Callable[..., None], thread: threading.Thread
    ) -> None:
        """``post`` has a call made in the next round of ``thread``, the pool's own."""
        self._supervisor = supervisor
        self._selector = selector
        self._post = post
        self._thread = thread
        self._exiting: ProcessLink | None = None  # a dead worker that the supervisor is hearing of
        self._speaker: Worker | None = None  # the worker whose replies are dealt with
        self._reading: Worker | None = None  # the same while they are taken out of its pipe
        self._unheard: deque[Reply] = deque()  # its replies that were read and not dealt with

    def take(self, ready: list[int], now: float) -> None:
        """Take what workers said, and deaths and noise where ``ready`` has their descriptors."""
        for descriptor in ready:
            # Asked anew for each: what one of them said may have made the supervisor drop another.
            link = self._selector.link_of(descriptor)
            if link is not None:
                self._pump(link, descriptor, now)
            elif (template := self._selector.template_of(descriptor)) is not None:
                self._hear_template(template, now)

    def _hear_template(self, link: ProcessTemplateLink, now: float) -> None:
        why_not, end = link.hear()
        if end is not None:
            self._supervisor.templates.ended(link.template, end, now)
        elif why_not is not None:
            self._supervisor.templates.loaded(link.template, why_not, now)

    def _pump(self, link: ProcessLink, descriptor: int, now: float) -> None:
        """Take what one worker said; see whether it is gone."""
        process = link.process
        if descriptor == process.replies_fd:
            # Most wake-ups are a reply and nothing else: one read, no look at the process.
            self._receive(link, link.read_replies, now)
            if not (process.at_end or process.broken):
                return
            if threading.current_thread() is not self._thread:
                self._leave_end_to_thread(link)
                return
        self._receive(link, link.pump, now)
        if process.returncode is None:
            self._selector.update(link)
            if process.hung_up:
                self._supervisor.hung_up(link.worker, now)
            return
        # Dead, and all that it still said is received above: only now the supervisor hears of the death.
        self._exiting = link
        self._selector.drop(link)
        self._supervisor.exited(link.worker, process.returncode, describe_exit(process.returncode), now)
        self._exiting = None

    def _leave_end_to_thread(self, link: ProcessLink) -> None:
        """Let the thread do what an end needs: a process is reaped there and descriptors are closed.

        On a caller's thread a Ctrl-C could come between two of these steps, and nobody would know what was done.
        """
        self._post(self._hear_end, link)
        self._selector.mute(link)  # afterwards: should an interrupt come between, it is only heard once more

    def _hear_end(self, link: ProcessLink, now: float) -> None:
        if link.watched:  # else it was dropped meanwhile
            self._pump(link, _NO_DESCRIPTOR, now)

    def _receive(self, link: ProcessLink, read: Callable[[], list[Reply]], now: float) -> None:
        """Read what a worker said, and let the supervisor have it, reply by reply.

        At every moment a reply is in ``_unheard``, or noted with its worker in the registry, or dealt with: what an
        interrupt strikes is received again.
        """
        supervisor, worker, unheard = self._supervisor, link.worker, self._unheard
        registry = supervisor.registry
        self._speaker = self._reading = worker
        try:
            unheard.extend(read())
            self._reading = None
            while unheard:
                registry.touch(worker, unheard[0])
                supervisor.received(worker, unheard.popleft(), now)
                registry.touched.clear()  # all is done: nothing would have to be restored
        except ProtocolError as error:
            self._reading = None
            if worker.state is not WorkerState.LEAVING:
                supervisor.broke_protocol(worker, error, now)

    def look_at_all(self, now: float) -> None:
        """Look at every worker, where the system has nothing by which a death can be waited for."""
        for link in self._selector.links():
            self._pump(link, _NO_DESCRIPTOR, now)

    def hear_again(self, now: float) -> None:
        """After an interrupt: have the state made consistent, and what was read and not dealt with received again."""
        worker, self._reading = self._reading, None
        struck = self._supervisor.recover(worker, now)
        for one, reply in struck:
            self._supervisor.received(one, reply, now)
        while self._unheard:
            reply = self._unheard.popleft()
            if self._speaker is not None and not any(reply is other for _, other in struck):
                self._supervisor.received(self._speaker, reply, now)

    def close(self) -> None:
        """Close what the pool's thread has dropped and not yet reaped."""
        if self._exiting is not None:
            self._exiting.close()
