"""``orchestrator serve`` with real engines: Moonshine hears, PocketSphinx places words; as ``transcribe`` does."""

from __future__ import annotations

import importlib.util
import json
import wave
from pathlib import Path

import httpx
import pytest
from lab import PATIENCE_S, Lab
from serving_process import SAMPLES, serving

pytestmark = [
    pytest.mark.engines,
    pytest.mark.skipif(
        not (importlib.util.find_spec("moonshine_voice") and importlib.util.find_spec("pocketsphinx")),
        reason="needs the packages of the extra 'embedded'",
    ),
]
EMBEDDED = {
    "asr-small": {"engine": "moonshine"},
    "aligner": {"engine": "pocketsphinx", "options": {"lm": False}},
}
REPEATS = 8


def write_long(path: Path) -> None:
    """Write the sample again and again, with pauses: longer than an engine gets at once."""
    with wave.open(str(SAMPLES / "jfk.wav"), "rb") as sample:
        settings, frames = sample.getparams(), sample.readframes(sample.getnframes())
    pause = bytes(settings.framerate * settings.sampwidth * settings.nchannels)
    with wave.open(str(path), "wb") as file:
        file.setparams(settings)
        for _ in range(REPEATS):
            file.writeframes(frames + pause)


def test_a_recording_gives_what_transcribe_gives_short_or_long(lab: Lab) -> None:
    write_long(lab.folder / "long.wav")
    with serving(lab, models=EMBEDDED, keep_warm=["asr-small"]) as server:
        short = server.transcribe(
            SAMPLES / "jfk.wav", response_format="verbose_json", **{"timestamp_granularities[]": "word"}
        ).json()
        assert "ask not what your country" in short["text"].lower()
        words = [word["word"].strip(".,").lower() for word in short["words"]]
        assert "country" in words
        starts = [word["start"] for word in short["words"]]
        assert starts == sorted(starts)
        answer = server.transcribe(lab.folder / "long.wav", response_format="verbose_json").json()
        assert len(answer["segments"]) > 1, "it was cut where nobody speaks"
        streamed = server.transcribe(lab.folder / "long.wav", stream="true").text
        assert server.pool()["slots"][0]["worker"]["model"] in EMBEDDED
    command = (
        "transcribe",
        "long.wav",
        "--profile",
        "lab",
        "--workers",
        "1",
        "-f",
        "json",
        "--no-align",
        "-q",
    )
    told = json.loads(lab.run(*command).out)
    assert answer["text"] == told["text"]
    deltas = [
        json.loads(line.removeprefix("data: "))["delta"]
        for line in streamed.splitlines()
        if line.startswith("data: ") and '"delta"' in line
    ]
    assert "".join(deltas) == told["text"]


def test_a_language_that_the_model_does_not_speak_is_said(lab: Lab) -> None:
    with serving(lab, models=EMBEDDED) as server:
        answer = server.transcribe(language="fr")
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "language")


@pytest.mark.parametrize(
    ("path", "fields", "code"),
    [
        ("align", {"text": "ask not", "model": "asr-small"}, "unsupported_task"),
        ("align", {"text": "ask not", "language": "zh"}, "invalid_language"),
        ("audio/transcriptions", {"model": "aligner"}, "unsupported_task"),
    ],
    ids=["it cannot align", "it does not speak that", "it only aligns"],
)
def test_what_a_model_does_not_do_is_said(lab: Lab, path: str, fields: dict[str, str], code: str) -> None:
    with serving(lab, models=EMBEDDED) as server, open(SAMPLES / "jfk.wav", "rb") as recording:
        answer = httpx.post(
            f"{server.url}/v1/{path}", files={"file": recording}, data=fields, timeout=PATIENCE_S
        )
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
