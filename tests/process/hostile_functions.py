"""What broken and hostile jobs do in a worker: they write to its wire, close it, fork, and raise the unspeakable."""

import ctypes
import os
import signal
import subprocess
import sys
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


# ------------------------------------------------------------------ forks


def fork_and_return(value: str, how: str = "python") -> str:
    """Come back twice: in the parent with ``value``, in the child with another."""
    child = ctypes.PyDLL(None).fork() if how == "native" else os.fork()
    if child == 0:
        return "of the child"
    os.waitpid(child, 0)
    return value


def fork_and_raise(kind: str) -> str:
    child = os.fork()
    if child == 0:
        raise {"error": ValueError, "exit": SystemExit, "interrupt": KeyboardInterrupt}[kind]("of the child")
    os.waitpid(child, 0)
    return kind


def fork_within_a_generator() -> Any:
    yield "a"
    child = os.fork()
    if child:
        os.waitpid(child, 0)
    yield "b"
    return "parent" if child else "child"


def fork_again_and_again(path: str) -> str:
    """A child that opens files and forks on: its descriptors are its own."""
    child = os.fork()
    if child == 0:
        files = [open(f"{path}{number}", "w") for number in range(4)]  # noqa: SIM115
        if os.fork() == 0:
            for file in files:
                file.write("written")
                file.flush()
            os._exit(0)
        os.wait()
        return "of the child"
    os.waitpid(child, 0)
    return "".join(open(f"{path}{number}").read() for number in range(4))


def leave_a_child(seconds: float) -> int:
    """Leave a forked child that lives on for a while."""
    child = os.fork()
    if child == 0:
        time.sleep(seconds)
    return child


# ------------------------------------------------------------------ descriptors


def close_and_live(which: str, seconds: float) -> None:
    """Close ends of the wire, and live on."""
    from orchestrator_worker import loop

    pipe = loop._current
    assert pipe is not None
    for descriptor in {
        "replies": [pipe.replies_fd],
        "commands": [pipe._commands_fd],
        "both": [pipe.replies_fd, pipe._commands_fd],
        "all": range(3, 256),
    }[which]:
        try:
            os.close(descriptor)
        except OSError:
            continue
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.01)


# ------------------------------------------------------------------ exceptions


class WithoutTextError(Exception):
    """Its text raises what ``kinds`` says."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __str__(self) -> str:
        if self.kind == "number":
            return 7  # type: ignore[return-value]  # noqa: PLE0307
        if self.kind == "recursion":
            return str(self)
        raise {
            "error": ValueError,
            "exit": SystemExit,
            "interrupt": KeyboardInterrupt,
            "memory": MemoryError,
        }[self.kind]


class _Nameless(type):
    @property
    def __name__(cls) -> str:  # type: ignore[override]
        raise ValueError("no name")


class NamelessError(Exception, metaclass=_Nameless):
    """Its class has no name for who asks the usual way."""


class LyingText(str):
    """Text that is not what it says."""

    __slots__ = ()

    def encode(self, *_: Any) -> bytes:
        raise ValueError("no bytes")


class LyingError(Exception):
    """Its text is of a class of its own."""

    def __str__(self) -> str:
        return LyingText("lies \ud800")


def raise_without_text(kind: str) -> None:
    raise WithoutTextError(kind)


def raise_nameless() -> None:
    raise NamelessError("still heard")


def raise_lying() -> None:
    raise LyingError


def raise_long(characters: int, piece: str = "x") -> None:
    raise ValueError(piece * characters)


def raise_chain(length: int) -> None:
    error = ValueError("the first")
    for number in range(length):
        following = ValueError(f"number {number} " + "y" * 1000)
        following.__cause__ = error
        error = following
    raise error


def raise_unavailable(size: int) -> None:
    from orchestrator_worker.engines.base import EngineUnavailableError

    raise EngineUnavailableError("z" * size, 5)  # type: ignore[arg-type]


# ------------------------------------------------------------------ text


def talk(piece: str, times: int, path: str | None = None) -> Any:
    """Emit ``piece`` so many times; note in a file how often it went through."""
    for number in range(times):
        yield piece
        if path is not None and number % 16 == 0:
            with open(path, "w") as file:
                file.write(str(number))
    return times


# ------------------------------------------------------------------ memory


def hold_in_a_child(mib: int, seconds: float, how: str) -> int:
    """Have a child, or a child's child, hold so much, and wait for it."""
    code = f"import time; block = b'x' * ({mib} << 20); time.sleep({seconds})"
    if how == "grandchild":
        code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}])"
    if how == "forked":
        child = os.fork()
        if child == 0:
            block = bytearray(b"x") * (mib << 20)
            time.sleep(seconds)
            os._exit(len(block) and 0)
        return os.waitpid(child, 0)[1]
    return subprocess.run([sys.executable, "-c", code], check=False).returncode


def share_with_children(mib: int, children: int, seconds: float) -> int:
    """Hold so much, and fork children that have the same pages."""
    block = bytearray(b"x") * (mib << 20)
    pids = []
    for _ in range(children):
        child = os.fork()
        if child == 0:
            time.sleep(seconds)
            os._exit(0)
        pids.append(child)
    for child in pids:
        os.waitpid(child, 0)
    return len(block)


# ------------------------------------------------------------------ frozen


def stop_itself() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def hold_the_gil(seconds: float) -> str:
    """Sleep in native code, and keep the GIL."""
    ctypes.PyDLL(None).usleep(int(seconds * 1e6))
    return "done"


# ------------------------------------------------------------------ large values


def share_in_a_native_fork(size: int) -> bytes:
    """Come back twice with a result that no frame can hold; the child's is another."""
    child = ctypes.PyDLL(None).fork()
    if child == 0:
        return b"c" * size
    os.waitpid(child, 0)
    return b"p" * size


def take_and_die_once(value: bytes, marker: str) -> int:
    """The first worker dies with its arguments, the next one answers."""
    if not os.path.exists(marker):
        open(marker, "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    return len(value)
