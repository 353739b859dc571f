"""A worker's descendants and what they hold: the part of its memory that its own RSS does not show.

Found through ``/proc/PID/task/*/children``, one small file a thread, and not by a scan of ``/proc``, whose
cost would grow with everything else on the machine. A look costs ten readings of RSS and more with each
thread (``benchmarks/results/sampling.json``), so looking is one call and reading another, and the caller
looks at a slower pace.

What this cannot see: a descendant that lives shorter than the pace of looking; one whose parent has died (the
system gives it to another family); and that parents and children share pages, which the sum counts twice.
"""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Collection

from orchestrator.process.memory import ON_LINUX, ProcessGoneError, read_pss
from orchestrator.process.sampling.resident import ResidentReader
from orchestrator.process.uninterrupted import read_small

LOOK_S = 0.25
"""How often a family is looked at, or more seldom where that takes long."""
SHARE_OF_TIME = 20
"""One part in so many of the time may go into it. Counting shared pages takes a millisecond for each 100 MB."""


def descendants(pid: int) -> list[int]:
    """Return the numbers of all descendants alive now, parents before their children.

    Tolerates any of them coming or going meanwhile; empty for a process that is gone and on kernels without
    these files.
    """
    if not ON_LINUX:
        return _descendants_portable(pid)
    found: dict[int, None] = {}
    waiting = [pid]
    while waiting:
        for child in _children(waiting.pop()):
            if child not in found:  # a number given again while we look must not send us round in circles
                found[child] = None
                waiting.append(child)
    return list(found)


def _children(pid: int) -> list[int]:
    try:
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - names only
    except OSError:
        return []
    found: list[int] = []
    for thread in threads:
        try:
            found.extend(map(int, read_small(f"/proc/{pid}/task/{thread}/children").split()))
        except OSError:
            continue  # that thread has ended
    return found


def _descendants_portable(pid: int) -> list[int]:
    psutil = importlib.import_module("psutil")
    try:
        return [process.pid for process in psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return []


class Descendants:
    """The descendants of one process, each with a reader of its own. Not thread-safe."""

    def __init__(self, pid: int) -> None:
        """Know of none yet."""
        self._pid = pid
        self._readers: dict[int, ResidentReader] = {}

    def look(self) -> None:
        """Find who is there now. One already known keeps its reader, which its number's reuse cannot fool."""
        present = descendants(self._pid)
        if not present and not self._readers:
            return
        for pid in set(self._readers).difference(present):
            self._readers.pop(pid).close()
        for pid in present:
            if pid not in self._readers:
                try:
                    self._readers[pid] = ResidentReader(pid)
                except (ProcessGoneError, OSError):
                    continue  # gone already, or out of descriptors: the sum lacks it until the next look

    def read_rss(self) -> int:
        """Return the RSS of all known descendants together, in bytes. The dead are forgotten."""
        if not self._readers:
            return 0
        total = 0
        for pid, reader in list(self._readers.items()):
            try:
                total += reader.read()[0]
            except ProcessGoneError:
                self._readers.pop(pid).close()
        return total

    @property
    def known(self) -> Collection[int]:
        """The numbers of those found by the last look and not seen dead since."""
        return self._readers.keys()

    def close(self) -> None:
        """Close every reader; again is harmless."""
        while self._readers:
            self._readers.popitem()[1].close()


class FamilyMemory:
    """What a process and its descendants have resident together, pages that they share once. Not thread-safe.

    Without descendants it costs what a reading of RSS costs. With some their RSS is added and what they share taken
    off, as the kernel's proportional shares (PSS) told when they were read last.
    """

    def __init__(self, pid: int) -> None:
        """Begin to read.

        Raises:
            ProcessGoneError: There is no such process.
            OSError: There is no descriptor left.
        """
        self._pid = pid
        self._own = ResidentReader(pid)
        self._others = Descendants(pid)
        self._shared_bytes = 0
        self._look_at = 0.0

    def read(self, *, anew: bool = False) -> int:  # noqa: ARG002 - they are counted anew at each reading
        """Return the bytes now.

        Raises:
            ProcessGoneError: The process is gone.
        """
        own, now = self._own.read()[0], time.monotonic()
        if now >= self._look_at:
            self._look(own)
            self._look_at = now + max(LOOK_S, SHARE_OF_TIME * (time.monotonic() - now))
        others = self._others.read_rss()
        return max(own, own + others - self._shared_bytes) if others else own

    def _look(self, own: int) -> None:
        """See who is there, and what they share: always together, or a new child's pages would count twice."""
        self._others.look()
        others = self._others.read_rss()
        self._shared_bytes = 0
        if others:
            shares = [read_pss(pid) for pid in (self._pid, *self._others.known)]
            known = [share for share in shares if share is not None]
            if len(known) == len(shares):
                self._shared_bytes = max(0, own + others - sum(known))

    def close(self) -> None:
        """Close every reader; again is harmless."""
        self._own.close()
        self._others.close()
