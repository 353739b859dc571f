"""The memory of another process, read from outside, in full: for boundaries, while the worker stands still.

All numbers are bytes. ``None`` means that the system does not tell; nothing is ever guessed.

Which file is read when (figures: ``benchmarks/results/sampling.json``, made by ``bench_sampling.py``):

================  =========  ===============================================================================
file              a read     what for
================  =========  ===============================================================================
``statm``         1.2 µs     the time series (:mod:`.sampling.resident`). Gives RSS and its anonymous part
                             (resident − shared), equal to ``status`` to the page
``status``        9 µs       boundaries: anonymous, file and shared parts, swap, VmHWM, threads
``smaps_rollup``  1 ms a     boundaries only: USS and PSS. The kernel walks every page table, so it takes
                  100 MB     longer the larger the process is
``stat``          3 µs       page faults; its RSS never: it is the kernel's running counter, in which each CPU
                             may still hold back changes; it lay 56 to 156 KB below the others on two CPUs
================  =========  ===============================================================================

VmHWM rests on the same running counter once memory has been given back, so it too may lie that much below the
true peak, and more on more CPUs. That ``statm`` is exact was measured on Linux 6.18; other kernels may sum
it, and ``status`` with it, approximately. The benchmark prints the differences on the machine it runs on.

When to read, and what a series means, is decided by others.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from pathlib import Path
from typing import Any

import msgspec

ON_LINUX = sys.platform == "linux"
_RESET_PEAK = "5"
"""What clear_refs takes to set VmHWM back to the present RSS (proc(5), since Linux 4.0)."""


class ProcessGoneError(Exception):
    """The process does not exist any more, or has exited and only waits to be reaped: it has no memory."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        super().__init__(f"process {pid} is gone")


