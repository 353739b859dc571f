"""One process as ``/proc`` shows it, by descriptors that belong to the process and not to its number.

After it is gone every read fails, even when its number has been given to another process. Imports only ``os``: the
sampling process reads by it.
"""

from __future__ import annotations

import os

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_MOST = 1 << 16
_PARENT, _MINOR_FAULTS, _MAJOR_FAULTS, _START = 1, 7, 9, 19
"""Fields of ``stat`` behind the name, which may have blanks in it (proc(5))."""


class GoneError(Exception):
    """The process has died, or is a zombie, or its number is another process's now."""


def start_ticks(pid: int) -> int:
    """Return when a process was started, in clock ticks since the boot: with its number it names one process.

    Raises:
        GoneError: There is no such process.
    """
    try:
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError):
        raise GoneError from None
    try:
        return int(_stat_fields(descriptor)[_START])
    except ProcessLookupError:
        raise GoneError from None
    finally:
        os.close(descriptor)


def _stat_fields(descriptor: int) -> list[bytes]:
    return os.pread(descriptor, 1024, 0).rpartition(b")")[2].split()


class ProcFiles:
    """The files of one process. Not thread-safe, except that one other thread may call :meth:`rollup`."""

    __slots__ = ("_folder", "_last", "_resident", "_stat", "_statm", "pid")

    def __init__(self, pid: int, *, start: int | None = None, parents: frozenset[int] = frozenset()) -> None:
        """Open them. ``start``: the start time it must have; ``parents``: of one of which it must be a child, if named.

        Raises:
            GoneError: There is no such process.
            OSError: No descriptor is left, or another user's process.
        """
        self.pid = pid
        self._folder = self._stat = self._statm = -1
        self._last = b""
        self._resident = (0, 0)
        try:
            self._folder = os.open(f"/proc/{pid}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            self._statm = self._open("statm")
            fields = self._stat_once()
            ours = (start is None or int(fields[_START]) == start) and (
                not parents or int(fields[_PARENT]) in parents
            )
        except (FileNotFoundError, ProcessLookupError):
            self.close()
            raise GoneError from None
        except BaseException:
            self.close()
            raise
        if not ours:
            self.close()
            raise GoneError

    def _open(self, name: str) -> int:
        return os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._folder)

    def _stat_once(self) -> list[bytes]:
        descriptor = self._open("stat")
        try:
            return _stat_fields(descriptor)
        finally:
            os.close(descriptor)

    def resident(self) -> tuple[int, int]:
        """Return RSS and its anonymous part, in bytes.

        Raises:
            GoneError: It is gone.
        """
        try:
            text = os.pread(self._statm, 128, 0)
        except ProcessLookupError:
            raise GoneError from None
        if text == self._last:  # nothing has changed: the usual case of an idle process
            return self._resident
        fields = text.split(b" ", 3)
        pages = int(fields[1])
        if pages == 0:
            raise GoneError  # a zombie has given up its memory, but not its number
        self._last = text
        self._resident = pages * PAGE_BYTES, (pages - int(fields[2])) * PAGE_BYTES
        return self._resident

    def faults(self) -> tuple[int, int, bytes]:
        """Return what stays the same as long as the process has touched no new page and given none back.

        Raises:
            GoneError: It is gone.
        """
        try:
            if self._stat < 0:  # kept from now on: not everybody asks
                self._stat = self._open("stat")
            fields = _stat_fields(self._stat)
        except (FileNotFoundError, ProcessLookupError):
            raise GoneError from None
        return int(fields[_MINOR_FAULTS]), int(fields[_MAJOR_FAULTS]), self._last

    def shared_memory(self) -> int:
        """Return the bytes of shared memory in RSS; 0 when the process is gone or the kernel does not tell."""
        return self._sizes("status").get(b"RssShmem", 0)

    def rollup(self) -> tuple[int, int, int] | None:
        """Return RSS, private bytes and proportional share, of one moment; None: unknown.

        The kernel walks all pages: a millisecond for each 100 MB.
        """
        found = self._sizes("smaps_rollup")
        if b"Private_Dirty" not in found:
            return None
        private = found[b"Private_Clean"] + found[b"Private_Dirty"] + found.get(b"Private_Hugetlb", 0)
        return found[b"Rss"], private, found.get(b"Pss", 0)

    def _sizes(self, name: str) -> dict[bytes, int]:
        try:
            descriptor = self._open(name)
        except OSError:
            return {}
        try:
            text = os.read(descriptor, _MOST)
        except OSError:
            return {}
        finally:
            os.close(descriptor)
        found: dict[bytes, int] = {}
        for line in text.splitlines():
            key, _, rest = line.partition(b":")
            words = rest.split()
            if words[1:] == [b"kB"]:
                found[key] = int(words[0]) << 10
        return found

    def children(self) -> list[int]:
        """Return the numbers of its children now; those of a process that is gone are nobody's."""
        found: list[int] = []
        try:
            tasks = os.open("task", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._folder)
        except OSError:
            return found
        try:
            for thread in os.listdir(tasks):  # noqa: PTH208 - names only
                found += _children_of(tasks, thread)
        except OSError:
            return found
        finally:
            os.close(tasks)
        return found

    def close(self) -> None:
        """Close every file; again is harmless."""
        for name in ("_folder", "_stat", "_statm"):
            descriptor = getattr(self, name)
            setattr(self, name, -1)
            if descriptor >= 0:
                os.close(descriptor)


def _children_of(tasks: int, thread: str) -> list[int]:
    try:
        descriptor = os.open(f"{thread}/children", os.O_RDONLY | os.O_CLOEXEC, dir_fd=tasks)
    except OSError:
        return []  # that thread has ended
    text = b""
    try:
        while chunk := os.read(descriptor, _MOST):
            text += chunk
    except OSError:
        return []
    finally:
        os.close(descriptor)
    return [int(number) for number in text.split()]
