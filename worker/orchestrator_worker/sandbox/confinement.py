"""Apply a sandbox to this process, and say of an exception whether the sandbox is behind it."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator

from orchestrator_worker.protocol import Sandbox
from orchestrator_worker.sandbox.kernel import (
    MACHINES,
    SandboxError,
    give_up_new_privileges,
    install_filter,
    landlock_abi,
    why_not,
)
from orchestrator_worker.sandbox.landlock import ABI_OF_SCOPES, restrict
from orchestrator_worker.sandbox.readable import DEVICES, SYSTEM, folders_of_modules, prefixes
from orchestrator_worker.sandbox.seccomp import filter_program

_THREADS = "/proc/self/task"
_MOST_CAUSES = 16


class Confinement:
    """What this process is confined to. Made once; there is no way back."""

    def __init__(self, sandbox: Sandbox, abi: int | None = None) -> None:
        """Confine this process and all it will start. ``abi``: take it for a kernel of that version.

        Raises:
            SandboxError: It cannot be done here; says why.
        """
        if reason := why_not(sandbox.mode):
            raise SandboxError(f'sandbox = "{sandbox.mode}" {reason}')
        _require_one_thread()
        self._strict = sandbox.mode == "strict"
        modules, lists = folders_of_modules(sys.path, sandbox.wide)
        reads = [*SYSTEM, *prefixes(sandbox.wide), *modules, *sandbox.reads]
        writes = [*DEVICES, *sandbox.writes]
        self._reads, self._writes = [*reads, *writes], writes
        version = landlock_abi() if abi is None else abi
        try:
            give_up_new_privileges()
            restrict(reads, writes, lists, scoped=self._strict, abi=version)
            if self._strict:
                signals = version < ABI_OF_SCOPES
                install_filter(filter_program(os.uname().machine, os.getpid(), signals=signals))
        except OSError as error:
            raise SandboxError(f'sandbox = "{sandbox.mode}": the kernel refused: {error}') from error

    def explain(self, error: BaseException) -> str:
        """Return what the sandbox has to do with ``error``; empty where it has nothing."""
        for each in _causes(error):
            if isinstance(each, OSError) and each.errno in {errno.EACCES, errno.EPERM, errno.EXDEV}:
                for name in (each.filename, each.filename2):
                    if (said := self._denied(name)) is not None:
                        return said
                if each.filename is None and self._strict and each.errno == errno.EPERM:
                    return (
                        "sandbox: a strict worker has no network, no signals to others and no way to look at them; "
                        'allow it by sandbox = "files" or "off" of the model'
                    )
        return ""

    def _denied(self, name: object) -> str | None:
        try:
            path = os.path.realpath(os.fsdecode(name))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        except (TypeError, ValueError):
            return None
        if not _within(path, self._reads):
            return (
                f"sandbox: access to {path} denied; allow it by sandbox_reads or sandbox_writes of the model"
            )
        if not _within(path, self._writes) and _is_writable(path):
            return f"sandbox: write to {path} denied; allow it by sandbox_writes of the model"
        return None


def prepare() -> None:
    """Do beforehand, in a process that forks workers, what is the same for each of them."""
    signals = landlock_abi() < ABI_OF_SCOPES
    if (machine := os.uname().machine) in MACHINES:
        filter_program(machine, os.getpid(), signals=signals)


def _require_one_thread() -> None:
    """See that nobody is left outside: Landlock confines the thread that asks for it, and those it starts later."""
    try:
        others = len(os.listdir(_THREADS)) - 1
    except OSError as error:
        raise SandboxError(f"sandbox: {_THREADS} cannot be read: {error}") from error
    if others:
        raise SandboxError(
            f"sandbox: {others} more threads run in the new process, which cannot be confined any more; "
            "something starts them with Python: a sitecustomize, a .pth file or a library in LD_PRELOAD"
        )


def _causes(error: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = error
    for _ in range(_MOST_CAUSES):
        if current is None:
            return
        yield current
        current = current.__cause__ or current.__context__


def _is_writable(path: str) -> bool:
    """Whether the system alone would let us write it, or make it: else it is the system that has refused."""
    return os.access(path if os.path.lexists(path) else os.path.dirname(path), os.W_OK)


def _within(path: str, folders: list[str]) -> bool:
    real = map(os.path.realpath, folders)
    return any(path == folder or path.startswith(os.path.join(folder, "")) for folder in real)
