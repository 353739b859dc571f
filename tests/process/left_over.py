"""What a test leaves behind: child processes, descriptors, threads and open pools that were not there before it.

The test that left them is named, once. Then what can be ended is ended, and what cannot is known to the tests that
follow as something that was there before them: each of them is judged by what it leaves itself.
"""

import gc
import os
import threading
from contextlib import suppress
from dataclasses import dataclass, field

import psutil

from orchestrator.audio.decoder import helper
from orchestrator.pool.submission.controller import _open_controllers

END_S = 10.0
HELPERS = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")
"""Children that Python starts for itself, once for a process, and ends with it."""


@dataclass(frozen=True)
class LeftOver:
    """What is there now; or, as a difference, what has come since."""

    children: frozenset[psutil.Process] = frozenset()
    descriptors: frozenset[str] = frozenset()
    threads: frozenset[threading.Thread] = frozenset()
    controllers: tuple[object, ...] = field(default=(), repr=False)

    @classmethod
    def now(cls) -> "LeftOver":
        """Look at this process."""
        return cls(
            frozenset(psutil.Process().children(recursive=True)),
            frozenset(_descriptors()),
            frozenset(threading.enumerate()),
            tuple(_open_controllers),
        )

    def since(self, before: "LeftOver") -> "LeftOver":
        """Return what has come since ``before``. A process number that is used again is another process."""
        return LeftOver(
            frozenset(child for child in self.children - before.children if not _is_helper(child)),
            self.descriptors - before.descriptors,
            self.threads - before.threads,
            tuple(controller for controller in self.controllers if controller not in before.controllers),
        )

    def lines(self) -> list[str]:
        """Say what it is; empty when it is nothing. An open pool shows by its threads and workers."""
        return [
            *sorted(f"process {child.pid}: {_command(child)}" for child in self.children),
            *sorted(f"descriptor {descriptor}" for descriptor in self.descriptors),
            *sorted(f"thread {thread.name}" for thread in self.threads),
        ]

    def end(self) -> None:
        """End what can be ended: pools, so that they replace no worker in a later test's time, and processes.

        Descriptors stay: the object that has one would close another's, with the same number, later.
        """
        for controller in self.controllers:
            with suppress(Exception):
                controller.end(drop=True)  # type: ignore[attr-defined]
                controller.join(END_S)  # type: ignore[attr-defined]
        for child in self.children:
            with suppress(psutil.Error):
                child.kill()
        psutil.wait_procs(list(self.children), timeout=END_S)
        for thread in self.threads:
            with suppress(RuntimeError):  # it is this one, or not started
                thread.join(0.1)
        gc.collect()  # closes what nobody holds any more


def _descriptors() -> set[str]:
    found = set()
    own = helper.current()
    known = (
        own.descriptors() if own is not None else ()
    )  # the decoder process's, which is there once for a process
    for name in os.listdir("/proc/self/fd"):
        if int(name) in known:
            continue
        with suppress(FileNotFoundError):
            found.add(f"{name} -> {os.readlink(f'/proc/self/fd/{name}')}")
    return found


def _command(child: psutil.Process) -> str:
    try:
        return " ".join(child.cmdline()) or f"{child.name()} ({child.status()})"
    except psutil.Error:
        return "gone meanwhile"


def spare_decoder(pid: int) -> psutil.Process | None:
    """Return the child that the decoder process keeps for the next recording: the youngest. Others are left over."""
    with suppress(psutil.Error):
        return max(psutil.Process(pid).children(), key=psutil.Process.create_time, default=None)
    return None


def _is_helper(child: psutil.Process) -> bool:
    own = helper.current()
    if own is not None and (child.pid == own.pid or child == spare_decoder(own.pid)):
        return True
    return any(each in _command(child) for each in HELPERS)
