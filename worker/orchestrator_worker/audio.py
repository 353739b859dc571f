"""Read the 16 kHz mono PCM that the parent prepared. Standard library only."""

from __future__ import annotations

import array
import io
import os
import sys
import wave

from orchestrator_worker.protocol import Audio

_PASSED = "/proc/self/fd/"


def passed_path(descriptor: int) -> str:
    """Return the path that an audio's has which is read from a descriptor of this process."""
    return f"{_PASSED}{descriptor}"


def open_audio(path: str) -> io.FileIO:
    """Open what an :class:`~orchestrator_worker.protocol.Audio` names, at its beginning.

    Where that is a descriptor of ours it is used as it is: a confined worker may have it and not open its file.

    Raises:
        OSError: It cannot be opened.
    """
    if not path.startswith(_PASSED):
        return io.FileIO(path)
    file = io.FileIO(os.dup(int(path.removeprefix(_PASSED))))
    file.seek(0)
    return file


def read_int16(audio: Audio) -> bytes:
    """Return the samples as little-endian signed 16-bit bytes (2 bytes a sample)."""
    if audio.encoding == "wav":
        with open_audio(audio.path) as whole, wave.open(whole, "rb") as file:
            return file.readframes(file.getnframes())
    with open_audio(audio.path) as file:
        raw = file.read(audio.samples * (2 if audio.encoding == "s16le" else 4))
    if audio.encoding == "s16le":
        return raw
    floats = array.array("f", raw)
    if sys.byteorder == "big":
        floats.byteswap()
    clipped = array.array("h", (max(-32768, min(32767, round(value * 32768))) for value in floats))
    if sys.byteorder == "big":
        clipped.byteswap()
    return clipped.tobytes()


def read_float32(audio: Audio) -> array.array[float]:
    """Return the samples as floats in [-1, 1), one array item a sample."""
    if audio.encoding == "f32le":
        with open_audio(audio.path) as file:
            floats = array.array("f", file.read(audio.samples * 4))
        if sys.byteorder == "big":
            floats.byteswap()
        return floats
    ints = array.array("h", read_int16(audio))
    if sys.byteorder == "big":
        ints.byteswap()
    return array.array("f", (value / 32768 for value in ints))
