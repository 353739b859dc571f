"""An open audio file as streams of blocks: by soundfile, part by part where several recordings were joined."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.audio.file_views import FileView, has_several_tracks, joined_views, view_of
from orchestrator.errors import AudioError, NotDecodedError

if TYPE_CHECKING:
    from orchestrator.audio.channels import Block
    from orchestrator.audio.wav_header import WavFile

Check = Callable[[], None]
"""Called now and then while something takes long; what it raises ends it."""
_BLOCK_VALUES = 1 << 16
_LEAST_FRAMES = 1 << 10
_ESTIMATED = frozenset({"MPEG_LAYER_I", "MPEG_LAYER_II", "MPEG_LAYER_III"})
"""Kinds whose length is reckoned from the first frames where no header tells it."""
_UNKNOWN_FRAMES = 1 << 62


class UnreadableError(Exception):
    """soundfile cannot read the file at all; somebody else may."""


class SaidNoMemoryError(MemoryError):
    """ffmpeg says that it got no memory, which it says of broken files too; the text has its words."""


@dataclass(frozen=True, slots=True)
class Stream:
    """Sound of one rate and number of channels. ``kind`` is such as `` (FLAC PCM_16)``, empty for 16-bit WAV.

    ``frames_claimed`` is None where no header tells a length that can be relied on; ``lead_s`` are seconds of silence
    before the first block.
    """

    rate_hz: int
    channels: int
    kind: str
    frames_claimed: int | None
    blocks: Iterator[Block]
    lead_s: float = 0.0


def decoded_by_soundfile(shown: str, descriptor: int, wav: WavFile | None, check: Check) -> Iterator[Stream]:
    """Yield the streams of an open file, each to be read before the next. ``descriptor`` stays open.

    Raises:
        UnreadableError: soundfile does not know the format.
        AudioError: It knows it, and the audio is damaged.
    """
    for view in _views(descriptor, wav):
        yield from _one(shown, view, check)


def _views(descriptor: int, wav: WavFile | None) -> list[FileView | int]:
    if wav is not None and not wav.plain:
        return [view_of(descriptor, part) for part in wav.parts]
    if has_several_tracks(descriptor):
        raise UnreadableError("it has several tracks")  # it would read one, and leave out when that begins
    return [*joined_views(descriptor)] or [descriptor]


def _one(shown: str, view: Any, check: Check) -> Iterator[Stream]:
    import soundfile  # noqa: PLC0415

    with ExitStack() as stack:
        try:
            if isinstance(view, int):
                os.lseek(view, 0, os.SEEK_SET)
                source: Any = soundfile.SoundFile(os.dup(view), closefd=True)
            else:
                source = soundfile.SoundFile(view)
        except OSError as error:
            raise NotDecodedError(
                shown, f"cannot be opened: {error.strerror}", "", shortage="system"
            ) from error
        except (soundfile.LibsndfileError, TypeError, ValueError, RuntimeError) as error:
            raise UnreadableError(str(getattr(error, "error_string", error)).rstrip(".")) from error
        stack.enter_context(source)
        if source.format == "FLAC" and not 0 < source.frames < _UNKNOWN_FRAMES:
            raise UnreadableError(
                "it was streamed, its header tells no length"
            )  # it opens it and fails at the end
        known = source.subtype not in _ESTIMATED and 0 < source.frames < _UNKNOWN_FRAMES
        yield Stream(
            source.samplerate,
            source.channels,
            _kind(source),
            source.frames if known else None,
            _blocks(shown, source, check),
        )


def _blocks(shown: str, source: Any, check: Check) -> Iterator[Block]:
    import soundfile  # noqa: PLC0415

    frames = max(_LEAST_FRAMES, _BLOCK_VALUES // max(1, source.channels))
    while True:
        check()
        try:
            block = source.read(frames, dtype="float32", always_2d=True)
        except (soundfile.LibsndfileError, RuntimeError) as error:
            said = getattr(error, "error_string", "") or "its data makes no sense"
            raise AudioError(shown, f"damaged: {said}", "take another copy of it") from error
        if not len(block):
            return
        yield block


def _kind(source: Any) -> str:
    plain = (source.format, source.subtype) == ("WAV", "PCM_16")
    return "" if plain else f" ({source.format} {source.subtype})"
