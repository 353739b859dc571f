"""The host's end of a ring: shared memory that a sampling process writes and this process only reads.

Nothing is copied: records are unpacked out of the mapping, or looked at as an array (:meth:`Ring.view`). The writer
never waits. So a reader that comes too late finds records overwritten, and counts them (``overwritten``): none is
lost silently. :mod:`.layout` has the bytes, and why a record that is taken is whole.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from orchestrator.process.sampling import layout
from orchestrator.process.sampling.layout import RECORD, RECORD_BYTES
from orchestrator.process.uninterrupted import close_all

if TYPE_CHECKING:
    import numpy as np

_WORD = struct.Struct("@Q")
_SEALS = ("F_ADD_SEALS", "F_SEAL_SHRINK", "F_SEAL_GROW", "F_SEAL_SEAL")


class RingReading(NamedTuple):
    """One record. Bytes; ``time_ns`` is CLOCK_MONOTONIC, that of ``time.monotonic_ns`` in any process.

    ``who`` is the number of the watch, or has :data:`~.layout.GONE` or :data:`~.layout.REFUSED` besides, and then
    nothing was read. ``held`` is what the accounting that was asked for makes of it; ``private`` was counted last, 0
    before the first time.
    """

    time_ns: int
    who: int
    rss: int
    rss_anon: int
    tree_rss: int
    rss_shmem: int
    held: int
    private: int


class Ring:
    """A ring and this process's place in it. Not thread-safe."""

    def __init__(self, capacity: int) -> None:
        """Make one for so many records.

        Raises:
            OSError: The system has no descriptors or no memory left.
            ValueError: ``capacity`` is below 2.
        """
        if capacity < 2:
            raise ValueError(f"a ring needs two records at least, not {capacity}")
        self.capacity = capacity
        self.overwritten = 0
        """Records that were overwritten before they were taken."""
        self._opened: list[int] = []
        self._taken = 0
        self._between = threading.Lock()
        self._between.acquire()
        flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
        size = layout.size_of(capacity)
        self._opened.extend(map(os.memfd_create, ("orchestrator-samples",), (flags,)))
        try:
            os.ftruncate(self.descriptor, size)
            # A file that is cut would turn our next look at it into a SIGBUS.
            add, *seals = (getattr(fcntl, name) for name in _SEALS)
            fcntl.fcntl(self.descriptor, add, seals[0] | seals[1] | seals[2])
            self._map = mmap.mmap(self.descriptor, size, access=mmap.ACCESS_READ)
        except BaseException:
            close_all(self._opened)
            raise
        self._bytes = memoryview(self._map)
        self._words = self._bytes[: layout.HEADER_BYTES].cast("Q")

    @property
    def descriptor(self) -> int:
        """The shared memory, to be handed to the writer."""
        return self._opened[0]

    def __getitem__(self, word: int) -> int:
        """Return a word of the header."""
        return self._words[word]

    @property
    def taken(self) -> int:
        """How many records were taken or found overwritten so far."""
        return self._taken

    def take(self, into: deque[RingReading] | None = None) -> list[RingReading]:
        """Return the records that came since the last call, oldest first.

        They are put ``into`` something before they count as taken: who is interrupted in between gets them once more.
        """
        head = self._words[layout.HEAD]
        self._barrier()
        first = max(self._taken, head - self.capacity)
        found = [record for start, end in self._pieces(first, head) for record in self._unpack(start, end)]
        self._barrier()
        newest = self._words[layout.HEAD]
        whole = min(head, max(first, newest - self.capacity))
        # The writer may be at the record after the newest one, in this place: it changes ``front`` first.
        if whole < head and whole == newest - self.capacity and self._front(whole) != whole + 1:
            whole += 1
        readings: list[RingReading] = []
        for number, (front, *body, end) in enumerate(found[whole - first :], whole + 1):
            if front != number or end != number:
                head = number - 1  # not all of it has come to be seen yet: taken the next time
                break
            readings.append(RingReading(*body))
        if into is not None:
            into.extend(readings)
        self.overwritten += whole - self._taken
        self._taken = max(whole, head)
        return readings

    def _barrier(self) -> None:
        self._between.release()
        self._between.acquire()

    def _front(self, place: int) -> int:
        start = layout.HEADER_BYTES + place % self.capacity * RECORD_BYTES
        return int(_WORD.unpack_from(self._bytes, start)[0])

    def _pieces(self, first: int, head: int) -> list[tuple[int, int]]:
        """Return where records lie, as one or two ranges of places."""
        if head == first:
            return []
        start, end = first % self.capacity, (head - 1) % self.capacity + 1
        return [(start, end)] if start < end else [(start, self.capacity), (0, end)]

    def _unpack(self, start: int, end: int) -> list[tuple[int, ...]]:
        base = layout.HEADER_BYTES
        return list(RECORD.iter_unpack(self._bytes[base + start * RECORD_BYTES : base + end * RECORD_BYTES]))

    def view(self) -> np.ndarray[Any, Any]:
        """Return all places of the ring as a read-only array that shares its memory: it changes while one looks.

        Fields are those of :data:`~.layout.FIELDS`, each uint64; the record with number n is at ``(n - 1) % capacity``.
        A place was read whole if ``front`` is what it should be, and ``end`` too, when read before and after.
        """
        import numpy as np  # noqa: PLC0415 - only who looks pays for numpy

        dtype = np.dtype([(name, "u8") for name in layout.FIELDS])
        return np.frombuffer(self._map, dtype=dtype, count=self.capacity, offset=layout.HEADER_BYTES)

    def close(self) -> None:
        """Let the memory go, as far as no view holds it; again is harmless."""
        close_all(self._opened)
        self._words.release()
        self._bytes.release()
        with suppress(BufferError):
            self._map.close()
