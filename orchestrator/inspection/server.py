"""The server: a thread in the inspected process that answers each connection with one line of JSON and closes it."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from orchestrator.errors import OrchestratorError, ResultsError
from orchestrator.inspection.place import free_path, socket_folder
from orchestrator.inspection.snapshot import Snapshot

WAITING_CONNECTIONS = 8
ANSWER_TIMEOUT_S = 2.0
PAUSE_S = 0.2
_PASSING = {errno.ECONNABORTED, errno.EINTR, errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
"""Why a connection may fail without the socket being gone."""
_listening: weakref.WeakSet[Inspection] = weakref.WeakSet()


class Inspection:
    """Answers clients, from its construction until ``close``.

    Args:
        take: Makes the snapshot, given the seconds since the start; called on the answering thread for each look.

    Raises:
        ResultsError: There is no safe place for the socket.
    """

    def __init__(self, take: Callable[[float], Snapshot]) -> None:
        self._take = take
        self._owner_pid = os.getpid()
        self._began_s = time.monotonic()
        self._socket, self.path = _listening_socket(socket_folder(make=True))
        self._thread = threading.Thread(target=self._answer_all, name="inspection", daemon=True)
        self._thread.start()
        _listening.add(self)

    def close(self) -> None:
        """Accept no more clients and remove the socket. In a forked copy it stays, because it is the original's."""
        if os.getpid() != self._owner_pid:
            self.close_copy()
            return
        with contextlib.suppress(OSError):
            self.path.unlink()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        if threading.current_thread() is not self._thread:
            self._thread.join(ANSWER_TIMEOUT_S)

    def close_copy(self) -> None:
        """In a forked copy of the process: the socket is the original's, only our descriptor of it goes."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _answer_all(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError as error:
                if error.errno not in _PASSING:
                    return  # closed
                time.sleep(PAUSE_S)
                continue
            with connection, contextlib.suppress(OSError, OrchestratorError):
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        if _peer_uid(connection) not in {os.getuid(), 0}:
            return
        connection.settimeout(ANSWER_TIMEOUT_S)
        snapshot = self._take(time.monotonic() - self._began_s)
        connection.sendall(msgspec.json.encode(snapshot) + b"\n")


def _listening_socket(folder: Path) -> tuple[socket.socket, Path]:
    """Return a socket that listens in ``folder``, and its path. Threads that choose the same path get one each."""
    while True:
        path = free_path(folder)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:  # only its owner can enter the folder, so the socket's own mode does not matter
            listening.bind(str(path))
            listening.listen(WAITING_CONNECTIONS)
        except OSError as error:
            listening.close()
            if error.errno == errno.EADDRINUSE and path.exists():
                continue
            reason = error.strerror or str(error)
            shorter = "; set XDG_RUNTIME_DIR to a folder with a shorter name" if "too long" in reason else ""
            raise ResultsError(f"cannot listen at {path}: {reason}{shorter}") from error
        return listening, path


def _peer_uid(connection: socket.socket) -> int:
    """Return the user id of the client: a second check, beside the permissions of the folder."""
    size = struct.calcsize("3i")
    return int(struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))[1])


def _close_in_forked_copy() -> None:
    for inspection in list(_listening):
        inspection.close_copy()


os.register_at_fork(after_in_child=_close_in_forked_copy)
