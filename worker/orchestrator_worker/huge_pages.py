"""Put the large memory of this process into huge pages: a fork then copies one entry where it copied 512.

A fork copies no memory, but it copies the table that says where each page is: for 200 MB in pages of 4 KiB 51,200
entries, ten milliseconds and more. Linux 6.1 and newer can be asked to move what is there into pages of 2 MiB. Only
memory that is filled is moved, so nothing is added to it. A worker that writes to a huge page gets a copy of 4 KiB.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import monotonic
from typing import cast

HUGE_BYTES = 2 << 20
LEAST_BYTES = 2 * HUGE_BYTES
FILLED = 0.98
"""So much of a mapping must be resident, or holes in it would be filled."""
_MADV_COLLAPSE = 25
_PERMISSIONS = "rw-p"


def collapse(most_s: float) -> int:
    """Ask for it, piece by piece, for about ``most_s`` seconds; return how many bytes were moved. Never raises.

    It takes as long as a copy of the memory on a quiet machine, and much longer on a busy one.
    """
    ends = monotonic() + most_s
    moved = 0
    try:
        advise = _madvise()
        for start, end in list(_filled_mappings()):
            for piece in range(-(-start // HUGE_BYTES) * HUGE_BYTES, end - HUGE_BYTES + 1, HUGE_BYTES):
                if monotonic() > ends:
                    return moved
                if not advise(piece, HUGE_BYTES, _MADV_COLLAPSE):
                    moved += HUGE_BYTES
    except (OSError, ValueError, AttributeError):
        pass
    return moved


def _filled_mappings() -> Iterator[tuple[int, int]]:
    """Yield start and end of large mappings that are private, anonymous and filled."""
    start = end = 0
    with open("/proc/self/smaps", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            words = line.split()
            if len(words) >= 5 and "-" in words[0] and not words[0].endswith(":"):
                first, _, last = words[0].partition("-")
                anonymous = words[4] == "0" and (len(words) == 5 or words[5] == "[heap]")
                start, end = (
                    (int(first, 16), int(last, 16)) if anonymous and words[1] == _PERMISSIONS else (0, 0)
                )
            elif words[0] == "Rss:" and int(words[1]) * 1024 >= max(LEAST_BYTES, FILLED * (end - start)):
                yield start, end


def _madvise() -> Callable[[int, int, int], int]:
    import ctypes

    advise = ctypes.CDLL(None).madvise
    advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    return cast("Callable[[int, int, int], int]", advise)
