"""The system calls of Landlock and seccomp, and what this kernel can. Everything by number: no C library wraps them."""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import struct
import sys
from typing import Any

OLDEST_ABI = 3
"""Landlock's of Linux 6.2. Before that a file that may only be read can be emptied."""
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
"""The same on every machine."""
_CREATE_RULESET_VERSION = 1
_PR_SET_NO_NEW_PRIVS, _PR_GET_NO_NEW_PRIVS = 38, 39
_PR_SET_SECCOMP = 22
_CLONE_THREAD = 0x10000
_SECCOMP_MODE_FILTER = 2
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_NEW_LISTENER = 1, 8
ALLOWS_ALL = struct.pack("=HBBI", 0x06, 0, 0, 0x7FFF0000)
"""The program of a filter: return SECCOMP_RET_ALLOW."""
MACHINES = ("x86_64", "aarch64")
"""Those whose system calls :mod:`.seccomp` knows by number."""


class SandboxError(Exception):
    """This process cannot be confined as it was asked to be."""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


@functools.cache
def landlock_abi() -> int:
    """Return the version of Landlock's interface that this kernel has, 0 without any."""
    if sys.platform != "linux":
        return 0
    try:
        return system_call(CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION)
    except OSError:
        return 0


def why_not(mode: str) -> str:
    """Return in one sentence why this system cannot confine a worker in ``mode``; empty where it can."""
    abi = landlock_abi()
    if abi < OLDEST_ABI:
        has = f"this kernel has version {abi}" if abi else "this system has none"
        return f"needs Landlock of version {OLDEST_ABI} or later (Linux 6.2, not switched off at boot), and {has}"
    machine = os.uname().machine
    if mode == "strict" and (machine not in MACHINES or sys.maxsize < 1 << 32):
        return f"knows the system calls of {' and '.join(MACHINES)} in 64 bits, and this is {machine}"
    return ""


@functools.cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(None, use_errno=True)
    library.syscall.restype = ctypes.c_long
    return library


@functools.cache
def _rule_call() -> Any:
    call = _library()["syscall"]
    call.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_long, ctypes.c_char_p, ctypes.c_long]
    call.restype = ctypes.c_long
    return call


def add_rule(ruleset: int, kind: int, rule: bytes) -> None:
    """Add a rule to a ruleset of Landlock; its own function because there are dozens for each worker.

    Raises:
        OSError: The kernel refused.
    """
    if _rule_call()(ADD_RULE, ruleset, kind, rule, 0) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def system_call(number: int, *arguments: bytes | int | None) -> int:
    """Return what the system call gives.

    Raises:
        OSError: The kernel refused.
    """
    given = [ctypes.c_long(each) if isinstance(each, int) else ctypes.c_char_p(each) for each in arguments]
    result = int(_library().syscall(ctypes.c_long(number), *given))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def get_ready() -> None:
    """Do what the first calls of a process cost, before it is forked: its forks find all that looked up."""
    if sys.platform == "linux":
        has_one_thread()
        _rule_call()
        _library().prctl(_PR_GET_NO_NEW_PRIVS, *[ctypes.c_ulong(0)] * 4)


def has_one_thread() -> bool:
    """Whether this process has one thread for certain; False also where the system refuses to say.

    ``unshare(CLONE_THREAD)`` does nothing in a process of one thread, and fails in any other. It needs no rights, and
    no look into /proc.
    """
    return bool(_library().unshare(ctypes.c_int(_CLONE_THREAD)) == 0)


def give_up_new_privileges() -> None:
    """From here on no program that is executed has more rights than this one (``no_new_privs``); cannot be undone.

    Raises:
        OSError: The kernel refused.
    """
    _prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), ctypes.c_ulong(0))


def install_filter(program: bytes) -> None:
    """Put a seccomp filter, instructions of 8 bytes, before all system calls of this thread and what it starts.

    Raises:
        OSError: The kernel refused.
    """
    given = _Program(len(program) // 8, program)
    _prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_SECCOMP_MODE_FILTER), ctypes.byref(given))


def install_filter_that_asks(program: bytes) -> int:
    """As :func:`install_filter`; return the descriptor by which what the filter asks is answered.

    Raises:
        OSError: The kernel refused.
    """
    call = _library()["syscall"]
    call.argtypes = [ctypes.c_long, ctypes.c_ulong, ctypes.c_ulong, ctypes.POINTER(_Program)]
    call.restype = ctypes.c_long
    given = _Program(len(program) // 8, program)
    flags = _SECCOMP_FILTER_FLAG_NEW_LISTENER
    result = call(_SECCOMP[os.uname().machine], _SECCOMP_SET_MODE_FILTER, flags, ctypes.byref(given))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return int(result)


@functools.cache
def why_no_filter_that_asks() -> str:
    """Return in half a sentence why no child of this process could have a filter that asks; empty where it could.

    The kernel tells it to who installs one alone. So a thread does, which ends: a filter is its thread's.
    """
    import threading  # the host's alone to ask: no worker is to load it for this

    refused: list[OSError] = []

    def install() -> None:
        try:
            give_up_new_privileges()
            os.close(install_filter_that_asks(ALLOWS_ALL))
        except OSError as error:
            refused.append(error)

    if os.uname().machine not in MACHINES:
        return ""  # it is not confined there, which is said elsewhere
    thread = threading.Thread(target=install, name="orchestrator-filter")
    thread.start()
    thread.join()
    if not refused:
        return ""
    if refused[0].errno == errno.EBUSY:
        return "what this process runs in, a container's runtime perhaps, has the only one that the kernel allows"
    return f"the kernel refused one: {refused[0]}"


def _prctl(option: int, *arguments: object) -> None:
    rest = [ctypes.c_ulong(0)] * (4 - len(arguments))
    if _library().prctl(ctypes.c_int(option), *arguments, *rest) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
