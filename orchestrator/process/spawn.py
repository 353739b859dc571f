"""Start a worker process with its pipes.

::

    parent                                        child
    commands  write end  ───────────────────────▶ read end   (passed by number)
    replies   read end   ◀─────────────────────── write end  (passed by number)
    noise     read end   ◀─────────────────────── fd 1 and 2 (what native code prints)
    lifeline  write end  ─ nothing is written ──▶ read end   (passed by number)
    passing   socket     ◀─ descriptors ────────▶ socket     (passed by number, where the system has sealed memory)

The child runs in its own process group, so that it and whatever it starts can be signalled together, and a
terminal's Ctrl-C reaches the parent alone. The lifeline's write end exists in the parent only; a fork of the
parent (``multiprocessing``) would hold a second one and keep orphans alive, so it is closed there.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import weakref
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

import orchestrator_worker
from orchestrator.errors import SHORTAGES, HostShortageError, SpawnError
from orchestrator.process.fork_server import ForkServer, ForkServerLostError
from orchestrator.process.host.flags import worker_flags
from orchestrator.process.host.interpreter import worker_python
from orchestrator.process.host.passed_environment import LATE, passed_environment
from orchestrator.process.offspring import ExecutedChild, ForkedChild, Offspring
from orchestrator.process.sharing.channel import open_channel
from orchestrator.process.warm.template import TemplateProcess
from orchestrator_worker.template import Order

if TYPE_CHECKING:
    from orchestrator.process.sandbox.worker_sandbox import TemplateSandbox

_WORKER_MAIN = Path(orchestrator_worker.__file__).with_name("__main__.py")
_PACKAGES = str(Path(msgspec.__file__).parents[1])
"""Where our msgspec lies: the worker looks there too, or it would miss one that only our ``sys.path`` leads to."""
_lifelines: weakref.WeakSet[ParentEnds] = weakref.WeakSet()


@dataclass(eq=False)
class ParentEnds:
    """The descriptors the parent keeps of one worker; ``-1`` once closed."""

    commands: int
    replies: int
    noise: int
    lifeline: int
    passing: socket.socket | None = None

    def close(self) -> None:
        """Close all of them; again is harmless. Closing the lifeline ends the worker."""
        for name in ("commands", "replies", "noise", "lifeline"):
            self.close_one(name)
        if self.passing is not None:
            self.passing.close()

    def close_one(self, name: str) -> None:
        """Close one of them by its name."""
        descriptor: int = getattr(self, name)
        setattr(self, name, -1)
        if descriptor >= 0:
            os.close(descriptor)


def _close_in_forked_copy() -> None:
    for ends in list(_lifelines):
        ends.close()


os.register_at_fork(after_in_child=_close_in_forked_copy)


def child_environment(extra: Mapping[str, str], pass_env: Iterable[str] = ()) -> dict[str, str]:
    """Return the environment a worker starts with: what of ours is handed on, and ``extra``, less PYTHONPATH.

    What is handed on is on a list or named by ``pass_env`` (:mod:`orchestrator.process.host.passed_environment`).

    PYTHONPATH could shadow the worker's own imports. It is handed over after the start (see
    :func:`late_environment`), for the engine's children and for ``Call`` jobs.
    """
    environment = {**passed_environment(pass_env), **extra}
    environment.pop(LATE, None)
    return environment


def late_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return what is set in the worker only after its own imports."""
    value = {**os.environ, **extra}.get(LATE)
    return {LATE: value} if value else {}


def host_sys_path() -> list[str]:
    """Return this process's ``sys.path`` with the working directory spelt out, for the handshake."""
    return [str(Path(entry).absolute()) if entry else str(Path.cwd()) for entry in sys.path]


