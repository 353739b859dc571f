"""``orchestrator transcribe`` killed, interrupted, fed from a pipe: nothing that was done is done again."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from lab import Lab, experiment, synthetic, wait_until

PIECES = 60
KILLS = 20
PIECE_S = 0.5
SEED = 20261129
COMMAND = f"""
import os, signal, sys
from orchestrator.pipeline import recording
from orchestrator.pipeline.recording import Recording

def cut(self, longest_s=0, check=None):
    self.cut_so_far = []
    for start in range(0, self.duration_ms, {int(PIECE_S * 1000)}):
        end = min(start + {int(PIECE_S * 1000)}, self.duration_ms)
        self.cut_so_far.append((start, end))
        yield self.part(start, end)

Recording.cut = cut
from orchestrator.cli import main
main()
"""


@pytest.fixture
def prepared(lab: Lab) -> Lab:
    models = {"asr-small": synthetic(text="heard {digest}."), "aligner": {"engine": "synthetic"}}
    lab.write(
        experiment("any", steps=[{"task": "asr", "model": "asr-small", "sample": "tone"}]), models=models
    )
    samples = np.random.default_rng(1).integers(-3000, 3000, int(16_000 * PIECES * PIECE_S)).astype(np.int16)
    soundfile.write(lab.folder / "talk.wav", samples, 16_000)
    return lab


class Kept:
    """The lab's own cache, and the command in it with pieces of half a second."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.cache = lab.folder / "cache"

    def environment(self) -> dict[str, str]:
        return self.lab.environment({"XDG_CACHE_HOME": str(self.cache)})

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-W", "error", "-c", COMMAND, "transcribe", *arguments, "--profile", "lab"]

    def run(self, *arguments: str, stdin: Any = subprocess.DEVNULL) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            self.command(*arguments),
            cwd=self.lab.folder,
            env=self.environment(),
            stdin=stdin,
            capture_output=True,
            timeout=100,
        )

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.lab.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def lines(self) -> list[str]:
        """Return the jobs that are kept, one line each."""
        folder = self.cache / "orchestrator" / "unfinished"
        return [
            line for file in folder.glob("*.jsonl") for line in file.read_bytes().decode().split("\n")[:-1]
        ]


