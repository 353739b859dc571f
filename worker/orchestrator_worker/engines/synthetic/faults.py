"""Faults on purpose: everything native code is known to do to the process it lives in.

A fault is one table of the option ``faults``, or ``job.options["fault"]`` for one job alone::

    [[….options.faults]]
    how = "segfault"      # which; the functions below, by their names
    when = "run"          # import-check | load | run | unload | restart (default run)
    job = 3               # only the 3rd job of this model in this process (with other ``when``: the 3rd load,
                          # unload, restart, check); absent: each one
    after_tokens = 2      # with when = "run": after so many tokens; default 0
    code = 3              # exit: its code
    kib = 4096            # allocate: how much (required); noise: how much on each descriptor (default 4096)
    ms = 1000             # hangs: how long (absent: for ever); grandchildren: their life (default 60 000)
    detached = false      # grandchildren: in a session of their own, out of reach of the group's signals

What happens before the fault (leaks, tokens) has really happened. Each kind is one small function in
:data:`KINDS`; those that return let the job go on.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from orchestrator_worker.engines.base import EngineError, EngineUnavailableError
from orchestrator_worker.engines.options import read_options
from orchestrator_worker.engines.synthetic.blocks import KIB, MmapSource

When = Literal["import-check", "load", "run", "unload", "restart"]
How = Literal[
    "raise", "refuse", "unavailable", "sys_exit", "exit", "abort", "segfault", "kill",
    "hang", "hang_ignoring_sigterm", "hang_holding_gil",
    "allocate", "garbage", "garbage_frame", "oversized_frame", "noise", "grandchild", "grandchild_fork",
]  # fmt: skip

FOR_EVER_S = 1e9
GRANDCHILD_S = 60.0
NOISE_KIB = 4096
OVERSIZED_BYTES = 3 * 1024**3
ALLOCATION_STEP_BYTES = 8 * 1024**2
ALLOCATION_PAUSE_S = 0.005


class Fault(msgspec.Struct, frozen=True):
    """One fault; the module's docstring says what the keys mean."""

    how: How
    when: When = "run"
    job: Annotated[int, Meta(ge=1)] | None = None
    after_tokens: Annotated[int, Meta(ge=0)] = 0
    code: Annotated[int, Meta(ge=0, le=255)] = 3
    kib: Annotated[int, Meta(ge=1)] | None = None
    ms: Annotated[float, Meta(gt=0)] | None = None
    detached: bool = False


class Faults:
    """The faults of one model, or of one job."""

    def __init__(self, tables: Iterable[Mapping[str, Any]], whom: str) -> None:
        """Read the tables.

        Raises:
            EngineError: Unknown keys, wrong types, ``allocate`` without ``kib``; ``whom`` opens the message.
        """
        self._faults = [read_fault(table, f"{whom}[{index}]") for index, table in enumerate(tables)]

    def strike(self, when: When, number: int, tokens: int = 0) -> None:
        """Commit the faults due now: at the ``number``-th event of this kind, after ``tokens`` tokens."""
        for fault in self._faults:
            if fault.when == when and fault.job in {None, number} and fault.after_tokens == tokens:
                KINDS[fault.how](fault)


def read_fault(table: Mapping[str, Any], whom: str) -> Fault:
    """Read one table.

    Raises:
        EngineError: As for :class:`Faults`.
    """
    fault = read_options(table, Fault, whom)
    if fault.how == "allocate" and fault.kib is None:
        raise EngineError(f"{whom}: option 'kib' is missing: how many KiB to allocate")
    return fault


# --------------------------------------------------------------------------- ends by exception


def _raise(_: Fault) -> None:
    raise RuntimeError("synthetic fault: raise")


def _refuse(_: Fault) -> None:
    raise EngineError("synthetic fault: refuse")


def _unavailable(_: Fault) -> None:
    raise EngineUnavailableError("synthetic fault: unavailable", "take the fault out of the options")


def _sys_exit(fault: Fault) -> None:
    sys.exit(fault.code)


# --------------------------------------------------------------------------- ends the process


def _exit(fault: Fault) -> None:
    os._exit(fault.code)  # pyright: ignore[reportPrivateUsage]


def _abort(_: Fault) -> None:
    os.abort()


