"""From a job as a caller wrote it to the bytes a worker gets.

Done in the submitting thread: what cannot be sent is refused there, with the caller's own stack, and the
supervisor's loop only hands bytes on.
"""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import msgspec

from orchestrator.pool import jobs
from orchestrator.pool.core.entities import JobRecord, ModelQueue
from orchestrator.pool.core.interfaces import Promise
from orchestrator.pool.models import FUNCTION_MODEL
from orchestrator.pool.runtime.tickets import UNASSIGNED
from orchestrator.pool.submission.arguments import CURE, least_size, pack_arguments, share_arguments
from orchestrator.process.uninterrupted import OwnDescriptor
from orchestrator_worker import protocol
from orchestrator_worker.framing import LARGEST_INLINE, FramingError, frame
from orchestrator_worker.sharing.shared_memory import DEFAULT_BOUND
from orchestrator_worker.values import UnsendableError, fits, sendable

TARGET = re.compile(r"[^\W\d][\w.]*:[^\W\d][\w.]*")
MOST_TARGETS = 1024
_good_targets: set[str] = set()
"""Targets found well written, so that the same one is not looked at for every job."""
_encoder = msgspec.msgpack.Encoder()
_ids = itertools.count(1)


class TooLargeError(ValueError):
    """A job has more bytes than a frame."""


def close_audio(payload: Payload) -> None:
    """Close the memfd of a job that will not be submitted after all."""
    if payload.descriptor is not None:
        payload.descriptor.close()


class Payload(msgspec.Struct, frozen=True, gc=False):
    """A job ready to be sent. ``descriptor``, of audio or of large arguments, is closed when the job has ended."""

    id: int
    model: str
    task: str
    frame: bytes
    descriptor: OwnDescriptor | None


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


def make_payload(job: jobs.Job, *, stream: bool, cache_dir: Path, most_bytes: int = DEFAULT_BOUND) -> Payload:
    """Check ``job``, prepare its audio and encode it.

    Arguments of a ``Call`` that are too large for a frame go into shared memory, up to ``most_bytes``; 0: none does.

    Raises:
        TypeError: No job, or it holds values msgpack has no form for; names them.
        ValueError: A target that cannot be imported, or a job too large for the wire.
        AudioError: Its audio cannot be used.
        OSError: There is no descriptor or memory left for shared memory.
    """
    if isinstance(job, jobs.Call):
        return _encoded_call(job, stream, most_bytes)
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
            descriptor.close()
        raise


def _encoded_call(job: jobs.Call, stream: bool, most_bytes: int) -> Payload:
    if job.target not in _good_targets:
        _check_target(job)
    if least_size(job.args, job.kwargs) <= LARGEST_INLINE:
        try:
            return _encoded(FUNCTION_MODEL, _call(job), None, stream)
        except TooLargeError:
            pass  # by what is within a list
    descriptor = share_arguments(job.args, job.kwargs, most_bytes)
    try:
        body = protocol.Job("call", options={"target": job.target}, shared=True)
        return _encoded(FUNCTION_MODEL, body, descriptor, stream)
    except BaseException:
        descriptor.close()
        raise


def _call(job: jobs.Call) -> protocol.Job:
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


def _check_target(job: jobs.Call) -> None:
    if not TARGET.fullmatch(job.target):
        raise ValueError(f"Call({job.target!r}): the target is written 'package.module:function'")
    if job.target.startswith("__main__:"):
        raise ValueError(
            f"Call({job.target!r}): in a worker __main__ is the worker; put the function into a module and name that"
        )
    if len(_good_targets) < MOST_TARGETS:
        _good_targets.add(job.target)


def _encoded(model: str, body: protocol.Job, descriptor: OwnDescriptor | None, stream: bool) -> Payload:
    number = next(_ids)
    try:
        encoded = frame(protocol.Run(UNASSIGNED, body, stream), _encoder)
    except FramingError as error:
        raise TooLargeError(
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
    return f"{', '.join(guilty) or 'the job'} cannot be sent to a worker: {error}; {CURE}"


def _packs(value: Any) -> bool:
    try:
        _encoder.encode(value)
    except (TypeError, OverflowError, RecursionError, UnicodeEncodeError):
        return False
    return True
