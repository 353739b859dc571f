"""Apply a sandbox to this process, and say of an exception whether the sandbox is behind it."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from typing import Literal

from orchestrator_worker.protocol import Sandbox
from orchestrator_worker.sandbox.kernel import (
    SandboxError,
    get_ready,
    give_up_new_privileges,
    has_one_thread,
    install_filter,
    install_filter_that_asks,
    landlock_abi,
    why_not,
)
from orchestrator_worker.sandbox.landlock import ABI_OF_SCOPES, Ruleset
from orchestrator_worker.sandbox.readable import DEVICES, SYSTEM, folders_of_modules, prefixes, wide_folders
from orchestrator_worker.sandbox.seccomp import filter_program

_THREADS = "/proc/self/task"
_ITSELF = "/proc/self"
"""A rule for it is one for the process that makes the rule, not for one that is forked from that."""
_MOST_CAUSES = 16


class Confinement:
    """What this process is confined to. Made once; there is no way back.

    ``listener`` is the descriptor by which a process that ``forks`` is allowed a group for each worker; else -1.
    """

    def __init__(
        self, sandbox: Sandbox, abi: int | None = None, *, forks: bool = False, forked: bool = False
    ) -> None:
        """Confine this process and all it will start. ``abi``: take it for a kernel of that version.

        ``forks``: it will fork workers, which confine themselves further. ``forked``: it is such a worker. That has one
        thread, and what it may do besides is within the bounds of the process it was forked from: there is no rule for
        its own ``/proc/self``.

        Raises:
            SandboxError: It cannot be done here; says why.
        """
        if reason := why_not(sandbox.mode):
            raise SandboxError(f'sandbox = "{sandbox.mode}" {reason}')
        if not forked:
            _require_one_thread()
        itself = [] if forked else [_ITSELF]
        self.listener = -1
        self._strict = sandbox.mode == "strict"
        self._forked = forked
        version = landlock_abi() if abi is None else abi
        try:
            give_up_new_privileges()
            ground = _ground_for(sandbox, version)
            try:
                modules, lists = folders_of_modules(ground.further(sys.path), ground.folders)
                ground.rules.allow([*itself, *modules, *sandbox.reads], sandbox.writes, lists)
                ground.rules.restrict()
            finally:
                ground.rules.close()
            if self._strict:
                signals = version < ABI_OF_SCOPES
                program = filter_program(os.uname().machine, os.getpid(), signals=signals, asks=forks)
                if forks:
                    self.listener = install_filter_that_asks(program)
                else:
                    install_filter(program)
        except OSError as error:
            raise SandboxError(f'sandbox = "{sandbox.mode}": the kernel refused: {error}') from error
        self._writes = [*DEVICES, *sandbox.writes]
        self._reads = [*ground.reads, *itself, *modules, *sandbox.reads, *self._writes]

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
        if self._forked and _within(path, [f"/proc/{os.getpid()}"]):
            return (
                f"sandbox: access to {path} denied: a worker that was forked from a template may not look at itself in "
                '/proc; allow it by start = "cold" of the model'
            )
        if not _within(path, self._reads):
            return (
                f"sandbox: access to {path} denied; allow it by sandbox_reads or sandbox_writes of the model"
            )
        if not _within(path, self._writes) and _is_writable(path):
            return f"sandbox: write to {path} denied; allow it by sandbox_writes of the model"
        return None


class _Ground:
    """What any worker of this Python may use: the same for all that are forked from one process."""

    def __init__(self, wide: list[str], path: list[str], abi: int, *, strict: bool) -> None:
        self.asked = (wide, abi, strict)
        self.folders = wide_folders(wide)
        self._path = frozenset(path)
        modules, self._lists = folders_of_modules(path, self.folders)
        system = [path for path in SYSTEM if path != _ITSELF]
        self.reads = [*system, *prefixes(self.folders), *modules]
        self.renew()

    def renew(self) -> None:
        """Make the rules, which whoever takes them adds to."""
        _, abi, strict = self.asked
        self.rules = Ruleset(scoped=strict, abi=abi)
        self.rules.allow(self.reads, DEVICES, self._lists)

    def further(self, path: list[str]) -> list[str]:
        """Return the folders of ``path`` that were not known when this was made."""
        return [entry for entry in path if entry not in self._path]


_prepared: _Ground | None = None


def prepare(wide: list[str], mode: Literal["strict", "files"] = "strict") -> None:
    """Do beforehand, in a process that forks workers confined in ``mode``, what is the same for each of them.

    ``wide`` is what each will be told. After each fork: :func:`renew`.
    """
    global _prepared  # noqa: PLW0603 - what a process is prepared for, it is for all its forks
    if why_not(mode):
        return
    abi, strict = landlock_abi(), mode == "strict"
    get_ready()
    if strict:
        filter_program(os.uname().machine, os.getpid(), signals=abi < ABI_OF_SCOPES)
    try:
        _prepared = _Ground(wide, list(sys.path), abi, strict=strict)
    except OSError:
        _prepared = None  # each worker tries by itself, and says what is the matter


def renew() -> None:
    """In a process that has prepared: what was made has been handed to a worker; make it for the next."""
    if _prepared is not None:
        wide, _, strict = _prepared.asked
        let_go()
        prepare(wide, "strict" if strict else "files")


def let_go() -> None:
    """Close what was prepared, of which nothing is wanted here."""
    if _prepared is not None:
        _prepared.rules.close()


def _ground_for(sandbox: Sandbox, abi: int) -> _Ground:
    """Return what was prepared, if for just this, or make it."""
    strict = sandbox.mode == "strict"
    if _prepared is not None:
        if _prepared.asked == (sandbox.wide, abi, strict):
            return _prepared
        let_go()
    return _Ground(sandbox.wide, list(sys.path), abi, strict=strict)


def _require_one_thread() -> None:
    """See that nobody is left outside: Landlock confines the thread that asks for it, and those it starts later."""
    if has_one_thread():
        return
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
