"""Results in shared memory that are not as they are announced: what a hostile worker may pass beside its Done."""

import _socket
import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from hostile_functions import write_frame

from orchestrator_worker import loop
from orchestrator_worker.engines.function import current_emit
from orchestrator_worker.protocol import ChunkTimes, Done
from orchestrator_worker.sharing.passing import DESCRIPTOR, MESSAGE
from orchestrator_worker.sharing.shared_memory import SEALS, sealed_memory

PACKED = msgspec.msgpack.encode("five")


class Answer(NamedTuple):
    """What is passed, for which job counted from ours, and what the Done beside it says."""

    descriptors: list[int]
    job: int = 0
    announced: int = len(PACKED)
    kind: Any = "plain"
    inline: bytes = b""
    says_so: bool = True


def sealed(*pieces: bytes) -> int:
    return sealed_memory("hostile", pieces or [PACKED])


def memory(seals: int, size: int = 0) -> int:
    """Return shared memory with some seals; of a given size it is holes, and costs this process nothing."""
    descriptor = os.memfd_create("hostile", os.MFD_ALLOW_SEALING)
    if size:
        os.ftruncate(descriptor, size)
    else:
        os.write(descriptor, PACKED)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    return descriptor


def file(folder: Path) -> int:
    (folder / "file").write_bytes(PACKED)
    return os.open(folder / "file", os.O_RDWR)


def fifo(folder: Path) -> int:
    os.mkfifo(folder / "fifo")
    return os.open(folder / "fifo", os.O_RDWR)


ANSWERS: dict[str, Callable[[Path], Answer]] = {
    "honest": lambda _: Answer([sealed()]),
    "nothing": lambda _: Answer([], says_so=False),
    "no descriptor": lambda _: Answer([]),
    "two": lambda _: Answer([sealed(), sealed()]),
    "twenty": lambda _: Answer([sealed()] * 20),
    "another job's": lambda _: Answer([sealed()], job=1),
    "unsealed": lambda _: Answer([memory(0)]),
    "half sealed": lambda _: Answer([memory(fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)]),
    "a file": lambda folder: Answer([file(folder)]),
    "a fifo": lambda folder: Answer([fifo(folder)]),
    "a socket": lambda _: Answer([_current()._passing_fd]),
    "longer": lambda _: Answer([sealed(PACKED, b"more")]),
    "too large": lambda _: Answer([memory(SEALS, 1 << 40)], announced=1 << 40),
    "a transcript": lambda _: Answer([sealed()], kind="transcript"),
    "one in the frame": lambda _: Answer([sealed()], inline=b"x"),
}


def _current() -> Any:
    return loop._current


def answer(how: str, folder: str) -> None:
    """Answer the running job by shared memory, and wait for what comes of it."""
    job: int = current_emit()._job_id  # type: ignore[attr-defined]
    said = ANSWERS[how](Path(folder))
    if said.says_so:
        numbers = b"".join(map(DESCRIPTOR.pack, said.descriptors))
        rights = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, numbers)] if numbers else []
        _current().passing()._socket.sendmsg([MESSAGE.pack(job + said.job, 0)], rights)
    done = Done(job, said.kind, said.inline, 0.0, ChunkTimes(), None, said.announced)
    write_frame(msgspec.msgpack.encode(done))
    time.sleep(3600)
