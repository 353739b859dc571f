"""What stands in other people's files and models reaches no terminal as something that it obeys."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from lab import PATIENCE_S, Lab, experiment, synthetic

from orchestrator.cli.streams import visible

EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31mred\x08\x7f \u202edlrow\u2066 \r gone"
SHOWN = "\\x1b]0;owned\\x07"
FORBIDDEN = ["\x1b]0;", "\x1b[2J", "\x9b", "\x08", "\x7f", "\u202e", "\u2066", "\r gone"]
"""None of them is a code that rich makes for our own views."""
CASES = {
    "the header of a CSV file": ["analyze", "evil.csv"],
    "a file that is not there": ["analyze", f"{EVIL}.csv"],
    "a wrong option": ["analyze", f"--{EVIL}"],
    "the text of a model": ["transcribe", "tone.wav", "--profile", "lab", "--workers", "1"],
    "the words of an alignment": ["align", "tone.wav", "--text", EVIL, "--profile", "lab"],
    "a title, in a run": ["run", "--profile", "lab", "--results", "again"],
    "a title, before a run": ["run", "--profile", "lab", "--dry-run"],
    "a run that is compared": ["compare", "results/any.json", "results/any.json"],
    "a result file that is analyzed": ["analyze", "results"],
    "what a plan is made from": ["plan", "results"],
    "a damaged manifest": ["report", "damaged"],
    "a recording of a batch": ["batch", "evil.txt", "--out", "out", "--profile", "lab", "--workers", "1"],
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    lab = Lab(tmp_path_factory.mktemp("escapes"))
    models = {"asr-small": {**synthetic(text=EVIL), "label": EVIL}, "aligner": {"engine": "synthetic"}}
    step = {"task": "asr", "model": "asr-small", "sample": "tone"}
    lab.write(
        experiment("any", "recreate", "recycle", steps=[step], title=EVIL, output="any.json"), models=models
    )
    done = lab.run("run", "-q", "--profile", "lab")
    assert done.code == 0, done.err
    rows = "".join(f"{number},{100 + number % 3}\n" for number in range(40))
    (lab.folder / "evil.csv").write_text(f"iteration,{EVIL} rss_mb\n" + rows, newline="")
    (lab.folder / "evil.txt").write_text(f"missing{EVIL}.wav".replace("\r", ""))
    runs = sorted((lab.results / "runs").iterdir())
    shutil.copytree(runs[-1], lab.folder / "damaged")
    manifest = json.loads((lab.folder / "damaged/manifest.json").read_text())
    (lab.folder / "damaged/manifest.json").write_text(json.dumps({**manifest, "state": EVIL}))
    return lab


def on_a_terminal(lab: Lab, arguments: list[str]) -> str:
    """Run a command with a terminal at its standard streams; return everything that the terminal got."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "orchestrator", *arguments],
        cwd=lab.folder,
        env=lab.environment({"TERM": "xterm", "COLUMNS": "400"}),
        stdin=follower,
        stdout=follower,
        stderr=follower,
    )
    os.close(follower)
    got = bytearray()
    until = time.monotonic() + PATIENCE_S
    try:
        while time.monotonic() < until:
            if not select.select([leader], [], [], 1.0)[0]:
                continue
            try:
                block = os.read(leader, 1 << 16)
            except OSError:  # EIO: the last process on the terminal has gone
                break
            if not block:
                break
            got += block
    finally:
        process.kill()
        process.wait(PATIENCE_S)
        os.close(leader)
    return got.decode(errors="replace").replace("\r\n", "\n")


@pytest.mark.parametrize("name", CASES)
def test_a_terminal_obeys_nobody_but_us(place: Lab, name: str) -> None:
    got = on_a_terminal(place, CASES[name])
    assert got.strip()
    assert "Traceback" not in got
    assert not [code for code in FORBIDDEN if code in got], ascii(got)


@pytest.mark.parametrize("name", ["a file that is not there", "the text of a model", "a damaged manifest"])
def test_what_is_not_obeyed_is_shown(place: Lab, name: str) -> None:
    assert SHOWN in on_a_terminal(place, CASES[name])


def test_a_file_gets_the_text_as_it_is(place: Lab) -> None:
    done = place.run("transcribe", "tone.wav", "--profile", "lab", "--workers", "1", "--chinese", "off")
    assert "\x1b" in done.out


@pytest.mark.parametrize(
    "text", ["Größe 零九 𝄞", "a\tb\nc\r\n", "שלום‎ עולם", "می\u200cخواهم", "👩\u200d💻", "한국어", ""]
)
def test_what_people_write_stays(text: str) -> None:
    assert visible(text) == text


def test_every_other_character_of_control_is_shown() -> None:
    controls = [chr(code) for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n"]
    assert visible("".join(controls)).isprintable()
    assert visible(f"{Path('a')}\x1b") == "a\\x1b"