def spawn(
    environment: Mapping[str, str],
    *,
    slot: int,
    generation: int,
    fork_server: ForkServer | None = None,
    python: str | None = None,
) -> tuple[Offspring, ParentEnds]:
    """Start a worker with the whole ``environment`` given. Returns before the worker says anything.

    With a ``fork_server`` it is forked from that, else, or when the fork server fails, a new interpreter is executed:
    ``python`` as :func:`~orchestrator.process.host.interpreter.worker_python` returned it, or what that returns now.

    Raises:
        HostShortageError: The system has no descriptors, no memory, no processes left.
        SpawnError: It refused for another reason.
        InterpreterError: There is no interpreter for workers.
    """
    command = _command(python)
    process: tuple[Offspring, ParentEnds] | None = None
    try:
        if fork_server is not None:
            # Each try has pipes of its own: whatever a lost fork server may have forked holds those of the first.
            with suppress(ForkServerLostError):
                process = _start(command, environment, fork_server)
        if process is None:
            process = _start(command, environment, None)
    except (OSError, MemoryError) as error:
        raise refusal(error, slot=slot, generation=generation) from error
    _lifelines.add(process[1])
    return process


def refusal(
    error: OSError | MemoryError, *, slot: int, generation: int, pid: int | None = None
) -> SpawnError:
    """Return the error for a start that the system refused: a shortage of its own is told from all else."""
    short = isinstance(error, MemoryError) or error.errno in SHORTAGES
    kind = HostShortageError if short else SpawnError
    return kind(f"cannot start a process: {error or 'no memory'}", slot=slot, generation=generation, pid=pid)


def start_fork_server(
    environment: Mapping[str, str], python: str | None = None, *, confined: bool = False
) -> ForkServer:
    """Start a fork server of workers with this whole environment; ``python`` as for :func:`spawn`.

    ``confined``: they will confine themselves.

    Raises:
        OSError: The system refused.
        InterpreterError: There is no interpreter for workers.
    """
    wide: list[str] = []
    if confined:
        from orchestrator.process.sandbox.rules import wide_places  # noqa: PLC0415 - only who confines pays for it

        wide = wide_places()
    return ForkServer(_command(python), environment, wide=wide)


def start_template(
    environment: Mapping[str, str],
    order: Order,
    python: str | None = None,
    sandbox: TemplateSandbox | None = None,
) -> TemplateProcess:
    """Start the template of one model, with this whole environment; ``python`` as for :func:`spawn`.

    ``sandbox`` is what the order names, of a confined one; it is let go with the template.

    Raises:
        OSError: The system refused.
        InterpreterError: There is no interpreter for workers.
    """
    return TemplateProcess(_command(python), environment, order, sandbox)


def _start(
    command: list[str], environment: Mapping[str, str], fork_server: ForkServer | None
) -> tuple[Offspring, ParentEnds]:
    opened: list[int] = []
    passing: socket.socket | None = None
    try:
        for _ in range(4):
            opened += os.pipe()
        if (channel := open_channel()) is not None:
            passing, theirs = channel
            opened.append(theirs)
        process, ends = _start_with(opened, command, environment, fork_server)
        ends.passing = passing
    except (OSError, MemoryError, ForkServerLostError):
        for descriptor in opened:
            os.close(descriptor)
        if passing is not None:
            passing.close()
        raise
    return process, ends


def _start_with(
    opened: list[int],
    command: list[str],
    environment: Mapping[str, str],
    fork_server: ForkServer | None,
) -> tuple[Offspring, ParentEnds]:
    commands_r, commands_w, replies_r, replies_w, noise_r, noise_w, lifeline_r, lifeline_w, *passing = opened
    if fork_server is not None:
        pid = fork_server.fork((commands_r, replies_w, noise_w, lifeline_r, *passing))
        process: Offspring = ForkedChild(fork_server, pid)
    else:
        process = _execute(command, (commands_r, replies_w, lifeline_r, *passing), noise_w, environment)
    for theirs in (commands_r, replies_w, noise_w, lifeline_r, *passing):
        os.close(theirs)
    for ours in (commands_w, replies_r, noise_r):
        os.set_blocking(ours, False)
    return process, ParentEnds(commands_w, replies_r, noise_r, lifeline_w)


def _execute(
    command: list[str], passed: tuple[int, ...], noise_w: int, environment: Mapping[str, str]
) -> ExecutedChild:
    process = subprocess.Popen(
        [*command, *map(str, passed)],
        stdin=subprocess.DEVNULL,
        stdout=noise_w,
        stderr=noise_w,
        pass_fds=passed,
        env=dict(environment),
        process_group=0,
    )
    return ExecutedChild(process)


def _command(python: str | None) -> list[str]:
    return [python or worker_python(), *worker_flags(), str(_WORKER_MAIN), _PACKAGES]
