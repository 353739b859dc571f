"""From a worker's words about an exception to the error that a caller gets."""

from __future__ import annotations

import msgspec

from orchestrator.errors import JobError
from orchestrator_worker.protocol import Failed
from orchestrator_worker.values import reader

_decode = msgspec.msgpack.Decoder(list[object], ext_hook=reader(imports=False)).decode


def job_error(failed: Failed) -> JobError:
    """Return the error of a job whose engine or function raised."""
    error = JobError(failed.type_name, failed.message, failed.traceback)
    error.module = failed.module
    if failed.arguments:
        try:
            error.arguments = tuple(_decode(failed.arguments))
        except (ValueError, msgspec.MsgspecError, RecursionError):
            error.arguments = None  # what a worker says of them is no reason to lose its error
    return error
