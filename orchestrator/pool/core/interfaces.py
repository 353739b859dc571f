"""What a pool's core needs of the outside: for a caller a :class:`Promise`, for processes links.

:class:`~orchestrator.pool.core.registry.Effects` makes the links. Tests offer their own, and start no process.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from orchestrator.config.model import SandboxMode
from orchestrator_worker.protocol import Chunk, Command


class Promise(Protocol):
    """The caller's side of a job. Each call says whether the caller still waits: False after a cancel."""

    def begin(self) -> bool:
        """Work is about to start."""
        ...

    def resolve(self, value: Any) -> bool:
        """The job has its result."""
        ...

    def reject(self, error: BaseException) -> bool:
        """The job has failed; ``error`` says how."""
        ...

    def add_chunk(self, chunk: Chunk) -> int:
        """A piece of text came; return how many characters wait for a reader."""
        ...

    @property
    def reads_later(self) -> bool:
        """Whether the caller waits for the result first: it reads no text meanwhile."""
        ...

    def done(self) -> bool:
        """Whether the caller has its answer, or has cancelled."""
        ...


class Memory(Protocol):
    """Shared memory with a job's audio or arguments: a descriptor that its job keeps open."""

    @property
    def number(self) -> int:
        """The descriptor."""
        ...

    def close(self) -> None:
        """Close it; again is harmless."""
        ...


class Link(Protocol):
    """What the supervisor can do to one process. No call blocks."""

    @property
    def pid(self) -> int:
        """The process's number."""
        ...

    @property
    def start(self) -> str:
        """How the process began: ``exec`` or ``fork``."""
        ...

    @property
    def sandbox(self) -> SandboxMode:
        """What the process is confined to, before it loads a model."""
        ...

    def send(self, command: Command) -> None:
        """Send a command. Nothing happens to the dead."""
        ...

    def send_frame(self, frame: bytes) -> None:
        """Send an encoded command, or several."""
        ...

    def pass_descriptor(self, ticket: int, descriptor: int) -> None:
        """Pass a descriptor for the job of this ticket, which is sent next."""
        ...

    def recall(self, sizes: Sequence[int]) -> int:
        """Recall frames that were sent last, of these ``sizes``, oldest first; return how many were not begun."""
        ...

    def has_read(self, frame: bytes) -> bool:
        """Whether the process, which is dead, had begun to read this frame."""
        ...

    @property
    def full(self) -> bool:
        """Whether something waits for room in the pipe."""
        ...

    def pause(self, paused: bool) -> None:
        """Read no further replies, so that the process waits for room in its pipe; or read them again."""
        ...

    def signal(self, number: int) -> None:
        """Signal the process and its group."""
        ...

    def readings(self, now: float) -> list[tuple[float, int]]:
        """Return the readings since the last call, each with its time, oldest first; the last one is of now.

        ``now`` and the times are the pool's clock. Bytes as :meth:`read_rss` has them.
        """
        ...

    def past_readings(self) -> list[tuple[float, int]]:
        """The same without one of now; it need not be alive."""
        ...

    def read_rss(self, *, anew: bool = False) -> int:
        """Return the resident bytes now, 0 when the process is gone; of one forked from a template its own alone.

        ``anew``: not as far as it was read a moment ago.
        """
        ...

    def group_killed(self) -> bool:
        """Whether the kernel has killed in the process's own control group, for its limit."""
        ...

    def read_standstill(self) -> int | None:
        """Return how often its main thread has run, if it can only wait for a lock; None where that cannot be said."""
        ...

    def read_pulse(self) -> tuple[int, str] | None:
        """Return how often its threads have run, and its state; None: the system does not tell, or it is gone."""
        ...

    def stderr_tail(self) -> str:
        """Return what it printed last."""
        ...


class TemplateLink(Protocol):
    """What the supervisor can do to the process of a template. No call blocks for long."""

    @property
    def pid(self) -> int:
        """The process's number."""
        ...

    def read_rss(self) -> int:
        """Return the resident bytes now, 0 when the process is gone."""
        ...

    def outdated(self) -> bool:
        """Whether the model's files have changed since it was started, or the environment of its workers."""
        ...

    def close(self) -> None:
        """Kill it."""
        ...
