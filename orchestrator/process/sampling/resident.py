"""How much of another process is resident, read fast: for time series.

One system call a reading, through a descriptor that stays open. What the files of ``/proc`` cost and which of
them tell the truth stands in :mod:`orchestrator.process.memory`.
"""

from __future__ import annotations

import importlib
import os
from typing import Any

from orchestrator.process.memory import ON_LINUX, ProcessGoneError, open_portable, read_shared
from orchestrator.process.uninterrupted import OwnDescriptor

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class ResidentReader:
    """Reads one process's RSS again and again, at microseconds a reading.

    On Linux it keeps ``/proc/PID/statm`` open. The descriptor belongs to the process and not to its number:
    after the process is gone every read fails, even when the number has been given to another.
    """

    # Between two rounds the processor's caches fill with other work: fewer objects are fewer misses.
    __slots__ = ("_descriptor", "_number", "_psutil_process", "_resident", "_shared", "_text", "pid")

    def __init__(self, pid: int) -> None:
        """Start to read ``pid``.

        Raises:
            ProcessGoneError: There is no such process.
        """
        self.pid = pid
        self._descriptor = OwnDescriptor()
        self._number = -1
        self._psutil_process: Any = None
        self._text = b""
        self._resident = (0, 0)
        self._shared = (
            0,
            0,
        )  # resident pages that are not anonymous, and how many bytes of them are shared memory
        if ON_LINUX:
            try:
                self._descriptor.open(os.open, f"/proc/{pid}/statm", os.O_RDONLY | os.O_CLOEXEC)
                self._number = self._descriptor.number
            except (FileNotFoundError, ProcessLookupError):
                raise ProcessGoneError(pid) from None
        else:
            self._psutil_process = open_portable(pid)

    def read(self) -> tuple[int, int]:
        """Return RSS and its anonymous part in bytes; the latter is 0 where the system tells it only slowly.

        Raises:
            ProcessGoneError: The process is gone or a zombie, or the reader is closed.
        """
        if self._number < 0:
            return self._read_portable()
        try:
            text = os.pread(self._number, 128, 0)
        except ProcessLookupError:
            raise ProcessGoneError(self.pid) from None
        if text == self._text:  # nothing has changed: the usual case of an idle worker
            return self._resident
        # Two fields are wanted: size, RSS, shared; the rest is left in one piece.
        fields = text.split(b" ", 3)
        rss_pages = int(fields[1])
        if rss_pages == 0:
            raise ProcessGoneError(self.pid)  # a zombie has given up its memory, but not its number
        self._resident = rss_pages * _PAGE_BYTES, (rss_pages - int(fields[2])) * _PAGE_BYTES
        self._text = text
        return self._resident

    def shared(self) -> int:
        """Return the bytes of shared memory in the RSS read last; 0 where the system does not tell.

        ``statm`` has one number for pages of files and for shared memory, so ``status`` is asked which of the two,
        and only when that number has changed: rarely, outside a process that fills shared memory.
        """
        rss, anonymous = self._resident
        apart = rss - anonymous
        if self._number >= 0 and apart != self._shared[0]:
            self._shared = (apart, read_shared(self.pid))
        return self._shared[1]

    def _read_portable(self) -> tuple[int, int]:
        if self._psutil_process is None:
            raise ProcessGoneError(self.pid)
        psutil = importlib.import_module("psutil")
        try:
            return int(self._psutil_process.memory_info().rss), 0
        except psutil.NoSuchProcess:
            raise ProcessGoneError(self.pid) from None

    def close(self) -> None:
        """Close the descriptor; again is harmless."""
        self._psutil_process = None
        self._number = -1
        self._descriptor.close()
