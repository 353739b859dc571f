"""Mix decoded audio to one channel, resample it with soxr, write 16-bit WAV: block by block.

Hours of audio pass through in bounded memory. What is wrong with channels or scale is known at the end of the first
pass; only then a second one follows (:mod:`.channels`). The libraries are imported on first use, because most
commands never need them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.audio.pcm_file import SAMPLE_RATE_HZ, PcmFile
from orchestrator.errors import AudioError, AudioTooLongError

if TYPE_CHECKING:
    from orchestrator.audio.channels import Block, Correction, Levels
    from orchestrator.audio.decoding import Stream

_LOWEST_HZ, _HIGHEST_HZ = 1_000, 1_000_000
_MOST_CHANNELS = 1024
_CHANNEL_WORDS = {1: "mono", 2: "stereo"}

Decode = Callable[[], Iterator["Stream"]]


@dataclass(frozen=True, slots=True)
class Conversion:
    """``samples`` were written; ``conversion`` says from what, such as ``converted from 44100 Hz stereo``.

    ``remarks`` are sentences for people: what was found and what was done about it.
    """

    samples: int
    conversion: str
    remarks: tuple[str, ...] = ()


def convert(shown_path: str, decode: Decode, descriptor: int, *, longest_s: float) -> Conversion:
    """Convert what ``decode`` yields, one stream after the other, to 16 kHz mono 16-bit PCM in the open file.

    Errors name ``shown_path``. ``decode`` is called again when a second pass is needed; then the file is emptied.

    Args:
        shown_path: Of the recording.
        decode: Gives the streams.
        descriptor: Of the file to write; its first 80 bytes are left for a header.
        longest_s: Seconds that a recording may have.

    Raises:
        AudioError: The audio cannot be used.
        OSError: The file cannot be written.
        Exception: What ``decode`` raises.
    """
    from orchestrator.audio.channels import AS_IT_IS, correction_of  # noqa: PLC0415 - numpy

    first = _Pass(shown_path, descriptor, [], longest_s)
    first.run(decode)
    corrections = [correction_of(levels) for levels in first.levels]
    done = first
    if any(correction is not AS_IT_IS for correction in corrections):
        done = _Pass(shown_path, descriptor, corrections, longest_s)
        done.run(decode)
    if done.samples == 0:
        raise no_samples(shown_path)
    remarks = dict.fromkeys(remark for correction in corrections for remark in correction.remarks)
    return Conversion(done.samples, first.described, (*first.remarks, *remarks))


class _Pass:
    """One reading of all streams into a file."""

    def __init__(self, shown: str, descriptor: int, corrections: list[Correction], longest_s: float) -> None:
        self._shown = shown
        self._descriptor = descriptor
        self._corrections = corrections
        self._longest_s = longest_s
        self.levels: list[Levels] = []
        self.samples = 0
        self.described = ""
        self.remarks: list[str] = []

    def run(self, decode: Decode) -> None:
        with PcmFile(self._descriptor) as out:
            for stream in decode():
                self._stream(stream, out)
                self._refuse_too_long(out.samples)
            out.finish()
            self.samples = out.samples

    def _stream(self, stream: Stream, out: PcmFile) -> None:
        import soxr  # noqa: PLC0415

        from orchestrator.audio.channels import AS_IT_IS, Levels, mixed  # noqa: PLC0415 - numpy

        refuse_impossible(self._shown, stream.rate_hz, stream.channels)
        if stream.frames_claimed is not None:
            more = stream.frames_claimed * SAMPLE_RATE_HZ // stream.rate_hz
            self._refuse_too_long(out.samples + more)
            out.refuse_without_room(more)
        levels = Levels(stream.channels)
        correction = self._corrections[len(self.levels)] if self._corrections else AS_IT_IS
        self.levels.append(levels)
        self.described = self.described or _describe(stream)
        resample = soxr.ResampleStream(stream.rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32")
        if stream.lead_s > 0:
            self.remarks.append(f"its sound begins {stream.lead_s:.3g} s after its start")
            out.write(bytes(2 * round(stream.lead_s * SAMPLE_RATE_HZ)))
        for block in stream.blocks:
            _refuse_no_numbers(self._shown, block, levels.frames)
            levels.take(block)
            out.write(_to_int16(resample.resample_chunk(mixed(block, correction))))
            self._refuse_too_long(out.samples)
        out.write(_to_int16(resample.resample_chunk(_nothing(), last=True)))
        self._refuse_too_long(out.samples)
        if stream.frames_claimed is not None and levels.frames < stream.frames_claimed:
            raise cut_off(self._shown, stream.frames_claimed, levels.frames)

    def _refuse_too_long(self, samples: int) -> None:
        if samples > self._longest_s * SAMPLE_RATE_HZ + 1:  # resampling may give one more than the sound has
            raise AudioTooLongError(self._shown, self._longest_s)


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


def refuse_impossible(shown_path: str, rate_hz: int, channels: int) -> None:
    """Refuse a rate or a number of channels that no recording has.

    Raises:
        AudioError: Says which.
    """
    hint = "see to its header, or export it again"
    if not _LOWEST_HZ <= rate_hz <= _HIGHEST_HZ:
        problem = f"a sample rate of {rate_hz} Hz cannot be right ({_LOWEST_HZ} to {_HIGHEST_HZ} are taken)"
        raise AudioError(shown_path, problem, hint)
    if not 1 <= channels <= _MOST_CHANNELS:
        raise AudioError(
            shown_path, f"{channels} channels cannot be right (1 to {_MOST_CHANNELS} are taken)", hint
        )


def _refuse_no_numbers(shown: str, block: Block, frames_before: int) -> None:
    import numpy as np  # noqa: PLC0415

    finite = np.isfinite(block)
    if not finite.all():
        first = frames_before + int(np.flatnonzero(~finite.all(axis=1))[0])
        raise AudioError(
            shown,
            f"sample {first} is NaN or infinite",
            "the program that wrote it has a fault; export it again, best as 16-bit WAV",
        )


def _nothing() -> Block:
    import numpy as np  # noqa: PLC0415

    return np.zeros(0, dtype=np.float32)


def _to_int16(samples: Any) -> bytes:
    import numpy as np  # noqa: PLC0415

    scaled = np.clip(np.rint(samples * 32768.0), -32768, 32767)
    return bytes(scaled.astype("<i2").tobytes())


def _describe(stream: Stream) -> str:
    channels = _CHANNEL_WORDS.get(stream.channels, f"{stream.channels} channels")
    return f"converted from {stream.rate_hz} Hz {channels}{stream.kind}"
