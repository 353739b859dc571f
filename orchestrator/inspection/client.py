"""The client: finds the running pools, and asks one of them for a snapshot."""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass
from pathlib import Path

import msgspec

from orchestrator.errors import OrchestratorError, ResultsError
from orchestrator.inspection.place import ENDING, socket_folder
from orchestrator.inspection.snapshot import SNAPSHOT_SCHEMA, Snapshot

TIMEOUT_S = 3.0
_RECEIVE_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Found:
    """A pool that can be inspected. ``pid`` is its process."""

    pid: int
    path: Path


def find_running() -> list[Found]:
    """Return the pools of this user that can be inspected, oldest first. Removes sockets of processes that ended.

    Raises:
        ResultsError: The folder of sockets is not ours.
    """
    folder = socket_folder()
    if not folder.is_dir():
        return []
    found: list[Found] = []
    for path in sorted(folder.glob(f"*{ENDING}"), key=_age):
        pid = path.stem.split("-")[0]
        if pid.isdigit() and _somebody_listens(path):
            found.append(Found(int(pid), path))
    return found


def look(found: Found) -> Snapshot:
    """Return a snapshot of a pool as it is now.

    Raises:
        ResultsError: It is gone, does not answer, or is of another version.
    """
    try:
        content = _ask(found.path)
    except OSError as error:
        raise ResultsError(f"process {found.pid} does not answer: {error}") from error
    if not content:
        raise ResultsError(
            f"process {found.pid} shows nothing: its pool is ending, or belongs to another user"
        )
    return read_snapshot(content, f"process {found.pid}")


def read_snapshot(content: bytes, whose: str) -> Snapshot:
    """Return the snapshot that somebody sent.

    Raises:
        ResultsError: It is none, or of another version.
    """
    try:
        snapshot = msgspec.json.decode(content, type=Snapshot)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ResultsError(f"{whose} speaks another version: {error}") from error
    if snapshot.schema != SNAPSHOT_SCHEMA:
        raise ResultsError(f"{whose} speaks version {snapshot.schema}, this is {SNAPSHOT_SCHEMA}")
    return snapshot


def is_there(running: list[Found], pid: int | None) -> bool:
    """Whether any pool, or one of the given process, can be inspected."""
    return any(pid is None or each.pid == pid for each in running)


def choose(running: list[Found], pid: int | None) -> Found:
    """Return the pool to inspect: that of the given process, or the only one there is.

    Raises:
        OrchestratorError: There is none, or several and none was named; names them.
    """
    mine = [each for each in running if pid is None or each.pid == pid]
    if len({each.pid for each in mine}) == 1:
        return mine[0]
    if not mine:
        whose = "of yours" if pid is None else f"in process {pid}"
        raise OrchestratorError(
            f"no pool {whose} can be looked into; transcribe, align and batch always can, a Pool is opened with "
            "inspect=True"
        )
    raise OrchestratorError(
        f"several can be looked into: name a PID, one of {', '.join(str(each.pid) for each in mine)}"
    )


def _ask(path: Path) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(TIMEOUT_S)
        connection.connect(str(path))
        parts: list[bytes] = []
        while part := connection.recv(_RECEIVE_BYTES):
            parts.append(part)
    return b"".join(parts)


def _somebody_listens(path: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(TIMEOUT_S)
            connection.connect(str(path))
    except ConnectionRefusedError:
        with contextlib.suppress(OSError):
            path.unlink()  # its process was killed
        return False
    except OSError:
        return False
    return True


def _age(path: Path) -> float:
    with contextlib.suppress(OSError):
        return path.stat().st_mtime
    return 0.0
