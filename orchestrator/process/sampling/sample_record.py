"""One record of the time series: what it holds, how its bytes lie, and the names of the codes in it.

A record is ``time_ns`` (since the start of the run), ``rss``, ``rss_anon`` (0: not known), ``tree_rss`` (with
descendants), ``rss_shmem`` (0: none, or not known; bytes), then what was going on: ``iteration``, ``generation``,
``experiment``, ``series``, ``step`` and ``phase``. The last four are codes whose names stand in ``samples.json``.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import NamedTuple

import msgspec

from orchestrator.errors import ResultsError
from orchestrator.files.reading import read_regular

SCHEMA_VERSION = 1
RECORDS_FILE = "samples.bin"
NAMES_FILE = "samples.json"
# New phases go to the end: files that know fewer are read and gone on with.
PHASES = ("spawn", "load", "infer", "unload", "exit", "restart", "trim")

# One row a field: its name, numpy's format, struct's format. Widest first, so that each is aligned.
_FIELDS = (
    ("time_ns", "<i8", "q"),
    ("rss", "<u8", "Q"),
    ("rss_anon", "<u8", "Q"),
    ("tree_rss", "<u8", "Q"),
    ("rss_shmem", "<u8", "Q"),
    ("iteration", "<u4", "I"),
    ("generation", "<u4", "I"),
    ("experiment", "<u2", "H"),
    ("series", "<u2", "H"),
    ("step", "<u2", "H"),
    ("phase", "u1", "B"),
)
_LATER = "rss_shmem"
"""Files of before this field have none; they are read, and a resumed run goes on without it."""

RECORD = struct.Struct("<" + "".join(code for _, _, code in _FIELDS) + "x")
RECORD_SIZE = RECORD.size


class Label(NamedTuple):
    """What is going on while a reading is taken. Codes of :class:`SampleWriter`; iterations count from 1."""

    experiment: int = 0
    series: int = 0
    iteration: int = 0
    step: int = 0
    generation: int = 1
    phase: int = 0


def phase_code(phase: str) -> int:
    """Return the code of a phase.

    Raises:
        ValueError: There is no such phase.
    """
    try:
        return PHASES.index(phase)
    except ValueError:
        raise ValueError(f"no phase {phase!r}; phases are {', '.join(PHASES)}") from None


class Dtype(msgspec.Struct, frozen=True):
    """The record as ``numpy.dtype`` takes it: ``numpy.dtype(document["dtype"])``."""

    names: list[str]
    formats: list[str]
    offsets: list[int]
    itemsize: int


class Layout(NamedTuple):
    """How the records of one file lie: for numpy, for struct, and whether shared memory is in them."""

    dtype: Dtype
    record: struct.Struct
    has_shared: bool


def _layout(*, has_shared: bool) -> Layout:
    fields = [field for field in _FIELDS if has_shared or field[0] != _LATER]
    record = struct.Struct("<" + "".join(code for _, _, code in fields) + "x")
    sizes = [struct.calcsize("<" + code) for _, _, code in fields]
    offsets = [sum(sizes[:index]) for index in range(len(sizes))]
    dtype = Dtype(
        [name for name, _, _ in fields], [format_ for _, format_, _ in fields], offsets, record.size
    )
    return Layout(dtype, record, has_shared)


def our_dtype() -> Dtype:
    """Return the record as this version writes it."""
    return _layout(has_shared=True).dtype


def layout_of(dtype: Dtype) -> Layout | None:
    """Return how to go on with a file of these records; None when they are not ours."""
    every = (_layout(has_shared=True), _layout(has_shared=False))
    return next((layout for layout in every if layout.dtype == dtype), None)


class SampleNames(msgspec.Struct, frozen=True):
    """The document ``samples.json``. A code is an index into its list."""

    schema: int = SCHEMA_VERSION
    dtype: Dtype = msgspec.field(default_factory=our_dtype)
    phases: list[str] = msgspec.field(default_factory=lambda: list(PHASES))
    experiments: list[str] = []
    series: list[str] = []
    resumed_at: list[int] = []
    """Record numbers at which a resumed run went on; its times go on too, from the last record's."""


def write_names(folder: Path, names: SampleNames) -> None:
    """Replace ``samples.json`` as a whole.

    Raises:
        OSError: The folder cannot be written.
    """
    temporary = folder / (NAMES_FILE + ".new")
    temporary.unlink(missing_ok=True)  # a link that stands there is not followed
    temporary.write_bytes(msgspec.json.format(msgspec.json.encode(names), indent=1) + b"\n")
    temporary.replace(folder / NAMES_FILE)


def read_names(folder: Path) -> SampleNames:
    """Read ``samples.json``.

    Raises:
        ResultsError: It is missing, damaged or of a schema we do not know.
    """
    path = folder / NAMES_FILE
    try:
        document = read_regular(path)
    except OSError as error:
        raise ResultsError(f"{path} cannot be read: {error.strerror}; the run has no time series") from error
    try:
        names = msgspec.json.decode(document, type=SampleNames)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ResultsError(f"{path} is damaged ({error}); the samples cannot be read without it") from error
    if names.schema != SCHEMA_VERSION:
        raise ResultsError(
            f"{path} has schema {names.schema}, this version reads {SCHEMA_VERSION}; "
            "read it with the version that wrote it"
        )
    return names