@pytest.mark.timeout(900)
def test_killed_at_twenty_moments_the_file_is_that_of_an_undisturbed_run(prepared: Lab) -> None:
    """A kill is aimed at a number of kept jobs; if the machine is quicker than that, it hits later, or the end."""
    kept, name = Kept(prepared), "talk.json"
    assert kept.run("talk.wav", "--out", f"undisturbed-{name}", "-q").returncode == 0
    chance = random.Random(SEED)
    jobs = 2 * PIECES
    for _ in range(KILLS):
        target = len(kept.lines()) + chance.randint(0, 2 * jobs // KILLS)
        process = kept.start("talk.wav", "--out", name, "-q", "--workers", "2")
        with process:
            wait_until(
                lambda target=target, process=process: (
                    len(kept.lines()) >= target or process.poll() is not None
                ),
                what=f"{target} jobs",
            )
            process.kill()
        done = [json.loads(line)["job"] for line in kept.lines()]
        assert len(done) == len(set(done)), "a job that was kept was done again"
    finished = kept.run("talk.wav", "--out", name, "-q")
    assert finished.returncode == 0, finished.stderr.decode()
    assert (prepared.folder / name).read_bytes() == (prepared.folder / f"undisturbed-{name}").read_bytes()
    assert not list(prepared.folder.glob("*.partial"))
    assert kept.lines() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_the_text_so_far_stands_beside_its_place(prepared: Lab, number: int) -> None:
    kept = Kept(prepared)
    prepared.write(
        experiment("any", steps=[{"task": "asr", "model": "asr-small", "sample": "tone"}]),
        models={
            "asr-small": synthetic(text="heard {digest}.", job_ms=100),
            "aligner": {"engine": "synthetic"},
        },
    )
    partial = prepared.folder / "talk.txt.partial"
    with kept.start("talk.wav", "--out", "talk.txt", "--workers", "1") as process:
        wait_until(partial.exists, what="the growing file")
        process.send_signal(number)
        assert process.stderr is not None
        said = process.stderr.read().decode()
    assert process.returncode == 130
    assert "the same command goes on" in said
    assert partial.read_text().startswith("heard ")
    assert not (prepared.folder / "talk.txt").exists()
    before = len(kept.lines())
    assert before >= 1
    done = kept.run("talk.wav", "--out", "talk.txt", "--workers", "1")
    assert done.returncode == 0
    assert f"going on where it stood, {before} job" in done.stderr.decode()
    assert not partial.exists()
    assert len((prepared.folder / "talk.txt").read_text().splitlines()) == PIECES


def test_other_settings_and_another_recording_begin_anew(prepared: Lab) -> None:
    kept = Kept(prepared)
    with kept.start("talk.wav", "--out", "talk.txt", "-q") as process:
        wait_until(lambda: len(kept.lines()) >= 3 or process.poll() is not None, what="some jobs")
        process.kill()
    assert "going on" not in kept.run("talk.wav", "--language", "French").stderr.decode()
    samples = np.zeros(16_000, dtype=np.int16)
    soundfile.write(prepared.folder / "talk.wav", samples, 16_000)
    assert "going on" not in kept.run("talk.wav").stderr.decode()


def test_what_is_kept_is_private_and_no_cache_keeps_nothing(prepared: Lab) -> None:
    kept = Kept(prepared)
    soundfile.write(prepared.folder / "stereo.wav", np.zeros((16_000, 2)), 16_000)
    done = kept.run("stereo.wav", "--no-cache")
    assert done.returncode == 0, done.stderr.decode()
    assert [path for path in kept.cache.rglob("*") if path.is_file()] == []
    assert kept.run("stereo.wav").returncode == 0
    copies = [path for path in kept.cache.rglob("*") if path.is_file()]
    assert copies
    assert {path.stat().st_mode & 0o777 for path in copies} == {0o600}
    assert all(path.parent.stat().st_mode & 0o777 == 0o700 for path in copies)


def test_a_recording_comes_from_standard_input(prepared: Lab) -> None:
    kept = Kept(prepared)
    expected = kept.run("talk.wav").stdout
    with open(prepared.folder / "talk.wav", "rb") as talk:
        done = kept.run("-", stdin=talk)
    assert (done.returncode, done.stdout) == (0, expected), done.stderr.decode()
    with open(prepared.folder / "talk.wav", "rb") as talk:
        done = kept.run("-", "--out", "texts", "-f", "json", stdin=talk)
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads((prepared.folder / "texts/stdin.json").read_text())["source"] == "stdin"
    assert [path.name for path in kept.cache.rglob("*") if path.name.startswith(".")] == []


@pytest.mark.parametrize("arguments", [("-",), ("-", "-")])
def test_no_recording_on_standard_input_is_one_sentence(prepared: Lab, arguments: tuple[str, ...]) -> None:
    done = Kept(prepared).run(*arguments)
    assert done.returncode == 2
    assert "standard input" in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()


@pytest.mark.parametrize("command", ["transcribe", "align", "batch"])
def test_a_url_is_refused_with_a_sentence_of_its_own(prepared: Lab, command: str) -> None:
    url = "https://example.org/talk.mp3"
    more = {"transcribe": ["tone.wav"], "align": ["--text", "a"], "batch": ["--out", "out"]}[command]
    done = prepared.run(command, url, *more, "--profile", "lab")
    assert done.code == 2
    assert f"{url} is a URL" in " ".join(done.err.replace("│", " ").split()).replace(
        ": is a URL", " is a URL"
    )
    assert done.out == ""


def test_a_folder_called_like_a_scheme_is_a_folder(prepared: Lab) -> None:
    place = prepared.folder / "http:" / "x"
    place.mkdir(parents=True)
    Path(prepared.folder / "tone.wav").rename(place / "a.wav")
    assert prepared.run("transcribe", "http:/x/a.wav", "--profile", "lab").code == 0
