"""Ask a worker and wait for its answer: the blocking way to drive one worker process.

The experiments use it, one worker at a time. Every answer is a barrier (see :mod:`orchestrator_worker.protocol`): when
:meth:`Dialogue.ask` returns, the worker stands still until it is asked again.
"""

from __future__ import annotations

import select
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Self, TypedDict, TypeVar

from orchestrator.config.model import Model
from orchestrator.errors import (
    EngineUnavailableError,
    JobCancelledError,
    JobError,
    JobTimeoutError,
    ProtocolError,
    SpawnError,
    WorkerDiedError,
)
from orchestrator.process.exit_status import describe_exit
from orchestrator.process.fork_server import ForkServer
from orchestrator.process.host.supported import refuse_patched_host
from orchestrator.process.sandbox import removal
from orchestrator.process.spawn import host_sys_path
from orchestrator.process.worker_process import WorkerProcess
from orchestrator.remote_errors import job_error
from orchestrator_worker.framing import FramingError
from orchestrator_worker.protocol import (
    PROTOCOL_VERSION,
    Chunk,
    Command,
    Configure,
    Failed,
    Hello,
    Ready,
    Reply,
    Shutdown,
)

HANDSHAKE_TIMEOUT_S = 30.0
POLITE_GRACE_S = 2.0
TERM_GRACE_S = 1.0
POLL_WITHOUT_PIDFD_S = 0.05
LONGEST_WAIT_S = 1.0
"""Two signals in a row may both be taken by another thread (the sampler's, a library's). This one then sleeps
on, and Python's handlers run only once it wakes: so it does now and then, or Ctrl-C would wait for the worker."""
R = TypeVar("R", bound=Reply)


class _Identity(TypedDict):
    slot: int
    generation: int
    pid: int


