"""Real memory of known size: malloc or mmap of libc, every page written.

What is allocated here is exactly what the readings must show:

* ``malloc`` pieces are at most 64 KiB, below every mmap threshold glibc uses, and are asked for so that the
  chunk *with* its header has the wanted size: ``uordblks`` rises by just that. One large malloc would be
  mapped instead, rounded up to a page, until the first such free raises the threshold.
* ``mmap`` regions are whole pages outside the allocator: RssAnon rises, mallinfo2 does not.
* ``shared`` regions are the same as shared mappings: RssShmem rises, RssAnon does not.
* ``python`` objects lie in pymalloc's arenas: RssAnon rises by an arena now and then, mallinfo2 hardly.

Pages are filled with random bytes, each page with others, so that neither the zero page nor same-page
merging nor a compressing swap can make them cheaper than they look. A :class:`Region` that is dropped
without ``free`` is lost for good: there is no finaliser, a leak is made by forgetting.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
from abc import ABC, abstractmethod
from typing import ClassVar

from orchestrator_worker.engines.synthetic.options import SourceName

KIB = 1024
PIECE_BYTES = 64 * KIB
_FILL_STEP_BYTES = 16

libc = ctypes.CDLL(None, use_errno=True)
libc.malloc.argtypes, libc.malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
libc.realloc.argtypes, libc.realloc.restype = [ctypes.c_void_p, ctypes.c_size_t], ctypes.c_void_p
libc.free.argtypes, libc.free.restype = [ctypes.c_void_p], None
libc.mmap.argtypes = [
    ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long
]  # fmt: skip
libc.mmap.restype = ctypes.c_void_p
libc.munmap.argtypes, libc.munmap.restype = [ctypes.c_void_p, ctypes.c_size_t], ctypes.c_int

_MAP_FAILED = ctypes.c_void_p(-1).value


class _Filler:
    """Writes random bytes; a template slid along by a few bytes each time makes every page differ."""

    def __init__(self) -> None:
        self._template = ctypes.create_string_buffer(os.urandom(2 * PIECE_BYTES), 2 * PIECE_BYTES)
        self._slide = 0

    def fill(self, address: int, size: int) -> None:
        for offset in range(0, size, PIECE_BYTES):
            start = ctypes.addressof(self._template) + self._slide
            ctypes.memmove(address + offset, start, min(PIECE_BYTES, size - offset))
            self._slide = (self._slide + _FILL_STEP_BYTES) % PIECE_BYTES


_filler = _Filler()


class Source(ABC):
    """Where memory comes from. Sizes are whole ``granule_bytes``."""

    granule_bytes: ClassVar[int]

    @abstractmethod
    def take(self, size: int) -> list[tuple[int, int]]:
        """Return (address, bytes) of written pieces that cost ``size`` bytes together.

        Raises:
            MemoryError: The system gives no more.
        """

    @abstractmethod
    def give_back(self, address: int, size: int) -> None:
        """Free one piece."""


class MallocSource(Source):
    """The C allocator, in pieces that never reach its mmap threshold."""

    granule_bytes = 32  # glibc's smallest chunk on 64 bits
    _header_bytes = ctypes.sizeof(ctypes.c_size_t)

    def take(self, size: int) -> list[tuple[int, int]]:
        """Allocate pieces whose chunks, headers included, add up to ``size``."""
        sizes = [min(PIECE_BYTES, size - offset) for offset in range(0, size, PIECE_BYTES)]
        return [(self.take_one(piece), piece) for piece in sizes]

    def take_one(self, chunk: int) -> int:
        """Return the address of one written piece whose chunk, header included, has ``chunk`` bytes."""
        wanted = chunk - self._header_bytes
        address: int | None = libc.malloc(wanted)
        if not address:
            raise MemoryError(f"malloc of {wanted} bytes failed")
        _filler.fill(address, wanted)
        return address

    def give_back(self, address: int, size: int) -> None:  # noqa: ARG002 - free knows the size
        """Hand the piece to ``free``; the allocator may keep it."""
        libc.free(address)


class MmapSource(Source):
    """Private anonymous mappings, unknown to the allocator."""

    granule_bytes = mmap.PAGESIZE
    _flags: ClassVar[int] = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS

    def take(self, size: int) -> list[tuple[int, int]]:
        """Map one region of ``size`` bytes."""
        address = libc.mmap(None, size, mmap.PROT_READ | mmap.PROT_WRITE, self._flags, -1, 0)
        if address is None or address == _MAP_FAILED:
            raise MemoryError(f"mmap of {size} bytes failed: {os.strerror(ctypes.get_errno())}")
        _filler.fill(address, size)
        return [(address, size)]

    def give_back(self, address: int, size: int) -> None:
        """Unmap the piece; the system has it at once."""
        libc.munmap(address, size)


class SharedSource(MmapSource):
    """Shared mappings without a file: the kernel counts their pages as shared memory."""

    _flags = mmap.MAP_SHARED | mmap.MAP_ANONYMOUS


class PythonSource(Source):
    """Python objects of half a KiB, which the interpreter's own allocator (pymalloc) places in its arenas."""

    granule_bytes = 512  # the largest that pymalloc takes
    _payload_bytes = 512 - sys.getsizeof(b"")
    _held: ClassVar[list[bytes | None]] = []

    def take(self, size: int) -> list[tuple[int, int]]:
        """Make objects whose sizes add up to ``size``; they live until they are given back."""
        pieces: list[tuple[int, int]] = []
        for _ in range(size // self.granule_bytes):
            pieces.append((len(self._held), self.granule_bytes))
            self._held.append(os.urandom(self._payload_bytes))
        return pieces

    def give_back(self, address: int, size: int) -> None:  # noqa: ARG002 - the object knows its size
        """Drop one object; pymalloc keeps an arena until all of it is free."""
        self._held[address] = None


class Region:
    """Memory held until ``free``; one that is forgotten is leaked."""

    def __init__(self, source: Source, kib: float) -> None:
        """Allocate ``kib`` KiB, rounded up to whole granules of ``source``."""
        granules = -(-int(kib * KIB) // source.granule_bytes)
        self._source = source
        self._pieces = source.take(granules * source.granule_bytes)

    @property
    def size(self) -> int:
        """Bytes held."""
        return sum(size for _, size in self._pieces)

    def free(self) -> None:
        """Give all of it back. Freeing twice does nothing."""
        while self._pieces:
            self._source.give_back(*self._pieces.pop())


_SOURCES: dict[SourceName, type[Source]] = {
    "malloc": MallocSource,
    "mmap": MmapSource,
    "shared": SharedSource,
    "python": PythonSource,
}


def source(name: SourceName) -> Source:
    """Return the source of that name."""
    return _SOURCES[name]()
