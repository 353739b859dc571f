"""What a child of the decoder process is confined to, before it looks at its recording.

libsndfile and our header code: no file at all, no process, no program. ffmpeg: the system's libraries, itself and the
recording may be read; it can start no process either. Neither has a network. See :mod:`orchestrator_worker.sandbox`.
"""

from __future__ import annotations

import ctypes
import functools
import os
import resource
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from orchestrator.audio.decoder.messages import Bounds, Mode
from orchestrator_worker.sandbox.kernel import give_up_new_privileges, install_filter, landlock_abi
from orchestrator_worker.sandbox.landlock import ABI_OF_SCOPES, restrict
from orchestrator_worker.sandbox.readable import DEVICES, SYSTEM
from orchestrator_worker.sandbox.seccomp import filter_program, no_processes

_MOST_DESCRIPTORS = 64
_FFMPEG_ADDRESS_BYTES = 8 << 30
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


def bound(bounds: Bounds) -> None:
    """Set this process's limits; they cannot be raised again."""
    _limit(resource.RLIMIT_FSIZE, bounds.output_bytes)
    _limit(resource.RLIMIT_DATA, bounds.memory_bytes)
    _limit(resource.RLIMIT_AS, bounds.address_bytes)
    _limit(resource.RLIMIT_CPU, bounds.processor_s)
    _limit(resource.RLIMIT_NOFILE, _MOST_DESCRIPTORS)
    _limit(resource.RLIMIT_CORE, 0)


def confine_alone(mode: Mode) -> None:
    """Take every file, the network and all other processes from this process. What it has open it keeps.

    Raises:
        OSError: The kernel refused.
    """
    _confine(mode, [], [])


def close_up(mode: Mode) -> None:
    """Confine it further, before it looks at a recording: it starts no process, becomes no program, sets no limit.

    Raises:
        OSError: The kernel refused.
    """
    if mode == "strict":
        install_filter(no_processes(os.uname().machine, programs=False))


def confine_with_program(mode: Mode, program: str, reads: Sequence[str], recording: int) -> None:
    """As :func:`confine_alone`, but for what one program and the system's libraries need.

    Raises:
        OSError: The kernel refused.
    """
    own = f"/proc/self/fd/{recording}"
    anonymous = mode != "off" and str(Path(own).readlink()).startswith("/memfd:")
    # No rule can be made for anonymous memory, and none is needed: whoever has the descriptor may open it again.
    _confine(mode, [*SYSTEM, program, *reads, *([] if anonymous else [own])], list(DEVICES))


def narrow_program(mode: Mode) -> None:
    """Narrow the process that is about to become a program: it writes no file, starts no process, and dies with us."""
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_AS, _FFMPEG_ADDRESS_BYTES)
    die_with_the_parent()
    if mode == "strict":
        install_filter(no_processes(os.uname().machine, programs=True))


def die_with_the_parent() -> None:
    """Have the kernel kill this process when the thread that forked it has ended: for parents of one thread."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def inherit_orphans() -> None:
    """Become the parent of what children leave behind."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def prepare(mode: Mode) -> None:
    """Do beforehand, in the process that forks the children, what is the same for each of them."""
    if mode == "strict":
        filter_program(os.uname().machine, os.getpid(), signals=landlock_abi() < ABI_OF_SCOPES)
        for programs in (False, True):
            no_processes(os.uname().machine, programs=programs)


def _confine(mode: Mode, reads: list[str], writes: list[str]) -> None:
    if mode == "off":
        return
    abi = landlock_abi()
    give_up_new_privileges()
    restrict(reads, writes, (), scoped=mode == "strict", abi=abi)
    if mode == "strict":
        install_filter(filter_program(os.uname().machine, os.getpid(), signals=abi < ABI_OF_SCOPES))


def _limit(kind: int, most: int) -> None:
    with suppress(OSError, ValueError):  # some systems know not all of them
        hard = resource.getrlimit(kind)[1]
        lower = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (lower, lower))


@functools.cache
def _library() -> ctypes.CDLL:
    return ctypes.CDLL(None)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        _library().prctl(ctypes.c_int(option), *map(ctypes.c_ulong, (value, 0, 0, 0)))
