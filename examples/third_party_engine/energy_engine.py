"""A third-party engine: tells speech from silence by the energy of frames."""

from __future__ import annotations

import array
import math
from collections.abc import Mapping
from typing import Any

from orchestrator_worker.audio import read_float32
from orchestrator_worker.engines.base import Emit, Engine, EngineError, JobCancelledError
from orchestrator_worker.protocol import Job, ModelSpec
from orchestrator_worker.results import Plain

DEFAULTS = {"frame_ms": 30, "threshold_db": -40}


class EnergyEngine(Engine):
    """Answers ``speech`` jobs with ``[[start_ms, end_ms], ...]``, the stretches that are not silent."""

    name = "energy"
    tasks = ("speech",)
    summary = "tells speech from silence by energy"
    aborts = True

    def load(self, model: ModelSpec) -> Mapping[str, Any]:
        """Take the options. A real engine would import its library here and load its weights."""
        unknown = model.options.keys() - DEFAULTS.keys()
        if unknown:
            raise EngineError(f"energy has no option {min(unknown)!r}, only {', '.join(DEFAULTS)}")
        self._options = DEFAULTS | model.options
        return self._options

    def run(self, job: Job, emit: Emit) -> Plain:
        """Walk over the audio and join neighbouring loud frames."""
        if job.audio is None:
            raise EngineError("a speech job needs audio")
        samples, frame_ms = read_float32(job.audio), int(self._options["frame_ms"])
        frame = job.audio.sample_rate * frame_ms // 1000
        stretches: list[list[int]] = []
        for index in range(len(samples) // frame):
            if emit.cancelled:
                raise JobCancelledError("stopped between two frames")
            if loudness_db(samples[index * frame : (index + 1) * frame]) < self._options["threshold_db"]:
                continue
            start_ms = index * frame_ms
            joins = stretches and stretches[-1][1] == start_ms
            stretches.append([stretches.pop()[0] if joins else start_ms, start_ms + frame_ms])
        return Plain(stretches)

    def unload(self) -> None:
        """Nothing is held."""


def loudness_db(samples: array.array[float]) -> float:
    """Return the level in decibels relative to full scale; silence is -infinity."""
    power = sum(sample * sample for sample in samples) / len(samples)
    return 10 * math.log10(power) if power else -math.inf
