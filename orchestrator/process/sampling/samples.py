"""The time series on disk: append-only records of fixed width, and beside them the names of their codes.

::

    samples.bin     record | record | record | …           56 bytes each, little-endian, nothing else
    samples.json    {"schema", "dtype", "phases", "experiments", "series", "resumed_at"}

There is no header and no footer, so that a process killed at any moment leaves a file that is right up to its
last whole record; a part of one at the end is ignored by the reader and cut off before more is appended.
``samples.json`` is replaced as a whole, and before the first record that needs a new name of it. What a
record holds is :mod:`.sample_record`'s. numpy is imported only to read.
"""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from orchestrator.errors import ResultsError
from orchestrator.files.reading import open_regular
from orchestrator.process.sampling.sample_record import (
    NAMES_FILE,
    PHASES,
    RECORDS_FILE,
    Label,
    SampleNames,
    layout_of,
    read_names,
    write_names,
)

if TYPE_CHECKING:
    import numpy as np

FLUSH_EVERY_NS = 1_000_000_000


class SampleWriter:
    """Appends records; thread-safe, so that the sampler writes while the owner flushes and adds names.

    At most a second of records waits in memory. After a failed write every further call raises the same error
    and the file ends with a whole record.
    """

    def __init__(self, folder: str | Path) -> None:
        """Open both files in ``folder``, to go on behind the last whole record if there are any.

        Raises:
            ResultsError: The folder's samples are of another version or unreadable.
            OSError: The files cannot be created or written.
        """
        self._folder = Path(folder)
        self._lock = threading.Lock()
        self._buffer = bytearray()
        self._refusal: Exception | None = None  # why nothing can be written any more
        found = (self._folder / NAMES_FILE).exists()
        self._names = read_names(self._folder) if found else SampleNames()
        known_phases = list(PHASES[: len(self._names.phases)])
        layout = layout_of(self._names.dtype)
        if layout is None or self._names.phases != known_phases:
            raise ResultsError(
                f"{self._folder / NAMES_FILE} has other records than ours; choose a new --results DIR"
            )
        self._record, self._has_shared = layout.record, layout.has_shared
        self._descriptor = open_regular(self._folder / RECORDS_FILE, os.O_RDWR | os.O_CREAT)
        try:
            self._offset_ns = self._go_on()
        except BaseException:
            os.close(self._descriptor)
            raise
        self._flushed_ns = self._offset_ns

    def _go_on(self) -> int:
        """Cut off a partial record and return the time to go on from."""
        size = os.fstat(self._descriptor).st_size
        self._size = size - size % self._record.size
        os.ftruncate(self._descriptor, self._size)
        self._names = msgspec.structs.replace(self._names, phases=list(PHASES))
        last_ns = 0
        if self._size:
            width = self._record.size
            last_ns = self._record.unpack(os.pread(self._descriptor, width, self._size - width))[0]
            resumed_at = [*self._names.resumed_at, self._size // width]
            self._names = msgspec.structs.replace(self._names, resumed_at=resumed_at)
        write_names(self._folder, self._names)
        return last_ns

    def experiment_code(self, name: str) -> int:
        """Return the code of an experiment; a new name is on disk before this returns.

        Raises:
            OSError: ``samples.json`` cannot be written.
        """
        return self._code("experiments", name)

    def series_code(self, key: str) -> int:
        """Return the code of a series (a method, a variant of one), as :meth:`experiment_code`."""
        return self._code("series", key)

    def _code(self, kind: str, name: str) -> int:
        with self._lock:
            known: list[str] = getattr(self._names, kind)
            if name not in known:
                names = msgspec.structs.replace(self._names, **{kind: [*known, name]})
                write_names(self._folder, names)
                self._names = names
                known = getattr(names, kind)
            return known.index(name)

    def write(self, label: Label, reading: tuple[int, int, int, int, int]) -> None:
        """Add one record: an ``RssReading`` (:mod:`.watch`) and its label. Blocks once a second.

        Raises:
            OSError: The disk is full, or an earlier write failed.
        """
        time_ns, *sizes = reading
        time_ns += self._offset_ns
        experiment, series, iteration, step, generation, phase = label
        if not self._has_shared:
            sizes.pop()
        record = self._record.pack(time_ns, *sizes, iteration, generation, experiment, series, step, phase)
        with self._lock:
            if self._refusal is not None:
                raise self._refusal
            self._buffer += record
            if time_ns - self._flushed_ns >= FLUSH_EVERY_NS:
                self._flushed_ns = time_ns
                self._flush()

    def flush(self) -> None:
        """Hand everything to the system: what was written survives the death of this process.

        Raises:
            OSError: The disk is full, or an earlier write failed.
        """
        with self._lock:
            if self._refusal is not None:
                raise self._refusal
            self._flush()

    def close(self) -> None:
        """Flush and close; again is harmless.

        Raises:
            OSError: The disk is full; closed all the same. An earlier failure is not raised again.
        """
        with self._lock:
            if self._descriptor < 0:
                return
            try:
                if self._refusal is None:
                    self._flush()
            finally:
                self._refusal = ValueError("the sample writer is closed")
                os.close(self._descriptor)
                self._descriptor = -1

    def _flush(self) -> None:
        try:
            while self._buffer:
                written = os.pwrite(self._descriptor, self._buffer, self._size)
                self._size += written
                del self._buffer[:written]
        except OSError as error:
            self._refusal = error
            self._buffer.clear()
            with contextlib.suppress(OSError):  # the reader copes with a partial record as well
                os.ftruncate(self._descriptor, self._size - self._size % self._record.size)
            raise


class Samples(NamedTuple):
    """The time series of a run: a structured numpy array mapped from the file, and the names of its codes."""

    records: np.ndarray[Any, Any]
    names: SampleNames


def read_samples(folder: str | Path) -> Samples:
    """Map the whole records of a run's folder. Also of a run that is still going on or was cut off.

    The records are read by a layout of ours, never by one that the file asks for: with a field of objects numpy would
    follow the file's bytes as addresses.

    Raises:
        ResultsError: A file is missing, unreadable, of a schema or with records that we do not know.
    """
    import numpy as np  # noqa: PLC0415 - only readers pay for numpy

    names = read_names(Path(folder))
    path = Path(folder) / RECORDS_FILE
    if (layout := layout_of(names.dtype)) is None:
        raise ResultsError(
            f"{Path(folder) / NAMES_FILE} describes records that this version does not know; "
            "read them with the version that wrote them"
        )
    dtype = np.dtype(msgspec.to_builtins(layout.dtype))
    try:
        with open(open_regular(path), "rb") as file:
            count = os.fstat(file.fileno()).st_size // dtype.itemsize
            if not count:
                return Samples(np.empty(0, dtype), names)  # an empty file cannot be mapped
            return Samples(np.memmap(file, dtype=dtype, mode="r", shape=(count,)), names)
    except OSError as error:
        raise ResultsError(f"{path} cannot be read: {error.strerror}; the run has no time series") from error
