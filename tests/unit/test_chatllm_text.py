"""chatllm without its library: markers cut anywhere, times, command lines, texts, folders."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.process.engine_environment import default_threads, engine_defaults
from orchestrator_worker.engines.base import EngineError
from orchestrator_worker.engines.chatllm import audio as chatllm_audio
from orchestrator_worker.engines.chatllm.options import command_line, language_name, options_of, text_to_align
from orchestrator_worker.engines.chatllm.output import TranscriptText, as_srt, doubts_about, read_alignment
from orchestrator_worker.protocol import ModelSpec, Word


def heard(chunks: list[str]) -> tuple[str, str | None, list[str]]:
    text = TranscriptText()
    pieces = [text.add(chunk) for chunk in chunks]
    pieces.append(text.finish())
    return "".join(pieces), text.language, pieces


# ---------------------------------------------------------------------- transcripts


@pytest.mark.parametrize(
    ("chunks", "text", "language"),
    [
        (["language", " English", "<asr_text>", "And", " so"], "And so", "English"),
        (["<asr_text>", "And", " so"], "And so", None),
        (["And", " so"], "And so", None),
        (["<asr_text>", " And so ", "\n", "</asr_text>"], "And so", None),
        (["language None<asr_text>"], "", None),
        (["language", " English"], "", "English"),
        (["<asr_text>language English is spoken"], "language English is spoken", None),
        (["<asr_text>a < b, <as", " you like>"], "a < b, <as you like>", None),
        (["languages are many"], "languages are many", None),
        (["language learning " * 5], ("language learning " * 5).strip(), None),
        (["language Chinese<asr_text>一</asr_text>language English<asr_text> two"], "一 two", "Chinese"),
        (["<asr_text>", "零", "九"], "零九", None),
        ([], "", None),
        (["<asr_text>"], "", None),
    ],
)
def test_a_transcript(chunks: list[str], text: str, language: str | None) -> None:
    assert heard(chunks)[:2] == (text, language)


@settings(deadline=None)  # no time is asserted, and a busy machine is slow
@given(st.data())
def test_markers_may_be_cut_anywhere(data: st.DataObject) -> None:
    whole = "language Chinese<asr_text> 零九, and <b> so </asr_text>"
    cuts = sorted(data.draw(st.sets(st.integers(1, len(whole) - 1))))
    chunks = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert heard(chunks)[:2] == ("零九, and <b> so", "Chinese")


def test_text_is_let_go_with_the_chunk_it_came_in() -> None:
    """The time of the first token is that of its chunk."""
    assert heard(["<asr_text>", "One", " two", " ", "three."])[2] == ["", "One", " two", "", " three.", ""]


# ---------------------------------------------------------------------- alignments


def test_an_alignment_is_read_and_written_as_srt() -> None:
    words = read_alignment(
        '[{"start":0,"end":480.4,"text":"And"},{"start":3600001,"end":3661001,"text":"\\"so\\""}]'
    )
    assert words == [Word("And", 0, 480), Word('"so"', 3_600_001, 3_661_001)]
    assert as_srt(words) == (
        '1\n00:00:00,000 --> 00:00:00,480\nAnd\n\n2\n01:00:00,001 --> 01:01:01,001\n"so"\n'
    )


def test_quotes_and_line_breaks_that_nobody_escaped() -> None:
    document = (
        '[\n{"start":0,"end":4.5,"text":"say "}, {" \\"},\n{"start":5,"end":9,"text":"two\nlines"}\n]\n'
    )
    assert read_alignment(document) == [Word('say "}, {" \\', 0, 4), Word("two\nlines", 5, 9)]


@pytest.mark.parametrize(
    "document",
    [
        "",
        "{}",
        '[{"start":1,"end":2,"text":"a"}, nothing]',
        '{"start":1,"end":2,"text":"a\n"}',
        "[1]",
        '[{"start":"x","end":1,"text":""}]',
        "1\n00:00:00",
        '[{"start":1}',
    ],
)
def test_what_is_no_alignment(document: str) -> None:
    with pytest.raises(EngineError, match="no list of words with times"):
        read_alignment(document)


def test_doubts_about_times() -> None:
    words = [Word("a", -5, 10), Word("b", 10, 5), Word("c", 900, 1100)]
    assert doubts_about(words, 1000) == [
        "2 of 3 words are placed outside the audio (1 s)",
        "1 of 3 words end before they begin",
    ]
    assert doubts_about([Word("a", 0, 0), Word("b", 0, 0)], 1000) == [
        "all 2 words have the same time: none was really placed"
    ]
    assert doubts_about([Word("a", 0, 1), Word("b", 1, 1000)], 1000) == []


@pytest.mark.parametrize(
    ("text", "delimiter", "expected"),
    [
        ("And  so\n my", None, ("And so my", [])),
        ("And – so …", None, ("And so", ["–", "…"])),
        ("零九，零。", None, ("零九，零。", [])),
        ("one two||three|…|", "|", ("one two|three", ["…"])),
    ],
)
def test_a_text_to_align(text: str, delimiter: str | None, expected: tuple[str, list[str]]) -> None:
    assert text_to_align(text, delimiter) == expected


# ---------------------------------------------------------------------- settings


def spec(**keys: object) -> ModelSpec:
    return ModelSpec("chatllm", "model", **{"file": "/m/asr.bin", **keys})  # type: ignore[arg-type]


def line(**keys: object) -> str:
    return " ".join(command_line(spec(**keys), options_of(spec(**keys))))


def test_the_command_line() -> None:
    assert line() == "-m /m/asr.bin --multimedia_file_tags {{ }} -t 0"
    assert line(threads=6, context_length=4096, language="zh-TW") == (
        "-m /m/asr.bin -n 6 -c 4096 -l 4096 --multimedia_file_tags {{ }} -t 0 --set language Chinese"
    )
    assert line(file="/m/aligner.bin", format="srt", language="English").endswith(
        "--set language English --set format json"
    )
    assert line(file="/m/Forced-Aligner.bin").endswith("--set format json")


def test_words_of_the_users_own_replace_ours() -> None:
    assert line(context_length=9, options={"argv": ["-t", "0.5", "-l", "7"]}) == (
        "-m /m/asr.bin -c 9 --multimedia_file_tags {{ }} -t 0.5 -l 7"
    )
    assert line(language="en", options={"argv": ["--set", "more", "x"]}).endswith(
        "--set language English --set more x"
    )
    assert line(language="en", options={"argv": ["--set", "language", "auto"]}).endswith(
        "-t 0 --set language auto"
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"argw": []}, "did you mean 'argv'"),
        ({"argv": "-t 1"}, "option 'argv'"),
        ({"size_bytes": "big"}, "option 'size_bytes'"),
        ({"delimiter": ""}, "option 'delimiter'"),
    ],
)
def test_wrong_options_are_named(options: dict[str, object], words: str) -> None:
    with pytest.raises(EngineError, match=words):
        options_of(spec(options=options))


@pytest.mark.parametrize(
    ("said", "known"),
    [
        ("zh", "Chinese"), ("zh_TW", "Chinese"), ("en-US", "English"), ("ENGLISH", "English"), ("auto", "auto"),
        ("Mandarin", "Chinese"), ("cmn", "Chinese"), ("fil", "Filipino"), ("filipino", "Filipino"),
        ("Klingon", "Klingon"), (None, None), (" ", None),
    ],
)  # fmt: skip
def test_names_of_languages(said: str | None, known: str | None) -> None:
    assert language_name(said) == known


def test_defaults_of_the_environment_yield_to_what_is_said() -> None:
    ours = {"GOMP_SPINCOUNT": "1000", "GGML_NO_BACKTRACE": "1"}
    assert engine_defaults("chatllm", {}, {}) == ours
    for said in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"):
        for own, environ in (({said: "1"}, {}), ({}, {said: "1"})):
            assert engine_defaults("chatllm", own, environ) == {"GGML_NO_BACKTRACE": "1"}
    assert engine_defaults("chatllm", {}, {"GGML_NO_BACKTRACE": "0"}) == {"GOMP_SPINCOUNT": "1000"}
    assert engine_defaults("moonshine", {}, {}) == {}


def test_workers_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.process.host.cores.physical_cores", lambda: 8)
    assert [default_threads("chatllm", workers) for workers in (1, 2, 3, 9)] == [8, 4, 2, 1]
    assert default_threads("moonshine", 2) is None


# ---------------------------------------------------------------------- folders of workers that died


def test_only_abandoned_folders_are_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Old and unlocked: its worker was killed. Locked, young or of another name: somebody's."""
    import fcntl

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(chatllm_audio, "_PLACES", ())
    old = {}
    for name in ("dead", "alive", "other"):
        prefix = "" if name == "other" else chatllm_audio.FOLDER_PREFIX
        old[name] = tmp_path / f"{prefix}{name}"
        old[name].mkdir()
        (old[name] / "audio.wav").symlink_to("/nowhere")
        os.utime(old[name], (0, 0))
    young = tmp_path / f"{chatllm_audio.FOLDER_PREFIX}young"
    young.mkdir()
    lock = os.open(old["alive"], os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        chatllm_audio.sweep()
    finally:
        os.close(lock)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        path.name for path in (old["alive"], old["other"], young)
    )
