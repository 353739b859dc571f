"""Which files a process may use, by Landlock: all is refused that no rule allows.

A rule is for a file, or for a folder with all below it, wherever links lead from there. Being confined also puts the
processes outside out of reach: ``/proc/PID/environ``, ``fd``, ``mem``, ptrace. ``scoped`` adds (from ABI 6) that
signals and abstract sockets end at the confined, and (from ABI 4) that TCP is refused.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterable

from orchestrator_worker.sandbox.kernel import CREATE_RULESET, RESTRICT_SELF, add_rule, system_call

# Bits of access, in the kernel's order.
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE_AND_MAKE = sum(1 << bit for bit in range(4, 13))
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_FOR_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_WRITE = _WRITE_FILE | _READ_FILE | _READ_DIR | _REMOVE_AND_MAKE | _REFER | _TRUNCATE | _IOCTL_DEV
_TCP = 0b11
_SCOPES = 0b11
_ABI_OF_REFER, _ABI_OF_TRUNCATE, _ABI_OF_TCP, _ABI_OF_IOCTL, ABI_OF_SCOPES = 2, 3, 4, 5, 6
_RULE_OF_A_PATH = 1
_RULE = struct.Struct("=Qi")


class Ruleset:
    """Rules for a thread that will confine itself; they are open until :meth:`close`."""

    def __init__(self, *, scoped: bool, abi: int) -> None:
        """``scoped``: also confine signals and connections, as far as the version ``abi`` goes, which is spoken.

        Raises:
            OSError: The kernel refused.
        """
        self.handled = _handled(abi)
        net = _TCP if scoped and abi >= _ABI_OF_TCP else 0
        scope = _SCOPES if scoped and abi >= ABI_OF_SCOPES else 0
        attributes = struct.pack("=QQQ", self.handled, net, scope)
        size = 8 if abi < _ABI_OF_TCP else 16 if abi < ABI_OF_SCOPES else 24
        self._descriptor = system_call(CREATE_RULESET, attributes[:size], size, 0)

    def allow(self, reads: Iterable[str], writes: Iterable[str], lists: Iterable[str]) -> None:
        """Allow these paths. Those that are not there are passed over.

        Args:
            reads: What may be read and executed.
            writes: What may be read and written; nothing in it can be executed.
            lists: Folders whose names may be read, and nothing of what they stand for.

        Raises:
            OSError: The kernel refused.
        """
        for paths, access in ((reads, _READ), (writes, _WRITE), (lists, _READ_DIR)):
            for path in dict.fromkeys(paths):
                try:
                    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
                except (FileNotFoundError, NotADirectoryError, PermissionError):
                    continue
                _allow(self._descriptor, descriptor, access & self.handled)

    def restrict(self) -> None:
        """Confine this thread, and what it starts.

        Raises:
            OSError: The kernel refused.
        """
        system_call(RESTRICT_SELF, self._descriptor, 0)

    def close(self) -> None:
        """Close it."""
        os.close(self._descriptor)


def restrict(
    reads: Iterable[str], writes: Iterable[str], lists: Iterable[str], *, scoped: bool, abi: int
) -> None:
    """Confine this thread, and what it starts, to these paths; as :class:`Ruleset`, which says what they are.

    Raises:
        OSError: The kernel refused.
    """
    rules = Ruleset(scoped=scoped, abi=abi)
    try:
        rules.allow(reads, writes, lists)
        rules.restrict()
    finally:
        rules.close()


def _handled(abi: int) -> int:
    access = _READ | _WRITE_FILE | _REMOVE_AND_MAKE
    access |= _REFER if abi >= _ABI_OF_REFER else 0
    access |= _TRUNCATE if abi >= _ABI_OF_TRUNCATE else 0
    return access | (_IOCTL_DEV if abi >= _ABI_OF_IOCTL else 0)


def _allow(ruleset: int, descriptor: int, access: int) -> None:
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            access &= _FOR_FILES
        if access:
            add_rule(ruleset, _RULE_OF_A_PATH, _RULE.pack(access, descriptor))
    finally:
        os.close(descriptor)
