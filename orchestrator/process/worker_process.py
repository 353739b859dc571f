"""One worker process as the parent sees it: bytes out, messages in, noise kept, death noticed.

:class:`WorkerProcess` blocks nowhere and owns no policy. Whoever drives it (the blocking
:class:`~orchestrator.process.dialogue.Dialogue` of the experiments, the pool's supervisor) waits on its
descriptors and calls :meth:`pump`. A death is reported only after everything the worker managed to say has
been read.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import msgspec

from orchestrator.config.model import Model
from orchestrator.errors import ProtocolError
from orchestrator.process.fork_server import ForkServer
from orchestrator.process.offspring import open_pidfd, owns_group
from orchestrator.process.sandbox.modes import mode_of
from orchestrator.process.sharing.channel import (
    pass_descriptor,
    pass_file,
)
from orchestrator.process.sharing.shared_result import with_result
from orchestrator.process.spawn import child_environment, late_environment, refusal, spawn
from orchestrator.process.stderr_tail import StderrTail
from orchestrator.process.uninterrupted import open_into
from orchestrator_worker.framing import DEFAULT_CAP, FrameDecoder, FramingError, check_size, frame
from orchestrator_worker.protocol import Command, Done, Reply, Run, Sandbox

if TYPE_CHECKING:
    from orchestrator.process.sandbox.worker_sandbox import WorkerSandbox

READ_SIZE = 1 << 16
_encoder = msgspec.msgpack.Encoder()
_decode: Callable[[bytes], Reply] = msgspec.msgpack.Decoder(Reply).decode
WHOLE_PIPE = 1 << 20
"""More than a pipe of the usual size holds; ours are never enlarged."""
MOST_NOISE_READS = 16
"""Reads of the noise pipe in one pump: a worker that prints without end must not keep the parent busy."""
MOST_READS = 64
"""The same for replies. What the dead have said is read to its end, which comes: no pipe holds as much."""


class WorkerProcess:
    """A started worker. ``returncode`` is None while it lives (negative: minus the signal's number)."""

    def __init__(
        self,
        env: Mapping[str, str] | None = None,
        *,
        slot: int = 0,
        generation: int = 1,
        cap: int = DEFAULT_CAP,
        fork_server: ForkServer | None = None,
        python: str | None = None,
        models: Sequence[Model] = (),
    ) -> None:
        """Start the process; ``env`` is added to what it gets of ours. A ``fork_server`` must have just that.

        ``python`` is the interpreter, as for :func:`~orchestrator.process.spawn.spawn`. ``models`` are those it will
        hold, as far as they ask for variables or for it to be confined: :attr:`sandbox` belongs into its Configure.

        Raises:
            SpawnError: The system refused.
            SandboxUnavailableError: It cannot confine a worker.
            InterpreterError: There is no interpreter for workers.
        """
        self.slot = slot
        self.generation = generation
        self.late_environment = late_environment(env or {})
        pass_env = [name for model in models for name in model.pass_env]
        self._confined = _confined(models, fork_server, slot=slot, generation=generation)
        try:
            self._process, self._ends = spawn(
                child_environment(env or {}, pass_env),
                slot=slot,
                generation=generation,
                fork_server=fork_server,
                python=python,
            )
        except BaseException:
            self._leave_confined()
            raise
        if self._confined is not None:
            self.late_environment |= self._confined.environ
        self.pid = self._process.pid
        self.returncode: int | None = None
        self._pidfd = self._watched()
        self._cap = cap
        self._frames = FrameDecoder(cap)
        self._outgoing = bytearray()
        self._unread: bytes | None = None
        self.paused = False
        """Whether replies are not to be read for now: the worker then waits for room in its pipe."""
        self.at_end = False
        """Whether all its replies were read, and no more can come; :meth:`pump` then closes their pipe."""
        self.hung_up = False
        """Whether it has closed its end of a pipe: it is about to end, or lives on and can do nothing for us."""
        self._stderr_tail = StderrTail()
        self.on_noise: Callable[[bytes], None] | None = None
        """Called with each piece of what the worker prints, besides its being kept."""
        self._broken: tuple[str, bytes] | None = None
        self.most_shared = 0
        """Bytes that a result may have in shared memory; belongs into its Configure."""

    def _watched(self) -> int:
        """Return the descriptor by which the death is noticed. Without one a process is not kept."""
        try:
            return open_pidfd(self.pid)
        except OSError as error:
            self._pidfd = -1
            self._ends.close()
            self._reap()
            self._leave_confined()
            raise refusal(error, slot=self.slot, generation=self.generation, pid=self.pid) from error

    # ------------------------------------------------------------------ descriptors to wait on

    @property
    def readable_fds(self) -> list[int]:
        """Wait for these to become readable: replies, noise and (where the system has it) the death."""
        replies = -1 if self.paused else self._ends.replies
        return [fd for fd in (replies, self._ends.noise, self._pidfd) if fd >= 0]

    @property
    def replies_fd(self) -> int:
        """Where replies come, -1 after their end."""
        return self._ends.replies

    @property
    def writable_fd(self) -> int | None:
        """Wait for this to become writable while something is still to be sent."""
        waits = self._outgoing and self._ends.commands >= 0 and not self.hung_up
        return self._ends.commands if waits else None

    @property
    def notices_death(self) -> bool:
        """Whether waiting on the descriptors is enough to notice a death; else poll now and then."""
        return self._pidfd >= 0

    @property
    def broken(self) -> bool:
        """Whether it sent what is no message; the next read raises."""
        return self._broken is not None

    @property
    def sandbox(self) -> Sandbox | None:
        """What the worker is to confine itself to; None: to nothing."""
        return None if self._confined is None else self._confined.sandbox

    @property
    def start(self) -> Literal["exec", "fork", "warm"]:
        """How it began: as a new interpreter, or as a copy of a fork server or of a template."""
        return self._process.start

    @property
    def stderr_tail(self) -> str:
        """The last 64 KiB the worker printed on its standard output and error."""
        return self._stderr_tail.text

    # ------------------------------------------------------------------ speaking

    def send(self, command: Command) -> None:
        """Queue one command and write as much as the pipe takes now.

        Raises:
            FramingError: The command is over the cap; nothing was queued.
            TypeError: The command holds a value msgpack has no form for; nothing was queued.
        """
        encoded = frame(command, _encoder, self._cap)
        if isinstance(command, Run):
            self.pass_audio(command)
        self.send_frame(encoded)

    def pass_audio(self, run: Run) -> None:
        """Send a confined worker the audio of a job, which it could not open. For all others nothing is done."""
        if self._confined is not None and run.job.audio is not None and self._ends.passing is not None:
            pass_file(self._ends.passing, run.id, run.job.audio.path)

    def pass_descriptor(self, command_id: int, descriptor: int) -> None:
        """Send the worker a descriptor for a job that is sent next; it stays open here."""
        if self._ends.passing is not None:
            pass_descriptor(self._ends.passing, command_id, descriptor)

    def send_frame(self, encoded: bytes | bytearray) -> None:
        """Queue a command that is encoded already, header included, and write as much as the pipe takes now."""
        if self._outgoing:  # behind what waits already: frames must not overtake each other
            self._outgoing += encoded
            self._flush()
            return
        try:
            written = os.write(self._ends.commands, encoded)
        except BlockingIOError:
            written = 0
        except OSError:
            written = 0  # closed at the other end, or here; kept, because nobody has read it
            self.hung_up = True
        if written < len(encoded):
            self._outgoing += encoded[written:]

    def _flush(self) -> None:
        if not self._outgoing or self._ends.commands < 0 or self.hung_up:
            return
        try:
            del self._outgoing[: os.write(self._ends.commands, self._outgoing)]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self.hung_up = True

    def recall(self, sizes: Sequence[int]) -> int:
        """Take commands out of the pipe again that the worker has not begun to read; return how many.

        ``sizes`` are the lengths of the frames sent last, header included, oldest first; the latest are taken first.
        What lies before them, the rest of one that the worker has begun to read too, is written again. Needs
        ``/proc``; without it only what did not fit into the pipe is taken.
        """
        # The pipe first, then what did not fit into it: together the bytes in the order in which they were sent.
        unread = self._drain() + bytes(self._outgoing)
        kept, taken = len(unread), 0
        for size in reversed(sizes):
            if size > kept:
                break  # the worker has read a part of this frame: the rest must go back, or the pipe is out of step
            kept -= size
            taken += 1
        self._outgoing.clear()
        if kept:
            self.send_frame(unread[:kept])
        return taken

    def has_read(self, encoded: bytes) -> bool:
        """Whether the worker, which is dead, has begun to read a command that was sent to it.

        Every command has an id of its own, so the bytes of one are found nowhere else. Needs ``/proc``; without it all
        counts as read that fitted into the pipe.
        """
        if self._unread is None:
            self._ends.close_one(
                "replies"
            )  # all is read, and nobody holds the lifeline any more: where descriptors
            self._ends.close_one("lifeline")  # are short, these are the ones to be had
            self._unread = self._drain() + bytes(self._outgoing)
        return encoded not in self._unread

    def _drain(self) -> bytes:
        """Return what the worker has not read. One system call reads it: two would let the worker come between."""
        # Linux opens an end of a pipe anew by its name in /proc. An own read end for that would keep the pipe alive
        # when the worker is dead, and a write would not fail any more.
        reader: list[int] = []
        try:
            open_into(reader, f"/proc/self/fd/{self._ends.commands}", os.O_RDONLY | os.O_NONBLOCK)
            return os.read(reader[0], WHOLE_PIPE)
        except OSError:  # it cannot be opened, or nothing is in it
            return b""
        finally:
            if reader:  # called here: a function of Python could be struck at its first step
                os.close(*reader)

    def pump(self) -> list[Reply]:
        """Write and read what is possible now, keep the noise, notice a death. Never blocks.

        Raises:
            ProtocolError: The worker sent bytes that are no message, and all messages before them were
                returned. It should be killed; what it sends from then on is not read.
        """
        self._flush()
        # Asked before the pipes are read: all that a dead process wrote is in them by then, so nothing it said is
        # lost.
        died = self.returncode is None and self._has_exited()
        if died:
            self.paused = False
            self.signal_group(signal.SIGKILL)  # or its children could go on writing for ever
        try:
            return self.read_replies(WHOLE_PIPE // READ_SIZE * MOST_READS if died else MOST_READS)
        finally:
            if self.at_end:
                self._ends.close_one("replies")
            self._read_noise()
            if died:
                self._reap()

    def read_replies(self, most_reads: int = MOST_READS) -> list[Reply]:
        """Read and decode what is there, up to a bound; the part of :meth:`pump` that most wake-ups need.

        Opens and closes nothing: callers of a pool do this, whom a Ctrl-C may strike between any two steps.

        Raises:
            ProtocolError: As :meth:`pump`: messages before a broken one still count, the next call raises.
        """
        replies: list[Reply] = []
        for _ in range(most_reads):
            if self._broken is not None or self._ends.replies < 0 or self.at_end or self.paused:
                break
            try:
                chunk = os.read(self._ends.replies, READ_SIZE)
            except BlockingIOError:
                break
            if not chunk:
                self.at_end = self.hung_up = True
                break
            try:
                for payload in self._frames.feed(chunk):
                    check_size(payload)
                    replies.append(self._decoded(payload))
            except FramingError as error:
                self._broken = error.problem, error.excerpt
            except Exception as error:  # noqa: BLE001 - what decoding raises depends on the bytes: text, depth, memory
                problem = f"undecodable message: {type(error).__name__}: {error}"
                self._broken = problem, chunk[:64]
            if len(chunk) < READ_SIZE:
                break  # the pipe is empty: saves the read that would only say so, once for every reply
        if self._broken is not None and not replies:
            # A new one each time: one that is kept would keep, by its traceback, all that it passed through.
            raise self._protocol_error(*self._broken)
        return replies

    def _decoded(self, payload: bytes) -> Reply:
        reply = _decode(payload)
        if type(reply) is Done and reply.shared:
            return with_result(reply, self._ends.passing, self.most_shared)
        return reply

    def _protocol_error(self, problem: str, excerpt: bytes) -> ProtocolError:
        return ProtocolError(problem, excerpt, slot=self.slot, generation=self.generation, pid=self.pid)

    def _read_noise(self) -> None:
        for _ in range(MOST_NOISE_READS):
            if self._ends.noise < 0:
                return
            try:
                chunk = os.read(self._ends.noise, READ_SIZE)
            except BlockingIOError:
                return
            if not chunk:
                self._ends.close_one("noise")  # so that nobody waits on it again
                return
            self._stderr_tail.add(chunk)
            if self.on_noise is not None:
                self.on_noise(chunk)

    # ------------------------------------------------------------------ ending

    def signal_group(self, number: int) -> None:
        """Send a signal to the worker and everything in its process group. Nothing happens to the dead."""
        if self.returncode is None and owns_group(self.pid, self._pidfd):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)

    def _has_exited(self) -> bool:
        return self._process.has_exited(self._pidfd)

    def _reap(self) -> None:
        # The group is killed before its leader is reaped: until then its number cannot be given to another.
        self.signal_group(signal.SIGKILL)
        self.returncode = self._process.reap(self._pidfd)

    def close(self) -> None:
        """Kill what is left, reap it and close every descriptor. Blocks until the process is gone."""
        self.signal_group(signal.SIGKILL)
        if self.returncode is None:
            self._process.wait(self._pidfd)
            self.signal_group(signal.SIGKILL)
            self.returncode = self._process.reap(self._pidfd)
            self._read_noise()
        self._ends.close()
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1
        self._leave_confined()

    def _leave_confined(self) -> None:
        if self._confined is not None:
            self._confined.close()


def _confined(
    models: Sequence[Model], fork_server: ForkServer | None, *, slot: int, generation: int
) -> WorkerSandbox | None:
    if all(mode_of(model) == "off" for model in models):
        return None
    # only who confines pays for it: it brings the room of audio with it
    from orchestrator.process.sandbox.worker_sandbox import WorkerSandbox  # noqa: PLC0415

    try:
        return WorkerSandbox(models, None if fork_server is None else fork_server.sandbox)
    except OSError as error:
        raise refusal(error, slot=slot, generation=generation) from error
