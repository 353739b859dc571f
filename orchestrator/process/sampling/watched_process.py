"""One process that the sampling process reads, with its descendants, and what of their memory is shared.

RSS costs microseconds and is read at every deadline. Private and proportional pages cost a walk of the kernel through
all page tables, a millisecond for each 100 MB; so they are counted by a second thread (:class:`Counting`), whose walks
do not hold the interpreter's lock and so delay no reading. It takes at most one part in :data:`SHARE_OF_TIME` of the
time, for all processes together: counts come every so many readings as asked, or more seldom where that would be more.
A process that has had no page fault since the last count, and whose sizes are the same, has touched nothing: it is
counted again only every :data:`ANYWAY_NS`, because pages become private also by the death of others.
"""

from __future__ import annotations

import _thread
import time

from orchestrator.process.sampling.layout import FAMILY, PRIVATE
from orchestrator.process.sampling.proc_files import GoneError, ProcFiles

LOOK_NS = 50_000_000
"""How often one process is asked for new descendants, with others around at most five times more seldom."""
SLOWEST_LOOK_NS = 250_000_000
SHARE_OF_TIME = 100
ANYWAY_NS = 1_000_000_000


class WatchedProcess:
    """One process by an order of the host."""

    __slots__ = (
        "_apart",
        "_counted",
        "_every",
        "_family",
        "_files",
        "_left",
        "_lock",
        "_look_at",
        "_seen",
        "_seen_at",
        "_shared",
        "_shmem",
        "_uncounted",
        "_until_count",
        "accounting",
        "busy",
        "limit",
        "number",
        "private",
    )

    def __init__(self, number: int, pid: int, start: int, accounting: int, every: int, limit: int) -> None:
        """``start`` is the start time it must have, ``every`` at how many readings pages are counted; 0: never.

        ``limit``: bytes of ``held`` above which the host is to be woken; 0: none.

        Raises:
            GoneError: It is gone.
            OSError: It cannot be read.
        """
        self.number = number
        self.accounting = accounting
        self.limit = limit
        self.private = 0
        self.busy = False
        """Whether the second thread has it, or is to have it."""
        self._lock = _thread.allocate_lock()
        self._left: list[ProcFiles] = []
        self._files = ProcFiles(pid, start=start)
        self._family: dict[int, ProcFiles] = {}
        self._every = every
        self._until_count = 1
        self._look_at = 0
        self._shared = 0
        self._counted: frozenset[ProcFiles] = frozenset()
        self._uncounted = 0
        self._seen: tuple[int, int, bytes] | None = None
        self._seen_at = 0
        self._apart = -1
        self._shmem = 0

    def read(self, now_ns: int, others: int) -> tuple[int, int, int, int, int]:
        """Return RSS, its anonymous part, RSS with descendants, shared memory, and what it holds.

        ``others`` are watched besides.

        Raises:
            GoneError: It is gone.
        """
        rss, anonymous = self._files.resident()
        if now_ns >= self._look_at:
            self._look()
            self._look_at = now_ns + min(LOOK_NS * (others + 1), SLOWEST_LOOK_NS)
        tree = rss
        if self._family:
            tree += self._read_family()
        if rss - anonymous != self._apart and self.accounting != FAMILY:
            self._apart, self._shmem = rss - anonymous, self._files.shared_memory()
        return rss, anonymous, tree, self._shmem, self._held(rss, tree)

    def _held(self, rss: int, tree: int) -> int:
        """Take off what was found shared. That count is older than the sizes, which may have shrunk since.

        A child whose pages were not counted yet adds nothing: most of them may be its parent's.
        """
        if self.accounting == FAMILY:
            return max(rss, tree - self._uncounted - self._shared)
        return max(0, rss - self._shared) + tree - rss

    def _read_family(self) -> int:
        total = self._uncounted = 0
        for pid, files in list(self._family.items()):
            try:
                rss = files.resident()[0]
            except GoneError:
                self._let_go(self._family.pop(pid))
                continue
            total += rss
            if self._every and files not in self._counted:
                self._uncounted += rss
        return total

    def _look(self) -> None:
        """Find who descends from it now. One already known keeps its files, which its number's reuse cannot fool."""
        found: dict[int, ProcFiles] = {}
        waiting = [self._files]
        while waiting:
            parent = waiting.pop()
            for pid in parent.children():
                if pid in found or pid == self._files.pid:
                    continue
                try:
                    child = self._family.get(pid) or ProcFiles(pid, parents=frozenset((parent.pid,)))
                except (GoneError, OSError):
                    continue  # gone already, or no descriptor left: the sum lacks it until the next look
                found[pid] = child
                waiting.append(child)
        for pid, files in self._family.items():
            if found.get(pid) is not files:
                self._let_go(files)
        if found.keys() != self._family.keys() and self.accounting == FAMILY:
            self._until_count = 1
        self._family = found

    # ------------------------------------------------------------------ what is shared

    def wants_count(self) -> bool:
        """Whether a count is due at this reading."""
        if self._every == 0 or (self.accounting == FAMILY and not self._family):
            self._shared = 0 if self.accounting == FAMILY else self._shared
            return False
        self._until_count -= 1
        if self._until_count > 0 or self.busy:
            return False
        self._until_count = self._every
        return True

    def count(self, now_ns: int) -> bool:
        """Count the pages; False when nothing can have changed. In the second thread."""
        if self.accounting == FAMILY:
            family = list(self._family.values())
            self._shared, self._counted = self._shared_by([self._files, *family]), frozenset(family)
            return True
        faults = self._files.faults()
        if faults == self._seen and now_ns - self._seen_at < ANYWAY_NS:
            return False
        found = self._files.rollup()
        if found is not None:
            rss, self.private, _ = found
            self._seen, self._seen_at = faults, now_ns
            if self.accounting == PRIVATE:
                self._shared = rss - self.private
        return True

    def _shared_by(self, processes: list[ProcFiles]) -> int:
        total = 0
        for files in processes:
            found = files.rollup()
            if found is None:
                return 0
            total += found[0] - found[2]
        return max(0, total)

    def counted(self) -> None:
        """The second thread is done with it: close what was to be closed meanwhile."""
        with self._lock:
            self.busy = False
            left, self._left = self._left, []
        for files in left:
            files.close()

    def _let_go(self, files: ProcFiles) -> None:
        """Close files; those that the second thread may be reading are closed by it, once it is done.

        The number of a closed descriptor may be another file's the next moment. Nobody waits for a walk here.
        """
        with self._lock:
            if self.busy:
                self._left.append(files)
                return
        files.close()

    def close(self) -> None:
        """Close every file."""
        self._let_go(self._files)
        while self._family:
            self._let_go(self._family.popitem()[1])


class Counting:
    """The second thread. It is started by the first process that has something to be counted."""

    def __init__(self) -> None:
        self.done = 0
        """How many counts there were."""
        self._waiting: list[WatchedProcess] = []
        self._wake = _thread.allocate_lock()
        self._started = False

    def put(self, process: WatchedProcess) -> None:
        """Have a process counted soon."""
        process.busy = True
        self._waiting.append(process)
        if not self._started:
            self._started = True
            self._wake.acquire()
            _thread.start_new_thread(self._run, ())
        if self._wake.locked():
            self._wake.release()

    def _run(self) -> None:
        while True:
            self._wake.acquire()
            while self._waiting:
                process = self._waiting.pop(0)
                began = time.monotonic_ns()
                try:
                    counted = process.count(began)
                except (GoneError, OSError):
                    counted = False
                process.counted()
                if counted:
                    self.done += 1
                    time.sleep((time.monotonic_ns() - began) * (SHARE_OF_TIME - 1) / 1e9)
