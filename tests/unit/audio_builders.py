"""Recordings whose place and likeness can be told again after they went through the conversion."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from orchestrator.audio import PreparedAudio

RATE_HZ = 16_000
Samples = npt.NDArray[np.float64]


def speech(seconds: float = 2.0, rate_hz: int = RATE_HZ, seed: int = 1) -> Samples:
    """Return bursts of noise: something whose place and likeness can be told."""
    chance = np.random.default_rng(seed)
    count = int(seconds * rate_hz)
    swell = np.abs(np.sin(np.arange(count) / rate_hz * 7)) ** 3
    return 0.3 * chance.uniform(-1, 1, count) * swell


def heard(prepared: PreparedAudio) -> Samples:
    samples, rate_hz = soundfile.read(prepared.audio.path)
    assert rate_hz == RATE_HZ
    assert len(samples) == prepared.audio.samples
    return np.asarray(samples)


def likeness(one: Samples, other: Samples) -> float:
    count = min(len(one), len(other))
    return float(np.corrcoef(one[:count], other[:count])[0, 1])


needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")


def ffmpeg(*arguments: object) -> None:
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", *map(str, arguments)]
    subprocess.run(command, check=True, timeout=100)
