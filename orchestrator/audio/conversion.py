"""Decode with soundfile, mix to one channel, resample with soxr, write 16-bit WAV: block by block.

Hours of audio pass through in bounded memory. The libraries are imported on first use, because most
commands never need them.
"""

from __future__ import annotations

import os
import wave
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from orchestrator.errors import AudioError

if TYPE_CHECKING:
    import numpy as np

SAMPLE_RATE_HZ = 16_000
_BLOCK_FRAMES = 1 << 16
_LOWEST_HZ, _HIGHEST_HZ = 1_000, 1_000_000
_CHANNEL_WORDS = {1: "mono", 2: "stereo"}
_CLIPPED_SHARE = 0.001


class UnreadableError(Exception):
    """soundfile cannot read the file at all; somebody else may."""


class Converted(msgspec.Struct, frozen=True):
    """``samples`` were written; ``conversion`` says from what, such as ``converted from 44100 Hz stereo``."""

    samples: int
    conversion: str


def convert(shown_path: str, descriptor: int, target: Path) -> Converted:
    """Convert the open audio file ``descriptor`` to 16 kHz mono 16-bit PCM in the new WAV file ``target``.

    Errors name ``shown_path``. ``descriptor`` stays open.

    Raises:
        UnreadableError: soundfile does not know the format.
        AudioError: It knows it, and the audio cannot be used.
        OSError: ``target`` cannot be written.
    """
    import soundfile  # noqa: PLC0415

    os.lseek(descriptor, 0, os.SEEK_SET)
    try:
        source = soundfile.SoundFile(os.dup(descriptor), closefd=True)
    except (soundfile.LibsndfileError, TypeError) as error:
        raise UnreadableError(str(getattr(error, "error_string", error)).rstrip(".")) from error
    with source:
        _refuse_odd_rates(shown_path, source.samplerate)
        try:
            return _convert_blocks(shown_path, source, target)
        except soundfile.LibsndfileError as error:
            raise AudioError(
                shown_path, f"damaged: {error.error_string}", "take another copy of it"
            ) from error


def _convert_blocks(shown_path: str, source: Any, target: Path) -> Converted:
    import soxr  # noqa: PLC0415

    resample = soxr.ResampleStream(source.samplerate, SAMPLE_RATE_HZ, 1, dtype="float32")
    mixer = _Mixer(shown_path)
    written = 0
    with wave.open(str(target), "wb") as out:
        out.setparams((1, 2, SAMPLE_RATE_HZ, 0, "NONE", "not compressed"))
        while len(block := source.read(_BLOCK_FRAMES, dtype="float32", always_2d=True)):
            pcm = _to_int16(resample.resample_chunk(mixer.mono(block)))
            out.writeframesraw(pcm)
            written += len(pcm) // 2
        pcm = _to_int16(resample.resample_chunk(mixer.mono(block), last=True))
        out.writeframes(pcm)
        written += len(pcm) // 2
    if mixer.frames < source.frames:
        raise cut_off(shown_path, source.frames, mixer.frames)
    if written == 0:
        raise no_samples(shown_path)
    return Converted(written, _describe(source) + mixer.clipping)


class _Mixer:
    """Mixes blocks to one channel, and notices what must not pass: values that are no numbers."""

    def __init__(self, shown_path: str) -> None:
        self._shown_path = shown_path
        self.frames = 0
        self._values = 0
        self._beyond = 0

    def mono(self, block: np.ndarray[Any, np.dtype[np.float32]]) -> np.ndarray[Any, np.dtype[np.float32]]:
        import numpy as np  # noqa: PLC0415

        if not np.isfinite(block).all():
            first = self.frames + int(np.flatnonzero(~np.isfinite(block).all(axis=1))[0])
            raise AudioError(
                self._shown_path,
                f"sample {first} is NaN or infinite",
                "the program that wrote it has a fault; export it again, best as 16-bit WAV",
            )
        self.frames += len(block)
        self._values += block.size
        self._beyond += int(np.count_nonzero(np.abs(block) > 1))
        mixed: np.ndarray[Any, np.dtype[np.float32]] = block.mean(axis=1, dtype=np.float32)
        return mixed

    @property
    def clipping(self) -> str:
        if self._beyond <= self._values * _CLIPPED_SHARE:
            return ""
        share = 100 * self._beyond / self._values
        return f", clipped: {share:.1f} % of its values are beyond ±1"


def cut_off(shown_path: str, claimed: int, held: int) -> AudioError:
    """Return the error for a file that holds fewer frames than its header claims."""
    return AudioError(
        shown_path,
        f"its header claims {claimed} frames, the file holds {held}: it is cut off",
        "copy or record it again (ffmpeg -i OLD.wav NEW.wav makes a valid file of what is there)",
    )


def no_samples(shown_path: str) -> AudioError:
    """Return the error for a file without a single sample."""
    return AudioError(shown_path, "it has 0 samples", "give a recording with sound in it")


def _refuse_odd_rates(shown_path: str, rate_hz: int) -> None:
    if not _LOWEST_HZ <= rate_hz <= _HIGHEST_HZ:
        raise AudioError(
            shown_path,
            f"a sample rate of {rate_hz} Hz cannot be right ({_LOWEST_HZ} to {_HIGHEST_HZ} are taken)",
            "see to its header, or export it again",
        )


def _to_int16(samples: np.ndarray[Any, Any]) -> bytes:
    import numpy as np  # noqa: PLC0415

    scaled = np.clip(np.rint(samples * 32768.0), -32768, 32767)
    return scaled.astype("<i2").tobytes()


def _describe(source: Any) -> str:
    channels = _CHANNEL_WORDS.get(source.channels, f"{source.channels} channels")
    kind = (
        "" if (source.format, source.subtype) == ("WAV", "PCM_16") else f" ({source.format} {source.subtype})"
    )
    return f"converted from {source.samplerate} Hz {channels}{kind}"
