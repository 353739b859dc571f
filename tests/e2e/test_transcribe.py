"""``orchestrator transcribe`` and ``align`` as a user runs them."""

from __future__ import annotations

import json
import os
import shutil

import pytest
from lab import Finished, Lab, experiment, synthetic, write_tone

STEPS = [{"task": "asr", "model": "asr-small", "sample": "tone"}]


@pytest.fixture
def prepared(lab: Lab) -> Lab:
    models = {"asr-small": synthetic(text="one two. Three four!"), "aligner": {"engine": "synthetic"}}
    lab.write(experiment("any", steps=STEPS), models=models)
    return lab


def transcribe(lab: Lab, *arguments: str) -> Finished:
    return lab.run("transcribe", *arguments, "--profile", "lab", "--workers", "1")


def test_text_goes_to_stdout_and_nothing_else(prepared: Lab) -> None:
    done = transcribe(prepared, "tone.wav")
    assert (done.code, done.out, done.err) == (0, "one two. Three four!\n", "")


def test_several_files_are_told_apart(prepared: Lab) -> None:
    write_tone(prepared.folder / "other.wav", seconds=0.2)
    done = transcribe(prepared, "tone.wav", "other.wav")
    assert done.out == "# tone.wav\none two. Three four!\n\n# other.wav\none two. Three four!\n\n"
    lines = transcribe(prepared, "tone.wav", "other.wav", "-f", "json").out.splitlines()
    assert [json.loads(line)["source"] for line in lines] == ["tone.wav", "other.wav"]


def test_the_format_is_that_of_the_outputs_ending(prepared: Lab) -> None:
    done = transcribe(prepared, "tone.wav", "--out", "talk.srt")
    assert done.code == 0
    assert done.out == ""
    assert (prepared.folder / "talk.srt").read_text().startswith("1\n00:00:00,000 --> ")


def test_a_folder_gets_a_file_for_each(prepared: Lab) -> None:
    (prepared.folder / "deep").mkdir()
    write_tone(prepared.folder / "deep/tone.wav", seconds=0.2)
    done = transcribe(prepared, "tone.wav", "deep/tone.wav", "--out", "texts", "-f", "vtt")
    assert done.code == 0
    found = sorted(str(path.relative_to(prepared.folder)) for path in prepared.folder.rglob("*.vtt"))
    assert len(found) == 2


def test_a_file_that_fails_is_named_and_the_others_go_on(prepared: Lab) -> None:
    done = transcribe(prepared, "missing.wav", "tone.wav")
    assert done.code == 1
    assert "one two." in done.out
    assert done.err.startswith("missing.wav: there is no such file")
    assert done.log[-1] == "1 of 2 failed"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("tone.wav", "tone.wav", "-f", "srt"), "need --out FOLDER"),
        (("tone.wav", "--out", "text.doc"), "say --format"),
        (("tone.wav", "--model", "larger"), "it has asr-small, aligner"),
        (("tone.wav", "--memory-budget", "lots"), "--memory-budget: 'lots' is no size"),
        (("tone.wav", "--out", "tone.txt/below/text.srt"), "a file stands where a folder is needed"),
        (("tone.wav", "--out", "/proc/here/text.srt"), "choose another --out"),
    ],
)
def test_wrong_use_is_said(prepared: Lab, arguments: tuple[str, ...], words: str) -> None:
    done = transcribe(prepared, *arguments)
    assert done.code in {2, 3}
    assert words in " ".join(done.err.replace("│", " ").split())


def test_chinese_is_written_as_in_taiwan_with_numbers_in_digits(lab: Lab) -> None:
    models = {"asr-small": synthetic(text="软件的电话是零九零零零七三三三一")}
    lab.write(experiment("any", steps=STEPS), models=models)
    assert transcribe(lab, "tone.wav", "--language", "Chinese").out == "軟體的電話是0900073331\n"
    plain = transcribe(lab, "tone.wav", "--language", "Chinese", "--chinese", "off")
    assert plain.out == "软件的电话是零九零零零七三三三一\n"


def test_aligning_gives_every_word_its_time(prepared: Lab) -> None:
    done = prepared.run("align", "tone.wav", "--text", "one  two\nthree", "--profile", "lab")
    document = json.loads(done.out)
    assert done.code == 0
    assert [word["text"] for word in document["words"]] == ["one", "two", "three"]
    assert document["words"][-1]["end_ms"] <= document["duration_ms"]


def test_the_text_may_come_from_a_file(prepared: Lab) -> None:
    (prepared.folder / "said.txt").write_text("one two")
    done = prepared.run("align", "tone.wav", "--text-file", "said.txt", "--profile", "lab", "-f", "tsv")
    assert done.out.splitlines()[0] == "start\tend\ttext"
    assert done.out.splitlines()[1].endswith("one two")


@pytest.mark.parametrize(
    ("content", "said"), [(None, "No such file or directory"), (b"caf\xe9", "byte 3 is not UTF-8")]
)
def test_a_text_file_that_cannot_be_read_is_said_once(
    prepared: Lab, content: bytes | None, said: str
) -> None:
    if content is not None:
        (prepared.folder / "text.bin").write_bytes(content)
    done = prepared.run("align", "tone.wav", "--text-file", "text.bin", "--profile", "lab")
    assert done.code == 2
    assert said in done.err
    assert done.err.count("text.bin") == 1


@pytest.mark.parametrize("arguments", [(), ("--text", "  "), ("--text", "a", "--text-file", "b")])
def test_aligning_needs_one_text(prepared: Lab, arguments: tuple[str, ...]) -> None:
    done = prepared.run("align", "tone.wav", "--profile", "lab", *arguments)
    assert done.code == 2
    assert "text" in done.err


def test_a_file_may_be_called_anything(prepared: Lab) -> None:
    names = [b"-dash.wav", b"new\nline.wav", b"$(touch pwned) 'and\".wav", b"\x1b[31mred.wav", b"bad\xff.wav"]
    for name in names:
        shutil.copy(prepared.folder / "tone.wav", prepared.folder / os.fsdecode(name))
    arguments = ["-q", "--profile", "lab", "--", *map(os.fsdecode, names)]
    done = prepared.run("transcribe", *arguments)
    assert done.code == 0, done.err
    heads = [line for line in done.out.splitlines() if line.startswith("# ")]
    assert heads == [
        "# -dash.wav",
        "# new\\nline.wav",
        "# $(touch pwned) 'and\".wav",
        "# \\x1b[31mred.wav",
        "# bad\\udcff.wav",
    ]
    assert not (prepared.folder / "pwned").exists()
    lines = prepared.run("transcribe", "-f", "json", *arguments).out.splitlines()
    assert [json.loads(line)["source"] for line in lines][-1].startswith("bad")
    assert len(lines) == len(names)


def test_an_engine_that_is_missing_is_said_once(prepared: Lab) -> None:
    models = {"asr-small": {"engine": "chatllm", "file": "none.bin"}, "aligner": {"engine": "synthetic"}}
    prepared.write(experiment("any", steps=STEPS), models=models)
    write_tone(prepared.folder / "other.wav", seconds=0.2)
    done = transcribe(prepared, "tone.wav", "other.wav")
    assert done.code == 3
    assert done.err.count("none.bin is not there") == 1
