"""What a pool waits on: the descriptors of its workers, in two sets, and a waker for each waiting thread.

::

    everything ─┬─ replies of all workers ─┬─ reply pipes
                │  (while shared)          └─ the caller's waker
                ├─ deaths, noise, full command pipes
                └─ the thread's waker

The pool's thread waits on everything. A caller that runs the loop (:mod:`.calling_threads`) waits on the replies;
those are then not *shared*, or each of them would wake both.
"""

from __future__ import annotations

import os
import select
import threading
from contextlib import suppress

from orchestrator.pool.runtime.process_link import ProcessLink
from orchestrator.pool.runtime.template_link import ProcessTemplateLink

_FOREVER_S = -1.0
_NOTHING = 0


class Waker:
    """Wakes one waiting thread.

    ``asleep`` is set by that thread before it looks, for the last time, whether there is a reason not to wait;
    whoever makes a reason wakes it afterwards. So no wake-up is missed, and it costs nothing while nobody sleeps.
    Silent in a forked copy of the process, whose parent would hear it.
    """

    __slots__ = ("_lock", "_owner_pid", "asleep", "descriptor")

    def __init__(self) -> None:
        self.asleep = False
        self._lock = threading.Lock()
        self._owner_pid = os.getpid()
        self.descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def wake(self) -> None:
        """Wake the thread if it sleeps."""
        if self.asleep:
            with self._lock:
                if self.descriptor >= 0 and os.getpid() == self._owner_pid:
                    # In this order: the thread may have woken, and sleep again, before the write has returned here.
                    self.asleep = False
                    os.eventfd_write(self.descriptor, 1)

    def wake_surely(self) -> None:
        """Wake the thread, asleep or not: an interrupt may have come between the two steps of :meth:`wake`."""
        self.asleep = True
        self.wake()

    def clear(self) -> None:
        """Forget a wake-up that has been heard."""
        try:
            os.eventfd_read(self.descriptor)
        except BlockingIOError:
            return

    def close(self) -> None:
        """Close it; it wakes nobody any more."""
        with self._lock:
            os.close(self.descriptor)
            self.descriptor = -1


