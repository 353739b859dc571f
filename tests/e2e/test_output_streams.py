"""Every command on an output that cannot be written, that nobody reads, or that lacks our characters."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from tempfile import mkdtemp

import pytest
from lab import PATIENCE_S, Lab, experiment, synthetic

from orchestrator.cli.command_table import SUMMARIES

SPOKEN = "Größe 零九 𝄞"
"""Latin letters, Chinese, and a character beyond the first 65,536."""
FRESH = "a new folder"
CASES = {
    "run": ["run", "--profile", "lab", "--dry-run", "again.toml"],
    "run --json": ["run", "--profile", "lab", "--json", "again.toml", "--results", "again"],
    "analyze": ["analyze", "measured.csv"],
    "analyze --json": ["analyze", "--json", "measured.csv"],
    "watch": ["watch", str(os.getpid()), "--every", "0.01", "--for", "0.1"],
    "compare": ["compare", "results", "results"],
    "compare --json": ["compare", "--json", "results", "results"],
    "report": ["report", "results"],
    "export": ["export", "results", "--to", "exported.csv", "--force"],
    "plan": ["plan", "results"],
    "plan --json": ["plan", "--json", "results"],
    "doctor": ["doctor", "--profile", "lab"],
    "doctor --json": ["doctor", "--profile", "lab", "--json"],
    "engines": ["engines"],
    "engines --json": ["engines", "--json"],
    "schema": ["schema"],
    "version": ["version"],
    "version --json": ["version", "--json"],
    "init": ["init", FRESH],
    "transcribe": ["transcribe", "tone.wav", "--profile", "lab", "--workers", "1"],
    "transcribe --format json": [
        "transcribe",
        "tone.wav",
        "--profile",
        "lab",
        "--workers",
        "1",
        "-f",
        "json",
    ],
    "align": ["align", "tone.wav", "--text", SPOKEN, "--profile", "lab"],
    "subtitles": ["subtitles", "talk.json", "--format", "srt"],
    "batch --json": ["batch", "tone.wav", "--out", "out", "--profile", "lab", "--workers", "1", "--json"],
    "--version": ["--version"],
    "--help": ["--help"],
}
NOT_BY_ITSELF = {
    "locate": "traces for seconds; its --help is tried, and test_locate_command reads what it prints",
    "calibrate": "takes minutes; its --help is tried, and it prints by the same Screen as analyze",
    "serve": "runs until a signal; its --help is tried, and test_serve_lifecycle ends its log's reader",
    "top": "needs a pool that can be looked into; its --help is tried, and test_pool_inspection runs the view",
}
HELPS = {f"{name} --help": [name, "--help"] for name in SUMMARIES}
KEPT_FOR_LATER = {"run", "transcribe", "align", "batch"}
"""Commands that tell, when their output goes, what has become of what was done."""
ASCII = {
    "LC_ALL": "C",
    "LANG": "C",
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
    "PYTHONIOENCODING": "ascii",
}
ENCODINGS = {
    "PYTHONIOENCODING": ASCII,
    "LANG=C": {**ASCII, "PYTHONIOENCODING": ""},
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A folder in which every case has something to say. Cases only add to it."""
    lab = Lab(tmp_path_factory.mktemp("streams"))
    (lab.folder / "tone.txt").write_text(SPOKEN, encoding="utf-8")
    models = {"asr-small": synthetic(text=SPOKEN), "aligner": {"engine": "synthetic"}}
    step = {"task": "asr", "model": "asr-small", "sample": "tone"}
    lab.write(experiment("any", "recreate", "recycle", steps=[step], title=SPOKEN), models=models)
    done = lab.run("run", "-q")
    assert done.code == 0, done.err
    (lab.folder / "again.toml").write_bytes(lab.file.read_bytes())
    rows = "".join(f"{number},{100 + number % 3}\n" for number in range(40))
    (lab.folder / "measured.csv").write_text("iteration,rss_mb\n" + rows)
    segment = {"start_ms": 0, "end_ms": 900, "text": SPOKEN, "heard": SPOKEN}
    whole = {"language": None, "text": SPOKEN, "segments": [segment], "words": []}
    document = {"source": "tone.wav", "duration_ms": 1000, **whole}
    (lab.folder / "talk.json").write_text(json.dumps(document), encoding="utf-8")
    return lab


