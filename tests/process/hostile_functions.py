"""What broken and hostile jobs do in a worker: they write to its wire, close it, fork, and raise the unspeakable."""

import os
import signal
import threading
import time
from typing import Any

import msgspec

from orchestrator_worker.engines.function import current_emit
from orchestrator_worker.loop import protocol_out_fd
from orchestrator_worker.pipe import Pipe
from orchestrator_worker.protocol import ChunkTimes, Done


def write_frame(payload: bytes) -> None:
    """Send one frame, whatever is in it."""
    rest = memoryview(len(payload).to_bytes(4, "little") + payload)
    while rest:
        rest = rest[os.write(protocol_out_fd(), rest) :]


def send_raw(payload: bytes, times: int = 1) -> int:
    for _ in range(times):
        write_frame(payload)
    return times


def send_repeated(head: bytes, piece: bytes, times: int, tail: bytes = b"") -> None:
    """Send one large frame that this side needs not carry."""
    write_frame(head + piece * times + tail)


def send_message(message: dict[str, Any]) -> None:
    write_frame(msgspec.msgpack.encode(message))


def nest(depth: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(depth):
        found = [found]
    return found


def answer_others(first: int, count: int) -> str:
    """Send results for jobs that nobody has given to this worker."""
    for number in range(first, first + count):
        done = Done(number, "plain", msgspec.msgpack.encode("forged"), 0.0, ChunkTimes())
        write_frame(msgspec.msgpack.encode(done))
    return "mine"


def answer_others_later(first: int, count: int, pause_s: float) -> str:
    """The same from a thread, when this job has ended."""
    threading.Timer(pause_s, answer_others, (first, count)).start()
    return "mine"


def die_without_reading_on(how: str, *, waits: bool) -> str:
    """Answer well, and die before a byte of the next job is read: once it lies in the pipe (``waits``), or at once."""

    def die_instead(self: Pipe, begun: bytes = b"") -> None:
        if waits:
            self._poller.poll()
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        os._exit(0 if how == "exit" else 7)

    Pipe._read = die_instead  # type: ignore[method-assign]
    return "answered"


def emit_later(pause_s: float, times: int) -> str:
    """Keep the emitter beyond the job's end, in a thread."""
    emit = current_emit()

    def go_on() -> None:
        for _ in range(times):
            time.sleep(pause_s)
            emit("late")

    threading.Thread(target=go_on, daemon=True).start()
    return "done"
