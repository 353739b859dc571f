"""What a sampling process and its host agree on: how the ring's bytes lie, and what an order looks like.

::

    ring      header: 16 words | record | record | …       words of 8 bytes, in the machine's byte order
    record    front | time_ns | who | rss | rss_anon | tree_rss | rss_shmem | held | private | end

``front`` and ``end`` are the record's number, counted from 1. The writer sets ``front`` first, ``end`` after all else,
then the header's ``HEAD``; between two of these steps is a *barrier*. A reader goes the other way. So what it finds
between two equal numbers that are the expected ones is whole.

Why barriers: Python has none, and a processor with a weak memory order (aarch64) may show another one's stores out of
their order; x86-64 shows them in order. Releasing a lock and taking it again is a store that nothing before it passes
and a load that nothing after it passes, so the pair keeps both sides apart. The interpreter does it by one atomic
operation each. A word is stored through ``memoryview.cast("Q")``, which is one store of 8 bytes; ``struct`` in a fixed
byte order would store byte by byte.

The sampling process imports this file, so it imports next to nothing.
"""

from __future__ import annotations

import struct

WORD = 8
HEADER_WORDS = 16
HEADER_BYTES = HEADER_WORDS * WORD
HEAD, BEAT_NS, MISSED, WATCHED, LOOKS = range(5)
"""Words of the header: how many records were ever written; when the last round ended or, while there is nothing to
read, when the process last did something (CLOCK_MONOTONIC); deadlines without a reading; processes that are read now;
how often private or shared pages were counted."""

FIELDS = (
    "front",
    "time_ns",
    "who",
    "rss",
    "rss_anon",
    "tree_rss",
    "rss_shmem",
    "held",
    "private",
    "end",
)
RECORD = struct.Struct(f"@{len(FIELDS)}Q")
BODY = struct.Struct(f"@{len(FIELDS) - 2}Q")
RECORD_WORDS = len(FIELDS)
RECORD_BYTES = RECORD.size

GONE = 1 << 32
"""In ``who``, beside the watch's number: the process has died, or was another one from the start. Nothing was read."""
REFUSED = 1 << 33
"""The same, but it may be alive: the system refused to have it read (no descriptor left, no permission)."""
NUMBER = GONE - 1
"""Mask of the watch's number."""

PLAIN, FAMILY, PRIVATE = range(3)
"""What ``held`` is. Plain: RSS of the process and its descendants. Family: less what they share with each other, as
the kernel's proportional shares tell. Private: less what the process shares with whomever, template or not."""

ORDER = struct.Struct("=BBHIIQQ")
"""Verb, accounting, every (private pages at each so many readings), number, pid, start time in ticks, limit."""
WATCH, UNWATCH, PAUSE, RESUME, BUDGET = range(1, 6)


def size_of(capacity: int) -> int:
    """Return the bytes of a ring of so many records."""
    return HEADER_BYTES + capacity * RECORD_BYTES
