"""Read the 16 kHz mono PCM that the parent prepared. Standard library only."""

from __future__ import annotations

import array
import sys
import wave

from orchestrator_worker.protocol import Audio


def read_int16(audio: Audio) -> bytes:
    """Return the samples as little-endian signed 16-bit bytes (2 bytes a sample)."""
    if audio.encoding == "wav":
        with wave.open(audio.path, "rb") as file:
            return file.readframes(file.getnframes())
    with open(audio.path, "rb", buffering=0) as file:
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
        with open(audio.path, "rb", buffering=0) as file:
            floats = array.array("f", file.read(audio.samples * 4))
        if sys.byteorder == "big":
            floats.byteswap()
        return floats
    ints = array.array("h", read_int16(audio))
    if sys.byteorder == "big":
        ints.byteswap()
    return array.array("f", (value / 32768 for value in ints))
