"""Record the memory of a running process that is not ours: a reading every so many seconds, a CSV row each.

Rows are flushed one by one, so that a killed recorder has lost nothing; the file is one that
``analyze`` reads. The process is only looked at, through ``/proc`` or what the system has instead.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, TextIO

import msgspec
import numpy as np
import psutil

from orchestrator.analysis.series import FloatArray
from orchestrator.errors import OrchestratorError
from orchestrator.files.writing import write_problem
from orchestrator.process.memory import COUNTS, Memory, ProcessGoneError, file_key, file_value, read_boundary
from orchestrator.series_files.measured import CHANNELS, MeasuredSeries

_READ = ("rss", "rss_anon", "rss_shmem", "swap", "threads", "descriptors")
"""What of a reading is recorded. USS and PSS are not: the kernel walks all page tables of the process for them."""
COLUMNS = ("iteration", "elapsed_s", *map(file_key, _READ))

Clock = Callable[[], float]
Wait = Callable[[float], bool]
"""Wait that many seconds; True when the process ended meanwhile."""


class WatchError(OrchestratorError):
    """A process cannot be watched: there is none, or it is another user's."""


class _Row(msgspec.Struct, frozen=True):
    elapsed_s: float
    memory: Memory


class Recording:
    """The readings of one process, as they come; ``out`` gets them as CSV."""

    def __init__(self, name: str, out: TextIO | None = None) -> None:
        self._name = name
        self._rows: list[_Row] = []
        self._out = out
        self._csv = csv.writer(out, lineterminator="\n") if out else None
        if self._csv:
            self._csv.writerow(COLUMNS)

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, elapsed_s: float, memory: Memory) -> None:
        """Keep one reading; ``elapsed_s`` counts from the first.

        Raises:
            ResultsError: It cannot be written.
        """
        self._rows.append(_Row(elapsed_s, memory))
        if not self._csv or not self._out:
            return
        try:
            self._csv.writerow(_cells(len(self._rows), elapsed_s, memory))
            self._out.flush()
        except OSError as error:
            safe = f"the {len(self._rows) - 1} readings before"
            raise write_problem(Path(self._name), error, safe) from error

    def series(self) -> MeasuredSeries:
        """Return what has been read so far as a series."""
        times = [row.elapsed_s for row in self._rows]
        spread = times[-1] - times[0] if times else 0.0
        found = {name: self._channel(field) for name, field in CHANNELS.items() if field in _READ}
        known: dict[str, Any] = {name: values for name, values in found.items() if values is not None}
        series = MeasuredSeries(
            file=self._name,
            rss=np.empty(0),
            elapsed_s=np.array(times, dtype=np.float64) - times[0] if _increasing(times) else None,
            interval_s=spread / (len(times) - 1) if spread > 0 else None,
        )
        return replace(series, **known)

    def _channel(self, field: str) -> FloatArray | None:
        """Return a channel that every reading has; one that is missing anywhere is not there."""
        read = [file_value(field, getattr(row.memory, field)) for row in self._rows]
        return np.array(read, dtype=np.float64) if read and None not in read else None


def _increasing(times: Sequence[float]) -> bool:
    return bool(times) and all(after > before for before, after in pairwise(times))


class Watched:
    """One process, told apart from a later one with its number.

    Raises:
        WatchError: There is no such process.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        try:
            self._process = psutil.Process(pid)
            self.name = self._process.name()
        except psutil.NoSuchProcess:
            raise WatchError(f"there is no process {pid}") from None
        except psutil.AccessDenied:
            self.name = "?"

    def read(self) -> Memory | None:
        """Read its memory; None when it has ended.

        Raises:
            WatchError: The system does not let us look at it.
        """
        try:
            return read_boundary(self.pid) if self._process.is_running() else None
        except ProcessGoneError:
            return None
        except (PermissionError, psutil.AccessDenied):
            raise WatchError(
                f"process {self.pid} is another user's and cannot be read; watch it as that user"
            ) from None

    def wait(self, seconds: float) -> bool:
        """Wait that many seconds, or until it ends; True when it ended."""
        try:
            self._process.wait(timeout=seconds)
        except psutil.TimeoutExpired:
            return False
        return True


def record(
    read: Callable[[], Memory | None],
    wait: Wait,
    clock: Clock,
    recording: Recording,
    *,
    every_s: float,
    for_s: float | None = None,
) -> str:
    """Read every ``every_s`` seconds until the process ends or ``for_s`` seconds are over; return which.

    Readings keep to the clock: a slow one does not move those after it, and one that was missed is not
    made up for. A ``KeyboardInterrupt`` passes; what was read stays in ``recording``.
    """
    start = clock()
    due = 0.0
    while True:
        now = clock() - start
        memory = read()
        if memory is None:
            return "the process ended"
        recording.add(now, memory)
        due = max(due + every_s, now)
        if for_s is not None and due > for_s:
            return f"{for_s:g} s are over"
        if wait(max(0.0, due - (clock() - start))):
            return "the process ended"


def _cells(number: int, elapsed_s: float, memory: Memory) -> list[str]:
    return [str(number), f"{elapsed_s:.3f}", *(_cell(field, getattr(memory, field)) for field in _READ)]


def _cell(field: str, value: int | None) -> str:
    if value is None:
        return ""
    return str(value) if field in COUNTS else f"{file_value(field, value):.6f}"