class Dialogue:
    """A worker process spoken to in turns. ``phase`` is what the worker is doing, for the words of errors."""

    def __init__(
        self,
        env: Mapping[str, str] | None = None,
        *,
        slot: int = 0,
        generation: int = 1,
        heap: bool = True,
        models: Sequence[Model] = (),
        fork_server: ForkServer | None = None,
        handshake_timeout_s: float = HANDSHAKE_TIMEOUT_S,
    ) -> None:
        """Start a worker and shake hands with it; ``models`` are those it will hold and may have to be confined for.

        With a ``fork_server``, or a template, of just this environment it is forked from that.

        Raises:
            SpawnError: It could not be started, died, or did not say hello in time.
            InterpreterError: There is no interpreter for workers.
            SandboxUnavailableError: The system cannot confine it as one of the models asks.
            UnsupportedHostError: This process is patched by gevent or the like.
        """
        refuse_patched_host()
        self.phase = "spawn"
        self._inbox: deque[Reply] = deque()
        self._asked: int | None = None
        self._hung_up_at: float | None = None
        self.worker = WorkerProcess(
            env, slot=slot, generation=generation, models=models, fork_server=fork_server
        )
        try:
            self.hello, self.ready = self._shake_hands(handshake_timeout_s, heap=heap)
        except BaseException as error:
            self.close()
            if isinstance(error, WorkerDiedError | JobTimeoutError | ProtocolError):
                raise SpawnError(
                    f"no handshake: {error}", slot=slot, generation=generation, pid=self.worker.pid
                ) from error
            raise

    def _shake_hands(self, timeout_s: float, *, heap: bool) -> tuple[Hello, Ready]:
        deadline = time.monotonic() + timeout_s
        hello = self._expect(Hello, deadline, timeout_s)
        if hello.protocol != PROTOCOL_VERSION:
            raise self._protocol_error(f"worker speaks version {hello.protocol}, we speak {PROTOCOL_VERSION}")
        late = self.worker.late_environment
        self.worker.send(
            Configure(PROTOCOL_VERSION, host_sys_path(), late, heap, sandbox=self.worker.sandbox)
        )
        return hello, self._expect(Ready, deadline, timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ------------------------------------------------------------------ one question, one answer

    def ask(
        self,
        command: Command,
        answer: type[R],
        *,
        timeout_s: float,
        phase: str,
        on_chunk: Callable[[Chunk], None] | None = None,
    ) -> R:
        """Send ``command`` and return its answer.

        A worker that does not answer within ``timeout_s`` is killed, and so is one that breaks the protocol.

        Raises:
            JobError: The engine raised. The worker lives on.
            EngineUnavailableError: The engine misses something. The worker lives on.
            JobTimeoutError: No answer in time.
            WorkerDiedError: The process ended instead of answering.
            ProtocolError: It sent something else.
        """
        self.phase = phase
        self._asked = getattr(command, "id", None)
        try:
            self.worker.send(command)
        except FramingError as error:
            raise JobError("CommandTooLarge", error.problem) from error
        try:
            return self._expect(answer, time.monotonic() + timeout_s, timeout_s, on_chunk)
        except (JobTimeoutError, ProtocolError):
            self.worker.signal_group(signal.SIGKILL)
            raise

    def _expect(
        self,
        answer: type[R],
        deadline: float,
        timeout_s: float,
        on_chunk: Callable[[Chunk], None] | None = None,
    ) -> R:
        for reply in self._replies(deadline, timeout_s):
            if self._asked is not None and getattr(reply, "id", self._asked) != self._asked:
                raise self._protocol_error(f"{type(reply).__name__} of another command than the one asked")
            if isinstance(reply, Chunk):
                if on_chunk is not None:
                    on_chunk(reply)
            elif isinstance(reply, Failed):
                raise self._as_error(reply)
            elif isinstance(reply, answer):
                return reply
            else:
                raise self._protocol_error(f"expected {answer.__name__}, got {type(reply).__name__}")
        raise AssertionError("unreachable: replies end by raising")

    def _replies(self, deadline: float, timeout_s: float) -> Iterator[Reply]:
        while True:
            while self._inbox:
                yield self._inbox.popleft()
            if self.worker.returncode is not None:
                raise self._death()
            left = deadline - time.monotonic()
            if self.worker.hung_up:
                left = min(left, self._patience_with_the_hung_up())
            if left <= 0:
                raise JobTimeoutError(timeout_s, "run", **self._identity())
            self._wait(left)
            self._inbox.extend(self.worker.pump())

    def _patience_with_the_hung_up(self) -> float:
        """Return for how long a worker that has closed its end of a pipe may take to die."""
        now = time.monotonic()
        if self._hung_up_at is None:
            self._hung_up_at = now
        left = self._hung_up_at + TERM_GRACE_S - now
        if left <= 0:
            raise self._protocol_error("it closed its end of a pipe and lives on")
        return left

    def _wait(self, longest_s: float) -> None:
        poller = select.poll()
        for descriptor in self.worker.readable_fds:
            poller.register(descriptor, select.POLLIN)
        if (outgoing := self.worker.writable_fd) is not None:
            poller.register(outgoing, select.POLLOUT)
        most_s = LONGEST_WAIT_S if self.worker.notices_death else POLL_WITHOUT_PIDFD_S
        poller.poll(max(1.0, min(longest_s, most_s) * 1000))

    # ------------------------------------------------------------------ errors

    def _identity(self) -> _Identity:
        worker = self.worker
        return {"slot": worker.slot, "generation": worker.generation, "pid": worker.pid}

    def _death(self) -> WorkerDiedError:
        status = self.worker.returncode
        assert status is not None
        return WorkerDiedError(
            describe_exit(status),
            exit_status=status,
            phase=self.phase,
            stderr_tail=self.worker.stderr_tail,
            **self._identity(),
        )

    def _as_error(self, failed: Failed) -> Exception:
        if failed.kind == "unavailable":
            return EngineUnavailableError(failed.message, failed.how_to_get_it)
        if failed.kind == "cancelled":
            return JobCancelledError(failed.message or "cancelled", **self._identity())
        return job_error(failed)

    def _protocol_error(self, problem: str) -> ProtocolError:
        return ProtocolError(problem, **self._identity())

    # ------------------------------------------------------------------ leaving

    def stop(self, grace_s: float = POLITE_GRACE_S) -> int:
        """End the worker by the stop ladder and return its exit status.

        Polite message, then SIGTERM to its group, then SIGKILL, then confirmed gone. A worker that breaks the
        protocol on its way out is simply killed.
        """
        self.phase = "exit"
        if self.worker.returncode is None:
            self.worker.send(Shutdown())
            if not self._gone_within(grace_s):
                self.worker.signal_group(signal.SIGTERM)
                self._gone_within(TERM_GRACE_S)
        self.close()
        assert self.worker.returncode is not None
        return self.worker.returncode

    def _gone_within(self, grace_s: float) -> bool:
        deadline = time.monotonic() + grace_s
        while self.worker.returncode is None and (left := deadline - time.monotonic()) > 0:
            self._wait(left)
            try:
                self.worker.pump()
            except ProtocolError:
                return False
        return self.worker.returncode is not None

    def close(self) -> None:
        """Kill the worker if it lives, reap it, close every descriptor. Safe to call again."""
        self.worker.close()
        removal.drain()
