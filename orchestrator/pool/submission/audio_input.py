"""Audio as callers have it, made into what a worker can open.

A path goes through :mod:`orchestrator.audio`. Bytes and arrays go into a memfd::

    parent: memfd N ──────── worker opens /proc/PARENT/fd/N ──────── closed here when the job has ended

so nothing but a path crosses the pipe, and a killed parent leaves nothing behind, as a file in /dev/shm would.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from orchestrator.audio import prepare
from orchestrator.audio.channels import Levels, correction_of, mixed
from orchestrator.errors import AudioError, NotDecodedError
from orchestrator.pool.jobs import AudioArray
from orchestrator.process.sharing.own_memory import own_sealed_memory
from orchestrator.process.uninterrupted import OwnDescriptor
from orchestrator_worker.protocol import Audio, Encoding

RATE_HZ = 16_000


def open_audio(audio: object, cache_dir: Path) -> tuple[Audio, OwnDescriptor | None]:
    """Return what the worker gets and the memory to close after the job (None for a file).

    Blocks while audio is decoded, resampled and copied.

    Raises:
        AudioError: It cannot be used; says why.
        TypeError: It is nothing that audio can be.
    """
    match audio:
        case str() | os.PathLike():
            return prepare(Path(audio), cache_dir).audio, None  # pyright: ignore[reportUnknownArgumentType]
        case bytes() | bytearray() | memoryview():
            return _from_bytes(audio, cache_dir)  # pyright: ignore[reportUnknownArgumentType]
        case AudioArray(samples=samples, rate_hz=rate_hz):
            return _from_array(samples, rate_hz)
        case (np.ndarray() as samples, int(rate_hz)):
            return _from_array(samples, rate_hz)
        case _:
            raise TypeError(
                f"audio={type(audio).__name__}: give a path, the bytes of an audio file, or (array, rate in Hz)"
            )


def _from_bytes(
    content: bytes | bytearray | memoryview, cache_dir: Path
) -> tuple[Audio, OwnDescriptor | None]:
    memory = _memory(content)
    own = f"/proc/self/fd/{memory.number}"
    try:
        prepared = prepare(own, cache_dir).audio
    except NotDecodedError as error:
        memory.close()
        raise NotDecodedError("audio bytes", error.problem, error.hint, shortage=error.shortage) from None
    except AudioError as error:
        memory.close()
        raise AudioError("audio bytes", error.problem, error.hint) from None
    except BaseException:
        memory.close()
        raise
    if prepared.path != own:
        memory.close()  # converted into a file of the cache
        return prepared, None
    return Audio(_seen_from_a_worker(memory), prepared.samples, prepared.encoding), memory


def _from_array(samples: npt.NDArray[Any], rate_hz: int) -> tuple[Audio, OwnDescriptor]:
    _check(samples, rate_hz)
    mono = _mono(samples, rate_hz)
    if rate_hz != RATE_HZ:
        mono = _resampled(mono, rate_hz)
    encoding: Encoding = "s16le" if mono.dtype == np.int16 else "f32le"
    wire = np.ascontiguousarray(mono, dtype="<i2" if encoding == "s16le" else "<f4")
    memory = _memory(wire.data.cast("B"))
    return Audio(_seen_from_a_worker(memory), len(wire), encoding), memory


def _mono(samples: npt.NDArray[Any], rate_hz: int) -> npt.NDArray[Any]:
    """Return one channel; what would spoil its mix or its scale is put right, and said by a warning."""
    if samples.ndim == 1 and (samples.dtype == np.int16 or np.abs(samples).max() <= 1):
        return samples  # the usual case, without a copy
    floats = samples.astype(np.float32)
    if samples.dtype == np.int16:
        floats /= 32768
    whole = floats.reshape(len(floats), -1)
    levels = Levels(whole.shape[1])
    for start in range(0, len(whole), rate_hz):
        levels.take(whole[start : start + rate_hz])
    correction = correction_of(levels)
    for remark in correction.remarks:
        warnings.warn(f"audio array at {rate_hz} Hz: {remark}", stacklevel=2)
    return mixed(whole, correction)


def _resampled(mono: npt.NDArray[Any], rate_hz: int) -> npt.NDArray[np.float32]:
    import soxr  # noqa: PLC0415 - only for arrays of another rate

    floats = mono.astype(np.float32) / 32768 if mono.dtype == np.int16 else mono
    return np.asarray(soxr.resample(floats, rate_hz, RATE_HZ), dtype=np.float32)


def _check(samples: npt.NDArray[Any], rate_hz: int) -> None:
    shown = f"audio array {samples.dtype}{list(samples.shape)} at {rate_hz} Hz"
    if samples.dtype not in {np.dtype(np.float32), np.dtype(np.int16)}:
        raise AudioError(shown, "is neither float32 nor int16", "convert it, floats within [-1, 1)")
    if samples.ndim not in {1, 2} or (samples.ndim == 2 and samples.shape[1] > 32):
        raise AudioError(shown, "has no shape of audio", "give (samples,) or (samples, channels)")
    if not samples.size:
        raise AudioError(shown, "has no samples")
    if not 1_000 <= rate_hz <= 768_000:
        raise AudioError(shown, "has no rate of audio", "give the samples per second, 1,000 to 768,000")
    if samples.dtype == np.float32 and not _all_finite(samples):
        raise AudioError(shown, "has samples that are no numbers (NaN or infinite)")


def _all_finite(samples: npt.NDArray[Any]) -> bool:
    # What is not finite spoils the sum, which needs no second array; a sum that overflowed says nothing.
    with np.errstate(invalid="ignore", over="ignore"):
        total = np.add.reduce(samples, axis=None)
    return bool(np.isfinite(total)) or bool(np.isfinite(samples).all())


def _memory(content: bytes | bytearray | memoryview) -> OwnDescriptor:
    # Sealed: a worker that was given audio cannot change it for the one that gets the job after it.
    return own_sealed_memory("orchestrator-audio", [content])


def _seen_from_a_worker(memory: OwnDescriptor) -> str:
    return f"/proc/{os.getpid()}/fd/{memory.number}"
