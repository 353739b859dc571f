"""The time series of a run piece by piece: what a soak has written in days never stands in memory as a whole.

A column is an array of numbers, or of codes with the names that they stand for, as the file has them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from orchestrator.errors import ResultsError
from orchestrator.files.reading import open_regular
from orchestrator.notebook.frames import Kind
from orchestrator.process.sampling.sample_record import NAMES_FILE, RECORDS_FILE, SampleNames
from orchestrator.process.sampling.samples import Samples, read_samples

CHUNK_RECORDS = 1 << 18
"""Records a piece: 14 MB of the file, and a row group of Parquet."""

SAMPLE_KINDS: dict[str, Kind] = {
    "time_s": "float",
    "experiment": "text",
    "series": "text",
    "method": "text",
    "iteration": "int",
    "step": "int",
    "role": "text",
    "generation": "int",
    "phase": "text",
    "rss_bytes": "int",
    "rss_anon_bytes": "int",
    "rss_shmem_bytes": "int",
    "tree_rss_bytes": "int",
}
"""The columns of the samples. Seconds count from the start of the run, iterations, steps and generations from 1."""

Array = np.ndarray[Any, Any]


class Numbers(NamedTuple):
    """A column of numbers; where ``unknown`` is true, the value is not known."""

    values: Array
    unknown: Array | None = None


class Names(NamedTuple):
    """A column of names: each value is an index into ``names``, -1 for none."""

    codes: Array
    names: Sequence[str]


Chunk = Mapping[str, Numbers | Names]


class SampleSource:
    """The samples of one run's folder. What a run that goes on has written later is not seen."""

    def __init__(self, folder: Path, roles: Mapping[str, Sequence[str]]) -> None:
        """Open them; ``roles`` are those of each experiment's steps, in order.

        Raises:
            ResultsError: There are none, they cannot be read, or are of a version that we do not know.
        """
        self._folder = folder
        self._roles = roles
        self._samples = _with_their_names(folder)

    def __len__(self) -> int:
        return len(self._samples.records)

    @property
    def last_s(self) -> float | None:
        """When the last sample was taken, seconds from the start of the run; None without any."""
        return float(self._samples.records["time_ns"][-1]) / 1e9 if len(self) else None

    def chunks(self, size: int = CHUNK_RECORDS) -> Iterator[Chunk]:
        """Yield the samples in their order, at most ``size`` at once.

        Raises:
            ResultsError: A record has a code without a name, or a number that is no size of memory; or the file has
                become shorter.
        """
        lookup = _Lookup(self._samples.names, self._roles)
        path, dtype = self._folder / RECORDS_FILE, self._samples.records.dtype
        try:
            file = open(open_regular(path), "rb", buffering=0)  # noqa: SIM115 - closed below, also by a reader who stops
        except OSError as error:
            raise ResultsError(f"{path} cannot be read: {error.strerror}") from error
        with file:
            # Read, not mapped: pages of a map count as this process's memory, and a file that is cut would kill it.
            for first in range(0, len(self), size):
                records = np.empty(min(size, len(self) - first), dtype)
                if not _read_into(records, file.fileno(), first * dtype.itemsize):
                    raise ResultsError(f"{path} has become shorter while it was read")
                self._check(records, first)
                yield lookup.chunk(records)

    def _check(self, records: Array, first: int) -> None:
        names = self._samples.names
        for field, known in (
            ("experiment", names.experiments),
            ("series", names.series),
            ("phase", names.phases),
        ):
            beyond = np.flatnonzero(records[field] >= len(known))
            if len(beyond):
                raise ResultsError(
                    f"{self._folder / NAMES_FILE} has no name for the {field} of sample {first + int(beyond[0]) + 1}; "
                    "it is damaged, or belongs to other samples"
                )
        for field in ("rss", "rss_anon", "tree_rss", "rss_shmem"):
            if field in (records.dtype.names or ()) and len(records) and records[field].max() >= 1 << 63:
                raise ResultsError(
                    f"{self._folder}: a sample says more bytes than there can be; it is damaged"
                )


def _read_into(records: Array, descriptor: int, offset: int) -> bool:
    """Fill the records from a file; False when it ends before. One call of the system reads 2 GiB at most."""
    data = records.view(np.uint8).data
    done = 0
    while done < len(data):
        count = os.preadv(descriptor, [data[done:]], offset + done)
        if not count:
            return False
        done += count
    return True


def _with_their_names(folder: Path) -> Samples:
    """Map the samples, then read the names once more: a run under way adds a name before the record that needs it."""
    samples = read_samples(folder)
    again = read_samples(folder).names
    for kind in (again.experiments, again.series, again.phases):
        if len(set(kind)) != len(kind):
            raise ResultsError(f"{folder / NAMES_FILE} has a name twice; it is damaged")
    return Samples(samples.records, again)


class _Lookup:
    """The names of codes, and those that follow from two codes: methods, roles."""

    def __init__(self, names: SampleNames, roles: Mapping[str, Sequence[str]]) -> None:
        clean = [[_clean(name) for name in each] for each in (names.experiments, names.series, names.phases)]
        self._experiments, self._series, self._phases = clean
        methods = [key.partition("@")[0] for key in self._series]
        self._methods = list(dict.fromkeys(methods))
        self._method_of = _codes(methods, self._methods)
        steps = [roles.get(name, ()) for name in names.experiments]
        self._roles = list(dict.fromkeys(role for each in steps for role in each))
        most = max((len(each) for each in steps), default=0)
        self._role_of = np.full((len(steps), most + 1), -1, dtype=np.int32)
        for row, each in enumerate(steps):
            self._role_of[row, : len(each)] = _codes(each, self._roles)

    def chunk(self, records: Array) -> Chunk:
        known = records.dtype.names or ()
        shared = records["rss_shmem"] if "rss_shmem" in known else np.zeros(len(records), dtype=np.uint64)
        anon = records["rss_anon"]
        experiment, series = records["experiment"].astype(np.int32), records["series"].astype(np.int32)
        step = np.minimum(records["step"].astype(np.int64), self._role_of.shape[1] - 1)
        return {
            "time_s": Numbers(records["time_ns"] / 1e9),
            "experiment": Names(experiment, self._experiments),
            "series": Names(series, self._series),
            "method": Names(self._method_of[series], self._methods),
            "iteration": Numbers(records["iteration"].astype(np.int64)),
            "step": Numbers(records["step"].astype(np.int64) + 1),
            "role": Names(self._role_of[experiment, step], self._roles),
            "generation": Numbers(records["generation"].astype(np.int64)),
            "phase": Names(records["phase"].astype(np.int32), self._phases),
            "rss_bytes": Numbers(records["rss"].astype(np.int64)),
            "rss_anon_bytes": Numbers(anon.astype(np.int64), anon == 0),
            "rss_shmem_bytes": Numbers(
                shared.astype(np.int64), np.full(len(records), "rss_shmem" not in known)
            ),
            "tree_rss_bytes": Numbers(records["tree_rss"].astype(np.int64)),
        }


def _codes(words: Sequence[str], names: Sequence[str]) -> Array:
    code_of = {name: code for code, name in enumerate(names)}
    return np.array([code_of[word] for word in words], dtype=np.int32)


def _clean(name: str) -> str:
    return name.encode(errors="replace").decode()