class Memory(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One full reading: bytes, and counts of threads and descriptors. None: the system does not tell.

    The records of a run keep it as it is, see :class:`orchestrator.experiments.storage.records.Reading`.
    """

    rss: int
    """Resident: anonymous, file-backed and shared pages together."""
    rss_anon: int | None = None
    rss_file: int | None = None
    rss_shmem: int | None = None
    swap: int | None = None
    uss: int | None = None
    """Private pages: what would come free if this process ended."""
    pss: int | None = None
    """Private pages and this process's share of the others."""
    peak: int | None = None
    """VmHWM: the highest RSS since the start, or since :func:`reset_peak`."""
    threads: int | None = None
    descriptors: int | None = None


MB = 1024.0**2
COUNTS = frozenset(("threads", "descriptors"))
"""Fields of a reading that are no sizes."""


def file_key(field: str) -> str:
    """Return what result files and recordings call a field of a reading: sizes are MB there, and say so."""
    if field in COUNTS:
        return field
    return "vm_hwm_mb" if field == "peak" else f"{field}_mb"


def file_value(field: str, value: int | None) -> float | None:
    """Return the value that stands under :func:`file_key`: sizes in MB, counts as they are."""
    return value if value is None or field in COUNTS else value / MB


def read_boundary(pid: int) -> Memory:
    """Read everything there is to know. Takes milliseconds and more with the size of the process.

    Raises:
        ProcessGoneError: The process is gone or a zombie.
        PermissionError: The process is another user's.
    """
    return _read_proc(pid) if ON_LINUX else _read_portable(pid)


def reset_peak(pid: int) -> bool:
    """Set the kernel's peak back to the present RSS; False when it cannot be (no permission, no such file).

    After False the caller takes the sampled maximum and marks it as such.

    Raises:
        ProcessGoneError: The process is gone.
    """
    try:
        Path(f"/proc/{pid}/clear_refs").write_text(_RESET_PEAK)
    except ProcessLookupError:
        raise ProcessGoneError(pid) from None
    except FileNotFoundError:
        if Path("/proc/self").exists() and not Path(f"/proc/{pid}").exists():
            raise ProcessGoneError(pid) from None
        return False
    except OSError:
        return False
    return True


# ------------------------------------------------------------------ Linux


def _read_proc(pid: int) -> Memory:
    try:
        status = _sizes(Path(f"/proc/{pid}/status").read_bytes())
    except (FileNotFoundError, ProcessLookupError):
        raise ProcessGoneError(pid) from None
    if b"VmRSS" not in status:
        raise ProcessGoneError(pid)  # a zombie's status tells no sizes
    rollup = _read_rollup(pid)
    uss = [rollup[key] for key in (b"Private_Clean", b"Private_Dirty", b"Private_Hugetlb") if key in rollup]
    return Memory(
        rss=status[b"VmRSS"],
        rss_anon=status.get(b"RssAnon"),
        rss_file=status.get(b"RssFile"),
        rss_shmem=status.get(b"RssShmem"),
        swap=status.get(b"VmSwap"),
        uss=sum(uss) if uss else None,
        pss=rollup.get(b"Pss"),
        peak=status.get(b"VmHWM"),
        threads=status.get(b"Threads"),
        descriptors=_count_descriptors(pid),
    )


def read_shared(pid: int) -> int:
    """Return RssShmem in bytes; 0 when the process is gone or the kernel does not tell."""
    try:
        return _sizes(Path(f"/proc/{pid}/status").read_bytes()).get(b"RssShmem", 0)
    except OSError:
        return 0


def read_pss(pid: int) -> int | None:
    """Return the proportional share in bytes, each shared page counted once over all who have it; None if unknown."""
    return _read_rollup(pid).get(b"Pss")


def read_private(pid: int) -> int | None:
    """Return the bytes of pages that nobody else has; None if unknown."""
    found = _read_rollup(pid)
    return found[b"Private_Clean"] + found[b"Private_Dirty"] if b"Private_Dirty" in found else None


def _sizes(text: bytes) -> dict[bytes, int]:
    """Return the numbers of a ``Key:  123 kB`` file; those in kB (1024 bytes) as bytes."""
    found: dict[bytes, int] = {}
    for line in text.splitlines():
        key, colon, rest = line.partition(b":")
        words = rest.split()
        if colon and words and words[0].isdigit():
            found[key] = int(words[0]) * (1024 if words[1:] == [b"kB"] else 1)
    return found


def _read_rollup(pid: int) -> dict[bytes, int]:
    # Absent before Linux 4.14, refused under some ptrace rules, ESRCH once the memory is given up. The caller
    # has the process's status by then: what is missing here is unknown, not wrong.
    try:
        return _sizes(Path(f"/proc/{pid}/smaps_rollup").read_bytes())
    except OSError:
        return {}


def _count_descriptors(pid: int) -> int | None:
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 - names only, no stat of each
    except OSError:
        return None


# ------------------------------------------------------------------ elsewhere


def open_portable(pid: int) -> Any:
    """Return ``psutil.Process(pid)``, for systems without ``/proc``.

    Raises:
        ProcessGoneError: There is no such process.
    """
    psutil = importlib.import_module("psutil")
    try:
        return psutil.Process(pid)
    except psutil.NoSuchProcess:
        raise ProcessGoneError(pid) from None


def _read_portable(pid: int) -> Memory:
    psutil = importlib.import_module("psutil")
    process = open_portable(pid)
    try:
        with process.oneshot():
            if process.status() == psutil.STATUS_ZOMBIE:
                raise ProcessGoneError(pid)
            rss, threads = int(process.memory_info().rss), int(process.num_threads())
        uss = descriptors = None
        with contextlib.suppress(psutil.AccessDenied, AttributeError):
            uss = int(process.memory_full_info().uss)
        with contextlib.suppress(psutil.AccessDenied, AttributeError):
            descriptors = int(process.num_fds())
    except psutil.NoSuchProcess:
        raise ProcessGoneError(pid) from None
    return Memory(rss=rss, uss=uss, threads=threads, descriptors=descriptors)
