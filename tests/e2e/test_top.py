"""``top`` looks into a ``transcribe`` that runs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from lab import Lab, experiment, synthetic, write_tone

from short_paths import new_short_folder

STEPS = [{"task": "asr", "model": "asr-small", "sample": "tone"}]


def test_top_sees_the_file_that_is_transcribed(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tone(lab.folder / "second.wav", seconds=0.2)
    models = {"asr-small": synthetic(text="one two", job_ms=600_000), "aligner": synthetic()}
    lab.write(experiment("any", steps=STEPS), models=models)
    with new_short_folder() as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
        command = (
            "tone.wav",
            "second.wav",
            "--profile",
            "lab",
            "--workers",
            "1",
            "--memory-budget",
            "400MiB",
        )
        process = lab.start("transcribe", *command)
        try:
            seen = look(lab, process.pid)
        finally:
            process.terminate()
            process.wait(60)
    assert seen["title"] == "orchestrator transcribe"
    assert seen["budget_bytes"] == 400 * 1024**2
    assert [Path(file["path"]).name for file in seen["work"]["files"]] == ["tone.wav"]
    assert (seen["work"]["done"], seen["work"]["total"]) == (0, 2)


def look(lab: Lab, pid: int) -> dict[str, Any]:
    """Look until the file is seen; each look waits for the pool by itself."""
    while True:
        done = lab.run("top", str(pid), "--once", "--json", "--wait", "60", env=dict(os.environ))
        assert done.code == 0, done.err
        seen: dict[str, Any] = json.loads(done.out)
        if seen["work"]["files"]:
            return seen
