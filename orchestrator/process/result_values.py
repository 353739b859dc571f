"""What a worker sent as a job's result, made into a value: by whoever wanted it, in its own thread.

A result may be anything that has up to 64 MiB in a frame, and more in shared memory up to the pool's bound. How it is
decoded without trust is :mod:`.sharing.pieces`' part; whatever goes wrong is the error of that one result.
"""

from __future__ import annotations

from typing import Any, cast

import msgspec

from orchestrator.errors import JobError
from orchestrator.process.sharing.pieces import LARGE_BYTES, decode_value
from orchestrator.process.sharing.shared_result import SharedResult
from orchestrator.process.sharing.shared_value import decode_shared
from orchestrator_worker.protocol import Done
from orchestrator_worker.results import Alignment, Plain, Result, ResultKind, Transcript

_typed: dict[str, msgspec.msgpack.Decoder[Any]] = {
    "transcript": msgspec.msgpack.Decoder(Transcript),
    "alignment": msgspec.msgpack.Decoder(Alignment),
}


def result_of(done: Done) -> Result:
    """Unpack the result of a job.

    Raises:
        JobError: It cannot be decoded here; says why.
    """
    packed = cast("bytes | SharedResult", done.result)
    if isinstance(packed, SharedResult):
        return _shared_result(packed)
    return unpack_result(done.kind, packed)


def _shared_result(shared: SharedResult) -> Result:
    try:
        return Plain(decode_shared(shared))
    except Exception as error:
        raise _as_job_error(error, len(shared)) from error


def unpack_result(kind: ResultKind, packed: bytes) -> Result:
    """Return the result that a worker packed.

    Raises:
        JobError: It cannot be decoded here; says why.
    """
    try:
        return _unpack(kind, packed)
    except Exception as error:
        raise _as_job_error(error, len(packed)) from error


def _unpack(kind: ResultKind, packed: bytes) -> Result:
    if kind == "plain":
        return Plain(decode_value(packed))
    found: Result
    if len(packed) < LARGE_BYTES:
        found = _typed[kind].decode(packed)
    elif kind == "transcript":
        found = msgspec.convert(decode_value(packed), Transcript)
    else:
        found = msgspec.convert(decode_value(packed), Alignment)
    return found


def _as_job_error(error: Exception, length: int) -> JobError:
    size = f"the result of {length:,} bytes cannot be decoded"
    if isinstance(error, RecursionError):
        why = "it is nested deeper than the stack of the caller allows; return less deeply nested values"
        return JobError("RecursionError", f"{size}: {why}")
    if isinstance(error, MemoryError):
        return JobError("MemoryError", f"{size}: there is not enough memory for it here")
    return JobError("ResultUnreadable", f"{size}: {error}")
