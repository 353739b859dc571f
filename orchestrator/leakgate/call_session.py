"""One worker that calls the function, and what is read of it between two blocks of calls.

Every answer of the worker is a barrier: while it is read it stands still, after a garbage collection and a heap trim,
so that what is read is what the calls have kept (:mod:`orchestrator_worker.engines.repeated_calls`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from orchestrator.process.dialogue import Dialogue
from orchestrator.process.memory import ON_LINUX, Memory, ProcessGoneError, read_boundary
from orchestrator.process.resources import Resources, read_resources, remove_segments
from orchestrator.process.result_values import result_of
from orchestrator.process.spawn import host_sys_path
from orchestrator_worker.protocol import Done, Heap, Job, Load, Loaded, ModelSpec, Run, Trim, Trimmed
from orchestrator_worker.results import Plain

LOAD_TIMEOUT_S = 60.0
SETTLE_S = 0.25
"""How long a thread or a child that is about to end may take to be gone. The kernel takes some milliseconds itself."""
MOST_SETTLING_S = 2.0
"""Waiting for that in the whole check: where they leak, no reading waits for what never comes."""
_SETTLE_STEP_S = 0.002
_OBITUARY_TIMEOUT_S = 5.0
_SLOWER = 10.0
"""A block may take its expected time so many times, and one call's timeout on top, before it counts as a hang."""


@dataclass(frozen=True)
class Target:
    """What is called: ``package.module:name`` with arguments, and the file that the module must come from.

    ``search`` are folders that the worker looks for modules in, after the ``sys.path`` of this process.
    """

    name: str
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    file: str | None = None
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    search: Sequence[str] = ()

    @property
    def options(self) -> dict[str, Any]:
        """The job's options, without how often it is called."""
        return {
            "target": self.name,
            "file": self.file,
            "args": list(self.args),
            "kwargs": dict(self.kwargs),
        }


@dataclass(frozen=True)
class BlockReading:
    """What was read after a block of ``calls`` calls. ``seconds`` are those of the calls, ``wall_s`` with reading."""

    calls: int
    seconds: float
    wall_s: float
    memory: Memory
    heap: Heap
    blocks: int
    resources: Resources

    @property
    def live(self) -> int:
        """Bytes that the process holds: the live heap, without one RSS."""
        return self.memory.rss if self.heap.off else self.heap.live


class CallSession:
    """A live worker with the function in it. ``python_malloc``: Python's objects lie in the C heap and are seen there.

    Raises what :class:`Dialogue` raises: a worker that dies, hangs or cannot start, a function that raises.
    """

    def __init__(self, target: Target, *, timeout_s: float, python_malloc: bool) -> None:
        self._target = target
        self._timeout_s = timeout_s
        self._settling_left_s = MOST_SETTLING_S
        self._last = Resources()
        self._command_id = 1
        self._segments: Sequence[str] = ()
        self.calls = 0
        """Calls that were made and read."""
        self.asked = 0
        """Calls of the block under way."""
        self.modules: dict[str, str] = {}
        """The files of the modules that the worker had loaded after the first block."""
        own = {"PYTHONMALLOC": "malloc"} if python_malloc else {}
        self._dialogue = Dialogue(own | dict(target.env), heap=True)
        try:
            path = [*host_sys_path(), *target.search]
            model = ModelSpec("function", target.name, options={"path": list(dict.fromkeys(path))})
            self._dialogue.ask(Load(1, model), Loaded, timeout_s=LOAD_TIMEOUT_S, phase="load")
        except BaseException:
            self._dialogue.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Kill the worker if it lives, and remove the shared memory that it left. Safe to call again."""
        self._dialogue.close()
        remove_segments(self._dialogue.worker.pid, self._segments)

    @property
    def heap_off(self) -> str | None:
        """Why the worker's heap cannot be read; None when it can."""
        heap = self._dialogue.ready.heap
        return "not read" if heap is None else heap.off

    @property
    def phase(self) -> str:
        """What the worker was asked for last."""
        return self._dialogue.phase

    @property
    def stderr_tail(self) -> str:
        """What the worker has printed last."""
        return self._dialogue.worker.stderr_tail

    def run(self, calls: int, expected_s: float = 0.0) -> BlockReading:
        """Make ``calls`` calls, which should take ``expected_s`` seconds, and read the worker."""
        began = time.monotonic()
        self.asked = calls
        first = not self.calls
        job = Job("call", options={**self._target.options, "repeat": {"calls": calls, "modules": first}})
        limit = self._timeout_s + _SLOWER * expected_s
        done = self._dialogue.ask(Run(self._next_id(), job), Done, timeout_s=limit, phase="infer")
        found = result_of(done)
        assert isinstance(found, Plain)
        said: dict[str, Any] = found.value
        if first:
            self.modules = said["modules"]
        self._segments = said["segments"]
        resources, memory = self._read(self._segments)
        self.calls += calls
        self.asked = 0
        return BlockReading(
            calls=calls,
            seconds=said["seconds"],
            wall_s=time.monotonic() - began,
            memory=memory,
            heap=done.heap or Heap(off="not read"),
            blocks=said["blocks"],
            resources=resources,
        )

    def stop(self) -> int:
        """End the worker in peace; return its exit status."""
        return self._dialogue.stop()

    def _read(self, segments: Sequence[str]) -> tuple[Resources, Memory]:
        pid = self._dialogue.worker.pid
        try:
            resources = self._settled(pid, segments)
            return resources, read_boundary(pid)
        except ProcessGoneError:
            # Whoever asks the dead is told what they died of; a command that nobody reads any more.
            command = Trim(self._next_id())
            self._dialogue.ask(command, Trimmed, timeout_s=_OBITUARY_TIMEOUT_S, phase="infer")
            raise

    def _settled(self, pid: int, segments: Sequence[str]) -> Resources:
        """Count; where threads or children are more than before, give those that are ending time to be gone."""
        began = time.monotonic()
        longest = min(SETTLE_S, self._settling_left_s) if ON_LINUX and self.calls else 0.0
        found = read_resources(pid, segments)
        while _more(found, self._last) and time.monotonic() - began < longest:
            time.sleep(_SETTLE_STEP_S)
            found = read_resources(pid, segments)
        self._settling_left_s -= time.monotonic() - began
        self._last = found
        return found

    def _next_id(self) -> int:
        self._command_id += 1
        return self._command_id


def _more(found: Resources, before: Resources) -> bool:
    pairs = (
        (found.threads, before.threads),
        (found.children, before.children),
        (found.zombies, before.zombies),
    )
    return any((now or 0) > (then or 0) for now, then in pairs)
