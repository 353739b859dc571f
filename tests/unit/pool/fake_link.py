"""A worker process as a record: what lies in its pipe, what it has read of it, what it was told.

The pipe is true to the real one where it matters: bytes in their order, of which the worker has read some and the
parent takes others back. So a frame that is cut in two, a job that is begun and recalled, or a message that is
taken for another, fails the test that does it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from orchestrator.config.model import SandboxMode
from orchestrator.pool.core.entities import Worker
from orchestrator_worker.framing import HEADER_SIZE, FrameDecoder, frame
from orchestrator_worker.protocol import Command, Done, Failed, Reply, Returned, Shutdown

MIB = 1024 * 1024
SMALLEST_JOB = 60
"""Bytes of the smallest frame of a job, header included. A Cancel has less."""
_encoder = msgspec.msgpack.Encoder()


def job_frame(number: int, size: int = SMALLEST_JOB) -> bytes:
    """Return a frame of ``size`` bytes that stands for a job."""
    payload = (b"%d" % number).ljust(size - HEADER_SIZE)
    return len(payload).to_bytes(HEADER_SIZE, "little") + payload


class Item(NamedTuple):
    """A frame in the pipe; ``job`` is 0 for a command that is none."""

    size: int
    job: int


@dataclass(eq=False)
class FakeLink:
    """Remembers what it was told."""

    worker: Worker
    pid: int
    rss: int = 50 * MIB
    start: str = "exec"
    sandbox: SandboxMode = "off"
    sent: list[Command] = field(default_factory=list)
    frames: list[bytes] = field(default_factory=list)
    """Every job that was ever sent, also those recalled since."""
    passed: list[tuple[int, int]] = field(default_factory=list)
    """Descriptors, with the tickets of their jobs."""
    writes: int = 0
    """System calls it took to send them."""
    signals: list[int] = field(default_factory=list)
    full: bool = False
    killed_in_group: bool = False
    read_apart: list[tuple[float, int]] = field(default_factory=list)
    """Readings that a sampling process took since the last look."""
    paused: bool = False
    pulse: tuple[int, str] | None = (0, "S")
    standstill: int | None = None
    pipe: list[Item] = field(default_factory=list)
    """What was sent and not recalled, from the first job without an answer."""
    read: int = 0
    """Bytes of it that the worker has read."""
    replies: deque[Reply] = field(default_factory=deque)
    """What the worker has said and nobody has heard yet."""

    # ------------------------------------------------------------------ the supervisor's side

    def send(self, command: Command) -> None:
        self.sent.append(command)
        self.pipe.append(Item(len(frame(command, _encoder)), 0))

    def send_frame(self, encoded: bytes) -> None:
        self.writes += 1
        for payload in FrameDecoder().feed(encoded):
            self.frames.append(payload.rstrip())
            self.pipe.append(Item(HEADER_SIZE + len(payload), int(payload)))

    def pass_descriptor(self, ticket: int, descriptor: int) -> None:
        self.passed.append((ticket, descriptor))

    def recall(self, sizes: Sequence[int]) -> int:
        """As the real one: by what is left in bytes. What it cuts off must be jobs, and whole ones."""
        end = sum(item.size for item in self.pipe)
        kept, taken = end - self.read, 0
        for size in reversed(sizes):
            if size > kept:
                break
            kept -= size
            taken += 1
        while end > self.read + kept:
            item = self.pipe.pop()
            end -= item.size
            assert item.job, "a command that is no job was taken back"
        assert end == self.read + kept, "a frame was cut in two"
        return taken

    def has_read(self, encoded: bytes) -> bool:
        """As the real one: what is left, from the byte that it has read to last, does not have the whole frame."""
        job, start = int(encoded[HEADER_SIZE:]), 0
        for item in self.pipe:
            if item.job == job:
                return start < self.read
            start += item.size
        return True

    def pause(self, paused: bool) -> None:
        assert paused is not self.paused, "told twice"
        self.paused = paused

    def signal(self, number: int) -> None:
        self.signals.append(number)

    def group_killed(self) -> bool:
        return self.killed_in_group

    def readings(self, now: float) -> list[tuple[float, int]]:
        return [*self.past_readings(), (now, self.rss)]

    def past_readings(self) -> list[tuple[float, int]]:
        found, self.read_apart = self.read_apart, []
        return found

    def read_rss(self, *, anew: bool = False) -> int:  # noqa: ARG002
        return self.rss

    def read_standstill(self) -> int | None:
        return self.standstill

    def read_pulse(self) -> tuple[int, str] | None:
        return self.pulse

    def stderr_tail(self) -> str:
        return f"words of {self.pid}"

    @property
    def told_to_go(self) -> bool:
        return bool(self.signals) or any(isinstance(command, Shutdown) for command in self.sent)

    # ------------------------------------------------------------------ the worker's side

    @property
    def jobs(self) -> list[int]:
        """Jobs in the pipe, the one that it is at first."""
        return [item.job for item in self.pipe if item.job]

    @property
    def begun(self) -> list[int]:
        """Those of them that it has begun to read: one at most."""
        found, start = [], 0
        for item in self.pipe:
            if item.job and start < self.read:
                found.append(item.job)
            start += item.size
        return found

    def begin(self, *, partly: bool = False) -> None:
        """Read up to the first job without an answer, or up to its header alone."""
        if self.jobs:
            start = sum(item.size for item in self.pipe[: self._first_job])
            size = HEADER_SIZE if partly else self.pipe[self._first_job].size
            self.read = max(self.read, start + size)

    def answer(self, reply: Any) -> None:
        """End the first job without an answer. The reply is not heard yet."""
        assert self.jobs, "there is nothing to do"
        assert self.jobs[0] == reply.id, "the worker is at another job than its supervisor believes"
        self.begin()
        past = self.pipe[: self._first_job + 1]
        del self.pipe[: len(past)]
        self.read -= sum(item.size for item in past)
        self.replies.append(reply)

    def look(self) -> None:
        """Read on, for a Cancel, while at the first job; give back what was met."""
        if not self.jobs:
            return
        self.begin()
        first = self.pipe[self._first_job]
        self.replies.extend(Returned(job) for job in self.jobs[1:])
        self.pipe = [first]
        self.read = first.size

    @property
    def _first_job(self) -> int:
        return next(place for place, item in enumerate(self.pipe) if item.job)

    @property
    def awaited(self) -> list[int]:
        """Jobs whose fate the supervisor has still to hear, sorted."""
        said = [reply.id for reply in self.replies if isinstance(reply, Done | Failed | Returned)]
        return sorted([*said, *self.jobs])
