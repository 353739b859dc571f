"""Allow the workers of a strict template a process group each, and nobody else one.

A confined process must not leave its group, by which it is killed. A template has to fork workers into groups of their
own, and the code that it has loaded could do whatever it can do. So its filter puts ``setpgid(0, PID)`` before us
(``SECCOMP_RET_USER_NOTIF``), and the kernel says which process asks: one is allowed for each worker that was ordered.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import struct

_RECEIVE, _SEND = 0xC0502100, 0xC0182101
"""SECCOMP_IOCTL_NOTIF_RECV and SECCOMP_IOCTL_NOTIF_SEND, with the sizes of what they take."""
_QUESTION = struct.Struct("=QIIiIQ6Q")
"""id, number of the process, flags, system call, architecture, where in the code, arguments."""
_ANSWER = struct.Struct("=QqiI")
"""id, result, minus an errno, flags."""
_CONTINUE = 1
MOST_WAITING = 64
"""Questions that nobody was ordered to ask; a template with more of them asks without end."""
_NUMBERS = 0xFFFFFFFF
"""Of an argument, what a number of a process has."""


class OwnGroups:
    """Answers what the filter of one template asks. Not thread-safe."""

    def __init__(self, listener: int) -> None:
        """``listener`` is the filter's; it is closed by :meth:`close`."""
        self.descriptor = listener

    def answer(self, *, allow: bool) -> int:
        """Answer one question, if one is waiting; return whom a group was allowed, 0: nobody.

        ``allow``: a process may make a group of its own; else none.
        """
        question = bytearray(_QUESTION.size)
        try:
            if not _readable(self.descriptor):
                return 0
            fcntl.ioctl(self.descriptor, _RECEIVE, question)
            number, pid, _, _, _, _, nought, group, *_ = _QUESTION.unpack(question)
            yes = allow and pid != 0 and nought & _NUMBERS == 0 and group & _NUMBERS == pid
            answer = _ANSWER.pack(number, 0, 0 if yes else -errno.EPERM, _CONTINUE if yes else 0)
            fcntl.ioctl(self.descriptor, _SEND, answer)
        except OSError:
            return 0  # who asked is gone
        return int(pid) if yes else 0

    def refuse_waiting(self) -> bool:
        """Refuse a group to all who have asked for one so far: nobody was ordered. False: they ask without end."""
        for _ in range(MOST_WAITING):
            if not _readable(self.descriptor):
                return True
            self.answer(allow=False)
        return False

    def close(self) -> None:
        """Close it: whoever asks from then on is refused by the kernel."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def _readable(descriptor: int) -> bool:
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    return any(events & select.POLLIN for _, events in poller.poll(0))