def _segfault(_: Fault) -> None:
    ctypes.string_at(0)


def _kill(_: Fault) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


# --------------------------------------------------------------------------- does not come back


def _hang(fault: Fault) -> None:
    time.sleep(_seconds(fault, FOR_EVER_S))


def _hang_ignoring_sigterm(fault: Fault) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _hang(fault)


def _hang_holding_gil(fault: Fault) -> None:
    """Sleep in native code called without releasing the GIL: no thread of Python's runs meanwhile."""
    usleep = ctypes.PyDLL(None).usleep
    ends_s = time.monotonic() + _seconds(fault, FOR_EVER_S)
    while (left_s := ends_s - time.monotonic()) > 0:
        usleep(ctypes.c_uint(int(min(left_s, 1000) * 1e6)))


def _allocate(fault: Fault) -> None:
    """Grow step by step, slow enough to be watched, and keep it: until stopped, or ``kib`` is reached."""
    left = (fault.kib or 0) * KIB
    while left > 0:
        MmapSource().take(min(left, ALLOCATION_STEP_BYTES))
        left -= ALLOCATION_STEP_BYTES
        time.sleep(ALLOCATION_PAUSE_S)


# --------------------------------------------------------------------------- breaks the pipes


def _garbage(_: Fault) -> None:
    """Bytes that were never a frame; the first four announce more than any cap."""
    _write_all(_protocol_fd(), b"\xff" * 4 + os.urandom(4092))


def _garbage_frame(_: Fault) -> None:
    """A right header before what is no msgpack (0xC1 is the one byte the format never uses)."""
    _write_all(_protocol_fd(), (64).to_bytes(4, "little") + b"\xc1" * 64)


def _oversized_frame(_: Fault) -> None:
    """A header that announces 3 GiB, and a few bytes of them."""
    _write_all(_protocol_fd(), OVERSIZED_BYTES.to_bytes(4, "little") + bytes(64))


def _noise(fault: Fault) -> None:
    """Print megabytes on both descriptors, as native code does: past ``sys.stdout``."""
    line = b"synthetic noise: ggml_backend_load: loading a model that nobody asked about\n"
    block = line * (64 * KIB // len(line))
    for _ in range(-(-(fault.kib or NOISE_KIB) * KIB // len(block))):
        _write_all(1, block)
        _write_all(2, block)


def _grandchild(fault: Fault) -> None:
    """Start a program: it inherits fds 0 to 2; the protocol's are close-on-exec."""
    script = f"import time; time.sleep({_seconds(fault, GRANDCHILD_S)})"
    command = [sys.executable, "-S", "-E", "-c", script]
    os.posix_spawn(command[0], command, os.environ, setsid=fault.detached)


def _grandchild_fork(fault: Fault) -> None:
    """Fork without exec: the copy holds every descriptor, the protocol's too."""
    if os.fork() == 0:
        try:
            if fault.detached:
                os.setsid()
            time.sleep(_seconds(fault, GRANDCHILD_S))
        finally:
            os._exit(0)  # pyright: ignore[reportPrivateUsage]


def _seconds(fault: Fault, default_s: float) -> float:
    return default_s if fault.ms is None else fault.ms / 1000


def _protocol_fd() -> int:
    from orchestrator_worker.loop import protocol_out_fd  # only a worker has one

    return protocol_out_fd()


def _write_all(fd: int, message: bytes) -> None:
    view = memoryview(message)
    while view:
        view = view[os.write(fd, view) :]


KINDS: dict[How, Callable[[Fault], None]] = {
    "raise": _raise,
    "refuse": _refuse,
    "unavailable": _unavailable,
    "sys_exit": _sys_exit,
    "exit": _exit,
    "abort": _abort,
    "segfault": _segfault,
    "kill": _kill,
    "hang": _hang,
    "hang_ignoring_sigterm": _hang_ignoring_sigterm,
    "hang_holding_gil": _hang_holding_gil,
    "allocate": _allocate,
    "garbage": _garbage,
    "garbage_frame": _garbage_frame,
    "oversized_frame": _oversized_frame,
    "noise": _noise,
    "grandchild": _grandchild,
    "grandchild_fork": _grandchild_fork,
}
"""What each ``how`` does."""
