"""Check the samples: whether the audio exists, its length, its reference text, and whether it is ours as shipped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from orchestrator.audio.preparation import wav_header_of
from orchestrator.config.types import Sample
from orchestrator.doctor.finding import Finding
from orchestrator.errors import AudioError, EngineUnavailableError
from orchestrator.experiments.storage.file_hashes import sha256_of
from orchestrator.experiments.storage.sample_state import sample_state

_LARGEST_HASHED_BYTES = 16 * 1024 * 1024


def look_at_samples(samples: Iterable[Sample], templates: Mapping[Path, Path]) -> list[Finding]:
    """Return a finding for each sample. ``templates`` says which missing files `orchestrator init` would write."""
    return [_sample(sample, templates) for sample in samples]


def _sample(sample: Sample, templates: Mapping[Path, Path]) -> Finding:
    written = templates.get(Path(sample.audio))
    audio = Path(sample.audio)
    if not audio.exists() and written is not None:
        audio = written
    try:
        size = audio.stat().st_size
        with open(audio, "rb"):
            pass
    except OSError as error:
        said = "is not there" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}"
        hint = f"put a recording there, or name another under samples.{sample.name}"
        return Finding("samples", sample.name, "problem", f"{audio} {said}", hint)
    if size == 0:
        return Finding("samples", sample.name, "problem", f"{audio} is empty", "put a recording there")
    state = _state(audio, size)
    found = f"{audio}, {_length(audio)}, {state}"
    facts = {
        "path": str(audio),
        "size_bytes": size,
        "state": state,
        "reference": sample.reference is not None,
    }
    if sample.reference is None and written is None:
        found += "; no reference text, so no word error rate, and nothing to align"
        hint = f"write what is said into {sample.reference_file}" if sample.reference_file else ""
        return Finding("samples", sample.name, "note", found, hint, facts)
    return Finding("samples", sample.name, "ok", found, facts=facts)


def _state(audio: Path, size: int) -> str:
    if size > _LARGEST_HASHED_BYTES:
        return "user's own"
    return sample_state(audio, sha256_of(audio))


def _length(audio: Path) -> str:
    """Return the length as the header tells it. Whether it decodes is checked when a run begins."""
    try:
        header = wav_header_of(audio)
    except (AudioError, EngineUnavailableError):
        header = None
    if header is None or not header.rate_hz:
        return "of a kind that is converted first"
    return f"{header.frames / header.rate_hz:.1f} s at {header.rate_hz} Hz"