def run(
    lab: Lab, arguments: list[str], redirection: str, **environment: str
) -> subprocess.CompletedProcess[bytes]:
    """Run a command in a shell with its output redirected."""
    words = shlex.join([sys.executable, "-m", "orchestrator", *fresh(lab, arguments)])
    return subprocess.run(
        ["bash", "-c", f"{words} {redirection}"],
        cwd=lab.folder,
        env=lab.environment(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE_S,
    )


def fresh(lab: Lab, arguments: list[str]) -> list[str]:
    """Return the arguments with a new folder in the place of FRESH."""
    return [str(Path(mkdtemp(dir=lab.folder), "new")) if word == FRESH else word for word in arguments]


def test_every_command_has_its_case() -> None:
    assert {arguments[0] for arguments in CASES.values()} - {
        "--version",
        "--help",
    } | NOT_BY_ITSELF.keys() == (SUMMARIES.keys())


@pytest.mark.parametrize(
    ("name", "redirection"),
    [(name, where) for name in CASES for where in (">/dev/full", ">&-")]
    + [(name, ">/dev/full") for name in HELPS],
)
def test_an_output_that_cannot_be_written_is_one_sentence_and_exit_2(
    place: Lab, name: str, redirection: str
) -> None:
    done = run(place, (CASES | HELPS)[name], redirection, PYTHONIOENCODING="utf-8")
    told = done.stderr.decode().splitlines()
    assert done.returncode == 2, told
    why = "its disk is full" if "full" in redirection else "it is closed"
    assert f"the output cannot be written, {why}" in told[-1]
    assert not [line for line in told if "Traceback" in line or "Exception ignored" in line]
    assert sum("cannot be written" in line for line in told) == 1


@pytest.mark.parametrize("name", CASES)
def test_a_reader_who_has_left_is_no_error(place: Lab, name: str) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)  # before the start, so that it does not depend on who is faster
    words = [sys.executable, "-X", "dev", "-m", "orchestrator", *fresh(place, CASES[name])]
    done = subprocess.run(
        words,
        cwd=place.folder,
        env=place.environment(),
        stdin=subprocess.DEVNULL,
        stdout=write_end,
        stderr=subprocess.PIPE,
        timeout=PATIENCE_S,
    )
    os.close(write_end)
    told = done.stderr.decode()
    assert "Traceback" not in told
    assert "Exception ignored" not in told
    if "stopped: " in told:  # work that can be taken up again says so
        assert name.split(maxsplit=1)[0] in KEPT_FOR_LATER
        assert done.returncode == 130
    else:
        assert done.returncode == 141
        assert "orchestrator:" not in told


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("name", CASES)
def test_a_terminal_without_our_characters_gets_others(place: Lab, name: str, encoding: str) -> None:
    done = run(place, CASES[name], "", **ENCODINGS[encoding])
    told = done.stderr.decode("ascii")
    text = done.stdout.decode("ascii")
    assert done.returncode == 0, told
    assert "Traceback" not in told + text
    assert text


def test_json_reads_back_whole_from_an_ascii_output(place: Lab) -> None:
    words = ["transcribe", "tone.wav", "--profile", "lab", "--workers", "1", "-f", "json", "--chinese", "off"]
    done = run(place, words, "", **ASCII)
    assert json.loads(done.stdout.decode("ascii"))["text"] == SPOKEN
    text = run(place, words[:-4], "", **ASCII).stdout.decode("ascii")
    assert text.startswith("Gr??e ")


@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-"])
@pytest.mark.parametrize("name", ["analyze", "plan", "doctor", "transcribe", "schema"])
def test_a_standard_error_that_cannot_be_written(place: Lab, name: str, redirection: str) -> None:
    done = run(place, CASES[name], redirection, PYTHONIOENCODING="utf-8")
    assert done.returncode in {0, 2}
    assert done.stderr == b""
    assert b"Traceback" not in done.stdout
    if redirection == "2>&-":
        assert done.returncode == 0, "what is meant for nobody is no failure, and never lands in the data"


def test_wrong_usage_is_told_in_ascii_too(place: Lab) -> None:
    done = run(place, ["größer"], "", **ASCII)
    assert done.returncode == 2
    assert "No such command" in done.stderr.decode("ascii")


def test_an_unread_standard_input_may_be_closed(place: Lab) -> None:
    done = run(place, CASES["analyze"], "<&- 3<&-", PYTHONIOENCODING="utf-8")
    assert done.returncode == 0, done.stderr
    assert Path(place.folder / "measured.csv").name.encode() in done.stdout
