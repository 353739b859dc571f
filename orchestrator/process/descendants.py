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
from collections.abc import Collection

from orchestrator.process.memory import ON_LINUX, ProcessGoneError
from orchestrator.process.resident import ResidentReader


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
            descriptor = os.open(f"/proc/{pid}/task/{thread}/children", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            continue  # that thread has ended
        try:
            found.extend(map(int, _read_to_end(descriptor).split()))
        except OSError:
            continue
        finally:
            os.close(descriptor)
    return found


def _read_to_end(descriptor: int) -> bytes:
    # An ordinary file object would cost twice as much as everything else here.
    text = b""
    while chunk := os.read(descriptor, 1 << 16):
        text += chunk
    return text


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
