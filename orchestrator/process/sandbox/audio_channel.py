"""Pass the audio of jobs to a confined worker as descriptors: it can open nothing by ``/proc`` of ours.

The worker's side is :mod:`orchestrator_worker.passed_audio`. One message for each Run with audio, sent before it.
"""

from __future__ import annotations

import errno
import os
import socket
import struct

from orchestrator_worker.passed_audio import MESSAGE
from orchestrator_worker.protocol import Run


class AudioChannel:
    """Our end of the socket; ``theirs`` is the worker's, open here until :meth:`keep_ours`."""

    def __init__(self) -> None:
        """Make the pair.

        Raises:
            OSError: The system refused.
        """
        self._ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._ours.setblocking(False)
        self._ours.shutdown(socket.SHUT_RD)  # nobody listens to what the worker might say here

    @property
    def theirs(self) -> int:
        """The worker's end."""
        return self._theirs.fileno()

    def keep_ours(self) -> None:
        """The worker has its end: close it here."""
        self._theirs.close()

    def pass_audio(self, run: Run) -> None:
        """Open a job's audio and send it; whether that can be done the worker hears in any case."""
        if run.job.audio is None:
            return
        try:
            descriptor = os.open(run.job.audio.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            self._send(MESSAGE.pack(run.id, error.errno or errno.EIO), [])
            return
        try:
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", descriptor))
            self._send(MESSAGE.pack(run.id, 0), [rights])
        finally:
            os.close(descriptor)

    def _send(self, message: bytes, rights: list[tuple[int, int, bytes]]) -> None:
        try:
            self._ours.sendmsg([message], rights)
        except OSError:
            return  # it is dead, or does not take what it was sent: it will find nothing for this job, and say so

    def close(self) -> None:
        """Close what is open."""
        self._ours.close()
        self._theirs.close()
