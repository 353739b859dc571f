"""Remove what workers leave in their folders, whatever it is, and hold nobody up with it.

A hostile worker can leave millions of files, folders in folders beyond any bound of depth, folders that nobody may
open, links to everywhere. A few entries are removed at once; where there is more, a thread does it. Nothing is followed
and at most three descriptors are open at a time: what lies deep is moved up before it is removed.
"""

from __future__ import annotations

import logging
import os
import secrets
import stat
import threading
import time
from collections import deque
from collections.abc import Callable

log = logging.getLogger("orchestrator.process")
FEW = 64
"""Entries that are removed at once, without a thread."""
LONGEST_S = 600.0
"""Then one folder is given up; the next process that sweeps tries again."""
DRAIN_S = 30.0
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class _EnoughError(Exception):
    """As much was removed as was to be removed now."""


class _Emptying:
    """One go at one folder, open as ``root``."""

    def __init__(self, root: int, most: int | None) -> None:
        self._root = root
        self._left = most
        self._until = time.monotonic() + LONGEST_S
        self._moved = 0
        self._mark = secrets.token_hex(8)

    def run(self) -> None:
        """Remove what is in it, in as many rounds as it takes and bring something."""
        while self._round(self._root, self._remove_or_raise) > 0:
            pass

    def _round(self, folder: int, remove: Callable[[str, int], None]) -> int:
        """Return how many entries were removed or moved up."""
        done = 0
        with os.scandir(folder) as entries:
            for entry in entries:
                self._count()
                try:
                    remove(entry.name, folder)
                    done += 1
                except OSError as error:
                    log.debug("not removed: %s", error)
        return done

    def _count(self) -> None:
        if self._left is not None:
            self._left -= 1
        if (self._left is not None and self._left < 0) or time.monotonic() > self._until:
            raise _EnoughError

    def _remove_or_raise(self, name: str, folder: int) -> None:
        """Remove a file or a folder; of one that is not empty, remove the files and move the folders up to the root."""
        if _removed(name, folder):
            return
        inner = _opened(name, folder)
        try:
            self._round(inner, self._remove_or_move_up)
        finally:
            os.close(inner)
        os.rmdir(name, dir_fd=folder)

    def _remove_or_move_up(self, name: str, folder: int) -> None:
        if _removed(name, folder):
            return
        os.close(_opened(name, folder))  # may be written: else it cannot be moved
        self._moved += 1
        os.rename(name, f"{self._mark}-{self._moved}", src_dir_fd=folder, dst_dir_fd=self._root)


def _removed(name: str, folder: int) -> bool:
    """Remove what is no folder, or an empty one."""
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if not stat.S_ISDIR(status.st_mode):
        os.unlink(name, dir_fd=folder)
        return True
    try:
        os.rmdir(name, dir_fd=folder)
    except OSError:
        return False
    return True


def _opened(name: str, folder: int | None = None) -> int:
    """Open a folder so that its entries can be removed, whatever mode it has."""
    place = os.open(name, _FOLDER | os.O_PATH, dir_fd=folder)
    try:
        if os.fstat(place).st_mode & stat.S_IRWXU != stat.S_IRWXU:
            os.chmod(f"/proc/self/fd/{place}", 0o700)  # noqa: PTH101 - no name: it could stand for another by now
        return os.open(".", _FOLDER, dir_fd=place)
    finally:
        os.close(place)


def remove_folder(path: str, most: int | None = None) -> bool:
    """Remove a folder with all that is in it, or ``most`` of its entries; return whether it is gone. Never raises."""
    try:
        root = _opened(path)
        try:
            _Emptying(root, most).run()
        except _EnoughError:
            return False
        finally:
            os.close(root)
        os.rmdir(path)  # noqa: PTH106
    except FileNotFoundError:
        return True
    except OSError as error:
        log.debug("%s is not removed: %s", path, error)
        return False
    return True


class _Later:
    """Tasks for a thread that lives only while there are some."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tasks: deque[Callable[[], object]] = deque()
        self._thread: threading.Thread | None = None

    def do(self, task: Callable[[], object]) -> None:
        """Have ``task`` done, after those before it; here and now where no thread can be had."""
        with self._lock:
            self._tasks.append(task)
            if self._thread is not None:
                return
            self._thread = threading.Thread(target=self._run, name="orchestrator-removal", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:
                self._thread = None
        if self._thread is None:
            self._run()

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._tasks:
                    self._thread = None
                    return
                task = self._tasks.popleft()
            try:
                task()
            except Exception:
                log.exception("a folder was not removed")

    def drain(self, timeout_s: float) -> None:
        """Wait until all is done, at most so long."""
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout_s)

    def forget(self) -> None:
        """In a fork of this process there is no such thread, and what it was to remove is another's."""
        self.__init__()  # type: ignore[misc]


_later = _Later()
os.register_at_fork(after_in_child=_later.forget)


def remove_soon(path: str, gone: Callable[[], object]) -> None:
    """Remove a folder, at once if little is in it, else by a thread; call ``gone`` when that is over."""
    try:
        os.rmdir(path)  # noqa: PTH106 - most are empty
    except OSError:
        if not remove_folder(path, FEW):
            _remove_later(path, gone)
            return
    gone()


def _remove_later(path: str, gone: Callable[[], object]) -> None:

    def rest() -> None:
        try:
            remove_folder(path)
        finally:
            gone()

    _later.do(rest)


def drain(timeout_s: float = DRAIN_S) -> None:
    """Wait for what :func:`remove_soon` has left to its thread; what takes longer goes on behind us."""
    _later.drain(timeout_s)
