"""Subtitles in each format, also of documents that no healthy engine gives."""

from __future__ import annotations

import html
import re
from itertools import pairwise
from typing import Any

import msgspec
import pytest
import webvtt
from hypothesis import given, settings
from hypothesis import strategies as st
from timed_segments import document, spoken

from orchestrator.pipeline.document import Document, Segment
from orchestrator.pipeline.subtitles import ReadingSpeed, cues, render
from orchestrator_worker.protocol import Word


def test_srt() -> None:
    whole = render(document(spoken("One two."), spoken("Three.", start_ms=3_600_000)), "srt")
    assert whole == (
        "1\n00:00:00,000 --> 00:00:00,650\nOne two.\n\n2\n01:00:00,000 --> 01:00:00,300\nThree.\n"
    )


def test_vtt_escapes_markup_and_arrows() -> None:
    whole = render(document(spoken("a <b> & --> c")), "vtt")
    assert whole.startswith("WEBVTT\n\n00:00:00.000 --> 00:00:")
    assert whole.splitlines()[3] == "a &lt;b&gt; &amp; → c"


def test_vtt_can_say_when_each_word_begins() -> None:
    text = "One <two> three, and then a considerably longer line than fits. So there --> it is."
    whole = render(document(spoken(text)), "vtt", ReadingSpeed(highlight_words=True))
    read: Any = webvtt.from_string(whole)
    assert read.styles[0].text.startswith("::cue(:future)")
    assert whole.splitlines()[8].startswith("One <00:00:00.350>&lt;two&gt; <00:00:00.700>three,")
    shown = " ".join(re.sub("<[^>]*>", "", caption.raw_text).replace("\n", " ") for caption in read)
    assert html.unescape(shown) == text.replace("-->", "→")
    for caption in read:
        times = [milliseconds(each, ".") for each in re.findall(r"<(\d\d:[^>]*)>", caption.raw_text)]
        assert times == sorted(set(times))
        assert milliseconds(caption.start, ".") < times[0]
        assert times[-1] < milliseconds(caption.end, ".")


@pytest.mark.parametrize("name", ["srt", "vtt", "tsv"])
def test_a_control_character_reaches_no_player_and_other_forms_keep_it(name: str) -> None:
    said = [Word("Two\x00", 0, 100), Word("\x1b\x07", 100, 200), Word("thr\x9bee.", 200, 300)]
    heard = document(Segment(0, 300, "Two\x00 \x1b\x07 thr\x9bee.", "", words=said))
    whole = render(heard, name)
    assert {each for each in whole if each < " " or "\x7f" <= each < "\xa0"} <= {"\n", "\t"}
    assert "Two\ufffd \ufffd\ufffd thr\ufffdee." in " ".join(whole.split())
    assert "\\u0000" in render(heard, "json")
    assert "Two\0" in render(heard, "txt")


def test_tsv_has_one_row_a_cue() -> None:
    assert render(document(spoken("One\ttwo.")), "tsv") == "start\tend\ttext\n0\t650\tOne two.\n"


def test_json_is_everything() -> None:
    made = msgspec.json.decode(render(document(spoken("One two.")), "json"))
    assert made["text"] == "One two."
    assert made["words"][1] == {"text": "two", "start_ms": 350, "end_ms": 650}
    assert made["language"] == "en"


def test_txt_is_the_text() -> None:
    assert render(document(spoken("One."), spoken("Two.", start_ms=1000)), "txt") == "One.\nTwo.\n"


@pytest.mark.parametrize("name", ["txt", "srt", "tsv"])
def test_a_document_without_text_is_an_empty_file_of_its_kind(name: str) -> None:
    assert render(Document("x", 1000), name) == ("start\tend\ttext\n" if name == "tsv" else "")


def test_an_unknown_format_names_those_there_are() -> None:
    with pytest.raises(ValueError, match="one of txt, json, srt, vtt, tsv"):
        render(Document("x", 1000), "ass")


# ----------------------------------------------------------------- whatever an engine may say

ODD = st.text(
    st.one_of(
        st.sampled_from(" .,!?-–—…()「」『』“”'\"<>&\n\t\u200b\u200d\u2028\ufeff"),
        st.sampled_from("aZ9éñอักษรไทยالعربيةעברית中文字かな한국👩‍👧🏽🎉"),
        st.characters(codec="utf-8"),
    ),
    max_size=120,
)


@st.composite
def odd_documents(draw: st.DrawFn) -> Document:
    """Segments as an aligner on a bad day gives them: words out of order, on top of each other, of no length."""
    segments: list[Segment] = []
    at_ms = 0
    for text in draw(st.lists(ODD, max_size=4)):
        length_ms = draw(st.integers(0, 40_000))
        times = st.integers(at_ms, at_ms + length_ms)
        words = [
            Word(word, start_ms, max(start_ms, draw(times)))
            for word in text.split()
            if draw(st.booleans())
            for start_ms in [draw(times)]
        ]
        segments.append(Segment(at_ms, at_ms + length_ms, text, text, None, words))
        at_ms += length_ms + draw(st.integers(0, 3_000))
    return Document("talk.wav", at_ms, segments)


@settings(deadline=None, max_examples=150)
@given(odd_documents())
def test_no_two_subtitles_are_shown_at_once_and_none_for_no_time(odd: Document) -> None:
    found = cues(odd)
    assert all(cue.start_ms < cue.end_ms for cue in found)
    assert all(before.end_ms <= after.start_ms for before, after in pairwise(found))
    assert "".join("".join(cue.text.split()) for cue in found) == "".join(odd.text.split())
    assert all(line.strip() and "\n" not in line for cue in found for line in cue.lines)


@settings(deadline=None, max_examples=100)
@given(odd_documents())
def test_a_reader_of_each_format_finds_every_subtitle(odd: Document) -> None:
    found = cues(odd)
    for format_name, mark in (("srt", ","), ("vtt", ".")):
        read = blocks(render(odd, format_name), mark)
        assert [(start, end) for start, end, _ in read] == [(cue.start_ms, cue.end_ms) for cue in found]
        assert [len(lines) for _, _, lines in read] == [len(cue.lines) for cue in found]
    rows = [line.split("\t") for line in render(odd, "tsv").split("\n")[1:-1]]
    assert [(int(start), int(end)) for start, end, _ in rows] == [(cue.start_ms, cue.end_ms) for cue in found]


def blocks(content: str, mark: str) -> list[tuple[int, int, list[str]]]:
    """Read SubRip or WebVTT as players do: blocks between empty lines, a line of times, then text."""
    found: list[tuple[int, int, list[str]]] = []
    for block in content.split("\n\n"):
        lines = block.strip("\n").split("\n")
        at = next((index for index, line in enumerate(lines) if " --> " in line), None)
        if at is not None:
            start, end = (milliseconds(part, mark) for part in lines[at].split(" --> "))
            found.append((start, end, lines[at + 1 :]))
    return found


def milliseconds(clock: str, mark: str) -> int:
    whole, thousandths = clock.split(mark)
    hours, minutes, seconds = map(int, whole.split(":"))
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + int(thousandths)
