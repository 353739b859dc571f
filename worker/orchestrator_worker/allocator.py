"""The C allocator's own view of this process, and the request to give free memory back.

RSS says what the kernel lent the process; this says what the program still holds of it, so that a leak can be
told from memory that was freed and kept. What the numbers mean for a verdict is decided in the parent.

Sources, tried in this order, once per process:

=================  =====================================================================================
``mallinfo2``      glibc 2.33 and newer. It sums over all arenas, so threads of an engine are counted.
                   Freed chunks in a thread's tcache still count as live: at most seven a size and thread.
``psutil``         ``psutil.heap_info()`` (7.2 and newer) elsewhere: live only, it knows no held part.
off                musl, or an allocator that was preloaded in place of the C library's.
=================  =====================================================================================

Why a replaced allocator switches the channel off: glibc's ``mallinfo2`` is still there and reads zeros, or
the little that was allocated before the other took over. A heap that reads flat because nobody uses it would
turn every leak into "no leak".

``ctypes`` is imported at the first call, which costs a bare worker 0.7 MB of RSS; one that is told not to
read its heap never pays. A call takes 2 µs at rest and 91 µs with four more arenas and 10,000 free chunks
(``benchmarks/results/sampling.json``): it grows with these, never with the bytes in use.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any, Protocol

from orchestrator_worker.protocol import Heap

REPLACED = "allocator replaced"
ABSENT = "the C library has no mallinfo2 and psutil.heap_info() is not there (psutil 7.2 or newer)"
_FOREIGN_SYMBOLS = ("mallctl", "mi_malloc")
_MALLINFO2_FIELDS = (
    "arena",
    "ordblks",
    "smblks",
    "hblks",
    "hblkhd",
    "usmblks",
    "fsmblks",
    "uordblks",
    "fordblks",
    "keepcost",
)


class _Source(Protocol):
    """One way to ask the allocator."""

    def read(self) -> Heap: ...
    def trim(self) -> bool: ...


def read_heap() -> Heap:
    """Return live and held bytes, or the reason why there are none in ``off``. Never raises."""
    try:
        return _the_source().read()
    except Exception as error:
        return Heap(off=f"cannot be read: {type(error).__name__}: {error}")


def trim() -> bool:
    """Ask the allocator to give free memory back to the system; return whether it could be asked.

    Blocks while every arena is walked. Whether it helped shows in RssAnon, read from outside: ``held`` counts
    free chunks whether or not pages stand behind them, and a trim does not lower it.
    """
    try:
        return _the_source().trim()
    except Exception:
        return False


_source: _Source | None = None


def _the_source() -> _Source:
    global _source  # noqa: PLW0603 - chosen once a process: the allocator cannot change while it runs
    if _source is None:
        _source = _choose_source()
    return _source


def _choose_source() -> _Source:
    import ctypes

    library = ctypes.CDLL(None)
    # On these systems the C library's own allocator is jemalloc.
    own_jemalloc = sys.platform.startswith(("freebsd", "netbsd"))
    if not own_jemalloc and any(hasattr(library, symbol) for symbol in _FOREIGN_SYMBOLS):
        return _Off(REPLACED)
    if hasattr(library, "mallinfo2"):
        return _Glibc(library)
    psutil = _psutil_with_heap()
    return _Off(ABSENT, getattr(library, "malloc_trim", None)) if psutil is None else _Psutil(psutil)


def _psutil_with_heap() -> Any | None:
    try:
        psutil = importlib.import_module("psutil")
    except ImportError:
        return None
    return psutil if hasattr(psutil, "heap_info") else None


class _Glibc:
    """glibc through ctypes."""

    def __init__(self, library: Any) -> None:
        import ctypes

        class MallInfo2(ctypes.Structure):
            _fields_ = tuple((name, ctypes.c_size_t) for name in _MALLINFO2_FIELDS)

        self._mallinfo2 = library.mallinfo2
        self._mallinfo2.argtypes = ()
        self._mallinfo2.restype = MallInfo2
        self._malloc_trim = library.malloc_trim
        self._malloc_trim.argtypes = (ctypes.c_size_t,)
        self._malloc_trim.restype = ctypes.c_int

    def read(self) -> Heap:
        info = self._mallinfo2()
        if info.arena + info.hblkhd == 0:
            return Heap(off=REPLACED)
        return Heap(live=info.uordblks + info.hblkhd, held=info.fordblks, source="mallinfo2")

    def trim(self) -> bool:
        self._malloc_trim(0)  # its result only says whether anything was given back
        return True


class _Psutil:
    """Whatever psutil knows of this system's allocator."""

    def __init__(self, psutil: Any) -> None:
        self._psutil = psutil

    def read(self) -> Heap:
        info = self._psutil.heap_info()
        live = int(info.heap_used) + int(info.mmap_used)
        return Heap(live=live, source="psutil") if live else Heap(off=REPLACED)

    def trim(self) -> bool:
        self._psutil.heap_trim()
        return True


class _Off:
    """No numbers, and why. An older glibc without ``mallinfo2`` can still be asked to trim."""

    def __init__(self, reason: str, malloc_trim: Any | None = None) -> None:
        self._reason = reason
        self._malloc_trim = malloc_trim

    def read(self) -> Heap:
        return Heap(off=self._reason)

    def trim(self) -> bool:
        if self._malloc_trim is None:
            return False
        self._malloc_trim(0)
        return True
