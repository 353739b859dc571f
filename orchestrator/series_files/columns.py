"""What a column is, by its name: a channel of memory and its unit, a time, an iteration, or whose reading it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from orchestrator.series_files.numbers import unit_of
from orchestrator.series_files.times import UNIT_SECONDS

Role = Literal[
    "rss",
    "rss_anon",
    "rss_shmem",
    "swap",
    "live",
    "held",
    "descriptors",
    "threads",
    "time",
    "iteration",
    "owner",
    "",
]

_CHANNELS: dict[str, Role] = {
    "rssanon": "rss_anon", "anon": "rss_anon", "anonymous": "rss_anon", "vmrssanon": "rss_anon",
    "rssshmem": "rss_shmem", "shmem": "rss_shmem", "memfd": "rss_shmem",
    "swap": "swap", "vmswap": "swap", "swapped": "swap", "swapusage": "swap", "swappss": "",
    "live": "live", "heaplive": "live", "liveheap": "live", "held": "held", "heapheld": "held", "heldheap": "held",
    "descriptors": "descriptors", "fds": "descriptors", "numfds": "descriptors", "openfds": "descriptors",
    "threads": "threads", "numthreads": "threads", "nlwp": "threads",
}  # fmt: skip
_RESIDENT = frozenset([
    "rss", "vmrss", "res", "resident", "real", "residentsize", "residentset", "residentsetsize", "rsssize",
])  # fmt: skip
_MEMORY = frozenset([
    "mem", "memory", "memusage", "memoryusage", "memused", "memoryused", "usedmemory", "usedmem", "ram",
    "ramusage", "ramused", "usage", "used", "memusagelimit", "memoryusagelimit", "speicher",
])  # fmt: skip
_NOT_RESIDENT = frozenset([
    "virtual", "vsz", "virt", "vmsize", "vms", "limit", "total", "free", "available", "max", "peak", "hwm",
    "percent", "pct", "failcnt", "cache", "shared", "shr", "quota", "request", "requests", "file", "mapped",
    "vmhwm", "vmpeak", "cpu",
])  # fmt: skip
_PROPORTIONAL = frozenset([
    "pss", "uss",
])  # fmt: skip
_TIMES = frozenset([
    "time", "timestamp", "ts", "date", "datetime", "elapsed", "elapsedtime", "etime", "etimes", "seconds", "secs",
    "sec", "epoch", "unixtime", "unix", "clock", "when", "t", "uptime", "utc", "zeit", "datum", "zeitstempel",
    "timeutc", "localtime", "starttime", "at", "minutes", "hours", "lstart",
])  # fmt: skip
_ITERATIONS = frozenset([
    "iteration", "iterations", "iter", "iters", "it", "i", "n", "step", "steps", "run", "job", "jobs", "request",
    "requests", "call", "calls", "cycle", "cycles", "index", "idx", "no", "nr", "reading", "round", "loop",
    "batch", "turn", "count", "x",
])  # fmt: skip
_OWNERS = frozenset([
    "pid", "tgid", "containerid", "container", "name", "names", "pod", "podname", "namespace", "process",
    "processname", "proc", "command", "comm", "cmd", "args", "instance", "host", "hostname", "node", "worker",
    "service", "app", "series", "method", "rank", "job", "user", "uid", "cluster",
])  # fmt: skip
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_UNIT = re.compile(r"([KMGTkmgt])(i?)B(?![a-z])")
_LABELS = re.compile(r"\{.*\}")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        index: Its place.
        name: Its name as the file has it.
        role: What it holds; "" for what is of no use here.
        unit: Unit of memory that the name tells; "" for none. Of a time: its unit, such as ``ms``.
        rank: Among columns that can be the process's memory, the lowest is taken.
    """

    index: int
    name: str
    role: Role
    unit: str = ""
    rank: int = 0


@lru_cache(maxsize=256)
def column_of(index: int, name: str) -> Column:
    """Return what the column of that name is."""
    bare = _LABELS.sub("", name)
    words = [word.lower() for word in _WORD.findall(_UNIT.sub(lambda unit: f" {unit[0].lower()} ", bare))]
    if not words or "%" in bare:
        return Column(index, name, "iteration" if bare.strip() == "#" else "")
    if words[-1] in UNIT_SECONDS and "".join(words[:-1]) in _TIMES:
        return Column(index, name, "time", words[-1])
    plain = "".join(words)
    if plain in _TIMES:
        return Column(index, name, "time", words[-1] if words[-1] in UNIT_SECONDS else "")
    unit = (unit_of(words[-1]) if len(words) > 1 else None) or ""
    base = [word for word in (words[:-1] if unit else words) if word != "in"]
    plain = "".join(base)
    if plain in _CHANNELS:
        return Column(index, name, _CHANNELS[plain], unit)
    if plain in _ITERATIONS:
        return Column(index, name, "iteration")
    if plain in _OWNERS:
        return Column(index, name, "owner")
    rank = _rank(base, plain)
    return Column(index, name, "rss", unit, rank) if rank is not None else Column(index, name, "")


def _rank(words: list[str], plain: str) -> int | None:
    """Return how surely a column is the memory of the process, 0 best; None when it is not."""
    if plain in _RESIDENT:
        return 0
    if _NOT_RESIDENT & set(words) and plain not in _MEMORY:
        return None
    for rank, known in ((1, {"rss", "vmrss", "resident"}), (5, _PROPORTIONAL)):
        if known & set(words):
            return rank
    if "working" in words and "set" in words:
        return 2
    if plain in _MEMORY or "".join(words[-2:]) in _MEMORY:
        return 3
    return 4 if {"memory", "mem", "ram"} & set(words) else None
