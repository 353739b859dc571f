"""Descriptors that parent and worker pass to each other over a socket, each with the id of the Run it belongs to.

By them travels what a frame cannot hold or a confined worker could not open: the audio of a confined worker's job, and
arguments and results that are larger than a frame (:mod:`.shared_memory`). A descriptor is
sent before the message it belongs to. What came for a Run that was never begun is closed.
"""

from __future__ import annotations

import _socket  # the bare one: ``socket`` would bring modules that no worker needs
import os
import struct

MESSAGE = struct.Struct("<Qi")
"""The id of the Run, and the errno with which the sender could not open what it names, or 0 beside its descriptor."""
DESCRIPTOR = struct.Struct("i")


class Passing:
    """The worker's end of the socket."""

    def __init__(self, descriptor: int) -> None:
        self._socket = _socket.socket(fileno=descriptor)

    def take(self, command_id: int) -> int:
        """Return the descriptor for a Run, which is the caller's to close.

        Raises:
            OSError: The parent could not open it, or nothing came for this Run.
        """
        while True:
            message, ancillary, _, _ = self._socket.recvmsg(
                MESSAGE.size,
                _socket.CMSG_SPACE(DESCRIPTOR.size),
                _socket.MSG_CMSG_CLOEXEC | _socket.MSG_DONTWAIT,
            )
            number, reason = MESSAGE.unpack(message)
            descriptor = DESCRIPTOR.unpack(ancillary[0][2])[0] if ancillary else -1
            if number == command_id:
                if descriptor < 0:
                    raise OSError(reason, f"the audio could not be opened: {os.strerror(reason)}")
                return int(descriptor)
            if descriptor >= 0:
                os.close(descriptor)

    def send(self, command_id: int, descriptor: int) -> None:
        """Pass a descriptor to the parent; it stays open here.

        Raises:
            OSError: The system refused.
        """
        rights = (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, DESCRIPTOR.pack(descriptor))
        self._socket.sendmsg([MESSAGE.pack(command_id, 0)], [rights])

    def close(self) -> None:
        """Close this end."""
        self._socket.close()
