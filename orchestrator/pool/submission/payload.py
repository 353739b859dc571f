"""From a job as a caller wrote it to the bytes a worker gets.

Done in the submitting thread: what cannot be sent is refused there, with the caller's own stack, and the
supervisor's loop only hands bytes on.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from orchestrator.pool import jobs
from orchestrator.pool.core.entities import JobRecord, ModelQueue, Promise
from orchestrator.pool.models import FUNCTION_MODEL
from orchestrator.pool.runtime.tickets import UNASSIGNED
from orchestrator_worker import protocol
from orchestrator_worker.framing import FramingError, frame
from orchestrator_worker.values import UnsendableError, fits, packed, sendable

TARGET = re.compile(r"[^\W\d][\w.]*:[^\W\d][\w.]*")
MOST_TARGETS = 1024
_good_targets: set[str] = set()
"""Targets found well written, so that the same one is not looked at for every job."""
_CURE = "send numbers, text, bytes, dates, lists and dicts, arrays of numbers, or the path of a file"
_encoder = msgspec.msgpack.Encoder()
_ids = itertools.count(1)


def close_audio(payload: Payload) -> None:
    """Close the memfd of a job that will not be submitted after all."""
    if payload.descriptor is not None:
        os.close(payload.descriptor)


class Payload(msgspec.Struct, frozen=True, gc=False):
    """A job ready to be sent. ``descriptor`` is closed when the job has ended."""

    id: int
    model: str
    task: str
    frame: bytes
    descriptor: int | None


def job_record(
    payload: Payload,
    model_queue: ModelQueue,
    promise: Promise,
    timeout_s: float | None = None,
    queue_timeout_s: float | None = None,
    priority: int = 0,
) -> JobRecord:
    """Return the supervisor's record of a job that is to be sent."""
    return JobRecord(
        payload.id,
        payload.task,
        payload.frame,
        payload.descriptor,
        model_queue,
        promise,
        timeout_s,
        queue_timeout_s,
        priority,
    )


def make_payload(job: jobs.Job, *, stream: bool, cache_dir: Path) -> Payload:
    """Check ``job``, prepare its audio and encode it.

    Raises:
        TypeError: No job, or it holds values msgpack has no form for; names them.
        ValueError: A target that cannot be imported, or a job too large for the wire.
        AudioError: Its audio cannot be used.
    """
    if isinstance(job, jobs.Call):
        return _encoded(FUNCTION_MODEL, _call(job), None, stream)
    if not isinstance(job, jobs.EngineJob):  # pyright: ignore[reportUnnecessaryIsInstance] - callers err
        raise TypeError(f"{job!r} is no job: give Transcribe, Align, Call or EngineJob")
    audio, descriptor = None, None
    if job.audio is not None:
        from orchestrator.pool.submission.audio_input import open_audio  # noqa: PLC0415 - brings numpy and soundfile

        audio, descriptor = open_audio(job.audio, cache_dir)
    body = protocol.Job(job.task, audio, job.text, job.language, dict(job.options), fresh=True)
    try:
        return _encoded(job.model, body, descriptor, stream)
    except BaseException:
        if descriptor is not None:
            os.close(descriptor)
        raise


def _call(job: jobs.Call) -> protocol.Job:
    if job.target not in _good_targets:
        _check_target(job)
    options: dict[str, Any] = {"target": job.target}
    if _is_plain(job):
        if job.args:
            options["args"] = job.args
        if job.kwargs:
            options["kwargs"] = job.kwargs
    else:
        options["values"] = pack_arguments(job.args, job.kwargs)
    return protocol.Job("call", options=options)


def _is_plain(job: jobs.Call) -> bool:
    """Whether msgpack has a form for every argument; a list in one is not looked into, and counts as not plain."""
    each = (*job.args, *job.kwargs.values())
    try:
        return sendable(each) is each and all(fits(one) for one in each if type(one) is int)
    except (UnsendableError, RecursionError):
        return False  # packing them says which one it is


def pack_arguments(args: Sequence[Any], kwargs: Mapping[str, Any]) -> bytes:
    """Return positional and named arguments in one.

    Raises:
        TypeError: One cannot travel; says where in the arguments it is.
    """
    positional = [_packed(f"argument {number}", each) for number, each in enumerate(args, 1)]
    named = {key: _packed(f"argument {key!r}", each) for key, each in kwargs.items()}
    return _encoder.encode((positional, named))


def _packed(name: str, value: Any) -> msgspec.Raw:
    try:
        return msgspec.Raw(packed(value))
    except UnsendableError as error:
        raise TypeError(
            f"{name}{error.path} ({error.kind}) cannot be sent to a worker: {error.why}; {_CURE}"
        ) from None
    except (RecursionError, UnicodeEncodeError) as error:
        raise TypeError(
            f"{name} ({type(value).__name__}) cannot be sent to a worker: {error}; {_CURE}"
        ) from None


def _check_target(job: jobs.Call) -> None:
    if not TARGET.fullmatch(job.target):
        raise ValueError(f"Call({job.target!r}): the target is written 'package.module:function'")
    if job.target.startswith("__main__:"):
        raise ValueError(
            f"Call({job.target!r}): in a worker __main__ is the worker; put the function into a module and name that"
        )
    if len(_good_targets) < MOST_TARGETS:
        _good_targets.add(job.target)


def _encoded(model: str, body: protocol.Job, descriptor: int | None, stream: bool) -> Payload:
    number = next(_ids)
    try:
        encoded = frame(protocol.Run(UNASSIGNED, body, stream), _encoder)
    except FramingError as error:
        raise ValueError(
            f"the job is too large for the pipe: {error.problem}; give audio as (array, rate), and other bulk as a path"
        ) from None
    except (TypeError, OverflowError, RecursionError, UnicodeEncodeError) as error:
        raise TypeError(_unpackable(body, error)) from error
    return Payload(number, model, body.task, encoded, descriptor)


def _unpackable(body: protocol.Job, error: Exception) -> str:
    """Name the options that cannot travel."""
    guilty = [
        f"option {key!r} ({type(value).__name__})" for key, value in body.options.items() if not _packs(value)
    ]
    return f"{', '.join(guilty) or 'the job'} cannot be sent to a worker: {error}; {_CURE}"


def _packs(value: Any) -> bool:
    try:
        _encoder.encode(value)
    except (TypeError, OverflowError, RecursionError, UnicodeEncodeError):
        return False
    return True