class Selector:
    """The two sets. Any thread may wait; all else is for the one that decides."""

    def __init__(self, threads_waker: Waker) -> None:
        # Two sets, one within the other, because an epoll can be waited on itself: taking all replies away from the
        # thread, or giving them back, is then one system call, however many workers there are.
        self._everything, self._replies = select.epoll(), select.epoll()
        self._links: dict[int, ProcessLink] = {}
        self.link_of = self._links.get
        """The worker a descriptor belongs to; None for what is none, and for one no longer watched."""
        self._templates: dict[int, ProcessTemplateLink] = {}
        self._alarm = -1
        self._wakers = {threads_waker.descriptor: threads_waker}
        self._everything.register(threads_waker.descriptor, select.EPOLLIN)
        self._everything.register(self._replies.fileno(), select.EPOLLIN)
        self._shared: bool | None = True  # None: not known

    def add_callers_waker(self, waker: Waker) -> None:
        """Let ``waker`` end a wait for replies; only where callers run the loop."""
        self._wakers[waker.descriptor] = waker
        self._replies.register(waker.descriptor, select.EPOLLIN)

    # ------------------------------------------------------------------ waiting

    def wait(self, timeout_s: float | None) -> list[int]:
        """Wait on everything; return the descriptors with news, none when the time is over."""
        ready = self._poll(self._everything, timeout_s)
        # What is ready is only said to be the inner set: which of the replies, that set must be asked.
        if self._replies.fileno() in ready:
            ready += self._poll(self._replies, 0)
        return ready

    def wait_for_replies(self, timeout_s: float | None) -> list[int]:
        """The same for replies alone."""
        return self._poll(self._replies, timeout_s)

    def copy_of_replies(self) -> int:
        """Return a descriptor that is readable while there are replies; the caller closes it."""
        return os.dup(self._replies.fileno())

    def _poll(self, epoll: select.epoll, timeout_s: float | None) -> list[int]:
        found: list[int] = []
        for descriptor, _ in epoll.poll(_FOREVER_S if timeout_s is None else timeout_s):
            found.append(descriptor)
            # An eventfd stays readable until it is read: not cleared, it would wake every further wait.
            if descriptor in self._wakers:
                self._wakers[descriptor].clear()
            elif descriptor == self._alarm:
                with suppress(OSError):
                    os.eventfd_read(descriptor)
        return found

    def share(self, shared: bool) -> None:
        """Let replies wake the pool's thread too, or only the caller that waits for them."""
        if shared is not self._shared:
            self._shared = None  # not known, should an interrupt come between
            self._everything.modify(self._replies.fileno(), select.EPOLLIN if shared else _NOTHING)
            self._shared = shared

    # ------------------------------------------------------------------ who is watched

    def links(self) -> set[ProcessLink]:
        """Return every worker that is watched."""
        return set(self._links.values())

    def update(self, link: ProcessLink) -> None:
        """Wait on the descriptors the process has now: some close, one is only of interest while it is full."""
        wanted = dict.fromkeys(link.process.readable_fds, select.EPOLLIN)
        if (outgoing := link.process.writable_fd) is not None:
            wanted[outgoing] = select.EPOLLOUT
        if wanted == link.watched:
            return  # nearly always: a reply came, and no descriptor did
        for descriptor in link.watched.keys() - wanted.keys():
            self._forget(descriptor)
        for descriptor in wanted.keys() - link.watched.keys():
            # A caller that runs the loop waits on the inner set alone: deaths, noise and full pipes are the thread's.
            within = self._replies if descriptor == link.process.replies_fd else self._everything
            with suppress(FileExistsError):  # an update that was interrupted half way
                within.register(descriptor, wanted[descriptor])
            self._links[descriptor] = link
        link.watched = wanted

    def mute(self, link: ProcessLink) -> None:
        """Wait for no more replies of a process whose last one was read; its end is still waited for."""
        with suppress(OSError, ValueError):  # done before
            self._replies.unregister(link.process.replies_fd)

    def watch_alarm(self, descriptor: int) -> None:
        """Wait for an eventfd by which limits that were passed are told."""
        self._everything.register(descriptor, select.EPOLLIN)
        self._alarm = descriptor

    def watch_template(self, link: ProcessTemplateLink) -> None:
        """Wait for what a template says, and for its end."""
        # One that is closed tells nobody here: it is let go when another comes.
        for descriptor, other in list(self._templates.items()):
            if other.process.descriptor < 0:
                del self._templates[descriptor]
        self._everything.register(link.descriptor, select.EPOLLIN)
        self._templates[link.descriptor] = link

    def template_of(self, descriptor: int) -> ProcessTemplateLink | None:
        """Return the template a descriptor belongs to. One that is closed was taken out by that."""
        link = self._templates.get(descriptor)
        return None if link is None or link.process.descriptor < 0 else link

    def forget(self, link: ProcessLink) -> None:
        """Wait for nothing of a process of which not everything could be watched."""
        for descriptor in link.process.readable_fds:
            self._forget(descriptor)

    def drop(self, link: ProcessLink) -> None:
        """Wait for nothing of a process any more."""
        for descriptor in link.watched:
            self._forget(descriptor)
        link.watched = {}

    def _forget(self, descriptor: int) -> None:
        self._links.pop(descriptor, None)
        for within in (self._replies, self._everything):
            try:
                within.unregister(descriptor)
            except OSError:
                continue  # in the other set, or closed already, which took it out

    def close(self) -> None:
        """Let every worker go, then what they were forked from."""
        for link in self.links():
            self.drop(link)
            link.close()
        for template in self._templates.values():
            template.close()
        self._everything.close()
        self._replies.close()
