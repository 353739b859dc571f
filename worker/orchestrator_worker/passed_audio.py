"""Audio of a confined worker: descriptors that the parent opens and passes over a socket, one for each job with audio.

A confined worker can open neither the parent's descriptors by ``/proc`` nor recordings in folders it may not read. The
descriptor is sent before the ``Run`` it belongs to and carries that one's id; what came for another one, which was
never begun, is closed.
"""

from __future__ import annotations

import _socket  # the bare one: ``socket`` would bring modules that no worker needs
import os
import struct

MESSAGE = struct.Struct("<Qi")
"""The id of the Run, and the errno with which the parent could not open the audio, or 0 beside its descriptor."""
_DESCRIPTOR = struct.Struct("i")


class PassedAudio:
    """The worker's end of the socket."""

    def __init__(self, descriptor: int) -> None:
        self._socket = _socket.socket(fileno=descriptor)
        self._socket.setblocking(False)

    def take(self, command_id: int) -> int:
        """Return the descriptor for a Run, which is the caller's to close.

        Raises:
            OSError: The parent could not open the audio, or nothing came for this Run.
        """
        while True:
            message, ancillary, _, _ = self._socket.recvmsg(
                MESSAGE.size, _socket.CMSG_SPACE(_DESCRIPTOR.size), _socket.MSG_CMSG_CLOEXEC
            )
            number, reason = MESSAGE.unpack(message)
            descriptor = _DESCRIPTOR.unpack(ancillary[0][2])[0] if ancillary else -1
            if number == command_id:
                if descriptor < 0:
                    raise OSError(reason, f"the audio could not be opened: {os.strerror(reason)}")
                return int(descriptor)
            if descriptor >= 0:
                os.close(descriptor)
