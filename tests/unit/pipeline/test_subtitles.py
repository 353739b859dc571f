from __future__ import annotations

import html
import re
import sys
import unicodedata
from itertools import pairwise
from typing import Any

import msgspec
import pytest
import webvtt
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from orchestrator.pipeline.document import Document, Segment
from orchestrator.pipeline.scripts import word_starts, words_of_run
from orchestrator.pipeline.subtitles import ReadingSpeed, cues, render
from orchestrator.pipeline.subtitles.lines import lay_out
from orchestrator.pipeline.subtitles.tokens import Token, tokens
from orchestrator_worker.protocol import Word

SPEECH = (
    "So this is a considerably longer sentence, with a comma or two, that has to be broken over several cues "
    "because it is (as they say) just too long for one. This one is short."
)
CHINESE = "今天天氣很好，我們一起去公園散步吧。他說：「這個地方真漂亮！」然後我們在湖邊坐了很久，看著夕陽慢慢地落下去。"


def spoken(text: str, *, word_ms: int = 300, gap_ms: int = 50, start_ms: int = 0) -> Segment:
    """A segment whose aligner gave every word in lower case, bare of punctuation."""
    bare = ["".join(letter for letter in word if letter.isalnum()).lower() for word in text.split()]
    return timed(text, bare, word_ms=word_ms, gap_ms=gap_ms, start_ms=start_ms)


def timed(text: str, words: list[str], *, word_ms: int = 300, gap_ms: int = 50, start_ms: int = 0) -> Segment:
    step = word_ms + gap_ms
    placed = [
        Word(word, start_ms + index * step, start_ms + index * step + word_ms)
        for index, word in enumerate(words)
    ]
    return Segment(start_ms, start_ms + len(words) * step, text, text, "en", placed)


def document(*segments: Segment) -> Document:
    return Document("talk.wav", segments[-1].end_ms if segments else 0, list(segments))


# ----------------------------------------------------------------- tokens


def test_punctuation_goes_with_its_word_and_nothing_is_lost() -> None:
    found = tokens(timed('He said: "go (now)!"', ["he", "said", "go", "now"]))
    assert [token.text for token in found] == ["He ", "said: ", '"go ', '(now)!"']


def test_times_are_those_of_the_aligned_words() -> None:
    assert tokens(timed("One two.", ["one", "two"])) == [Token("One ", 0, 300), Token("two.", 350, 650)]


def test_words_without_a_time_share_what_is_between_their_neighbours() -> None:
    segment = Segment(0, 1000, "one lost word two", "", "en", [Word("one", 0, 200), Word("two", 800, 1000)])
    assert tokens(segment) == [
        Token("one ", 0, 200),
        Token("lost ", 200, 500),
        Token("word ", 500, 800),
        Token("two", 800, 1000),
    ]


def test_without_an_aligner_words_share_the_segment_by_their_length() -> None:
    assert tokens(Segment(0, 900, "a bb ccc", "", None)) == [
        Token("a ", 0, 225),
        Token("bb ", 225, 562),
        Token("ccc", 562, 900),
    ]


def test_chinese_characters_are_tokens_and_brackets_open_with_the_next() -> None:
    found = tokens(timed("他說：「好！」", ["他", "說", "好"]))
    assert [token.text for token in found] == ["他", "說：", "「好！」"]


def test_a_word_that_is_not_in_the_text_is_left_out() -> None:
    found = tokens(timed("alpha beta", ["alpha", "gamma", "beta"]))
    assert [token.text for token in found] == ["alpha ", "beta"]


def test_a_word_far_ahead_does_not_take_the_text_between_with_it() -> None:
    text = "the " + "x" * 100 + " end"
    segment = Segment(0, 1000, text, "", "en", [Word("end", 0, 100), Word("the", 100, 200)])
    assert next(token.text for token in tokens(segment)) == "the "


def test_compatibility_forms_are_the_same_letters() -> None:
    found = tokens(timed("\uff21\uff22 \ufb01n", ["ab", "fin"]))
    assert [token.text for token in found] == ["\uff21\uff22 ", "\ufb01n"]


@settings(deadline=None)
@given(
    st.text(alphabet="ab  .,!?()「」“”好吧é'-\n", max_size=60),
    st.lists(
        st.tuples(st.sampled_from(["a", "ab", "b", "好", "吧", "好吧", "é", "?"]), st.integers(0, 5000))
    ),
)
def test_tokens_are_the_text_again_and_their_times_run_forward(
    text: str, words: list[tuple[str, int]]
) -> None:
    placed = [Word(word, at, at + 100) for word, at in words]
    segment = Segment(0, 6000, text, text, None, placed)
    found = tokens(segment)
    assert "".join(token.text for token in found) == text.strip()
    assert all(token.start_ms <= token.end_ms for token in found)
    assert all(left.end_ms <= right.start_ms for left, right in pairwise(found))


# ----------------------------------------------------------------- lines


def test_a_line_that_fits_stays_whole() -> None:
    assert lay_out("short enough", 42, 2) == ("short enough",)


def test_lines_are_balanced() -> None:
    assert lay_out("one two three four five six", 20, 2) == ("one two three", "four five six")


def test_a_break_after_punctuation_is_worth_some_imbalance() -> None:
    assert lay_out("yes indeed, and so we went there", 24, 2) == ("yes indeed,", "and so we went there")


def test_no_line_begins_with_closing_punctuation() -> None:
    laid = lay_out("今天天氣很好，我們去公園吧", 14, 3)
    assert laid is not None
    assert not any(line[0] in "，。！？」" for line in laid)


def test_what_does_not_fit_is_refused() -> None:
    assert lay_out("one two three four five six seven", 10, 2) is None


def test_one_word_wider_than_a_line_stands_alone() -> None:
    assert lay_out("x" * 60, 42, 2) == ("x" * 60,)


# ----------------------------------------------------------------- cues


def test_a_cue_ends_where_the_sentence_does() -> None:
    found = cues(document(spoken(SPEECH)))
    assert found[-1].text == "This one is short."
    assert found[-2].text.endswith("for one.")


def test_every_cue_keeps_to_the_width_and_the_length() -> None:
    speed = ReadingSpeed()
    for cue in cues(document(spoken(SPEECH)), speed):
        assert len(cue.lines) <= speed.most_lines
        assert all(cell_len(line) <= speed.columns for line in cue.lines)
        assert cue.end_ms - cue.start_ms <= speed.longest_s * 1000


def test_a_long_pause_ends_a_cue_in_the_middle_of_a_sentence() -> None:
    before, after = spoken("we waited and"), spoken("then it came", start_ms=5000)
    assert [cue.text for cue in cues(document(before, after))] == ["we waited and", "then it came"]


def test_segments_run_on_where_there_is_no_pause() -> None:
    first = spoken("we waited and")
    second = spoken("then it came.", start_ms=first.end_ms)
    assert [cue.text for cue in cues(document(first, second))] == ["we waited and then it came."]


def test_chinese_keeps_to_columns_of_two_and_has_no_spaces_put_in() -> None:
    segment = timed(CHINESE, [letter for letter in CHINESE if letter.isalnum()], word_ms=150)
    found = cues(document(segment))
    assert "".join(cue.text for cue in found) == CHINESE
    assert all(cell_len(line) <= 42 for cue in found for line in cue.lines)
    assert all(cue.text[-1] in "。！」" for cue in found)


def three_words() -> Document:
    first = timed("Yes.", ["yes"], word_ms=100)
    second = timed("Noooo.", ["noooo"], word_ms=100, start_ms=600)
    third = timed("Well.", ["well"], word_ms=100, start_ms=4000)
    return Document("x", 9000, [first, second, third])


def test_a_cue_is_shown_while_its_words_are_said() -> None:
    found = cues(three_words(), ReadingSpeed(pause_s=0.3))
    assert [(cue.start_ms, cue.end_ms) for cue in found] == [(0, 100), (600, 700), (4000, 4100)]


def test_a_short_cue_may_stand_until_it_could_be_read_but_not_into_the_next() -> None:
    found = cues(three_words(), ReadingSpeed(pause_s=0.3, shortest_s=1.0))
    assert [(cue.start_ms, cue.end_ms) for cue in found] == [(0, 600), (600, 1600), (4000, 5000)]
    found = cues(three_words(), ReadingSpeed(pause_s=0.3, characters_per_s=5.0))
    assert [(cue.start_ms, cue.end_ms) for cue in found] == [(0, 600), (600, 1800), (4000, 5000)]


def test_a_text_that_is_too_quick_to_read_is_cut_where_that_helps() -> None:
    document = Document(
        "x", 60_000, [spoken("quickly " * 6, word_ms=100), spoken("slow " * 8, start_ms=2_400)]
    )
    speed = ReadingSpeed(columns=30, characters_per_s=16.0, pause_s=3.0)
    rates = [len(cue.text) / (cue.end_ms - cue.start_ms) * 1000 for cue in cues(document, speed)]
    usual = [
        len(cue.text) / (cue.end_ms - cue.start_ms) * 1000
        for cue in cues(document, ReadingSpeed(columns=30, pause_s=3.0))
    ]
    assert max(rates) < max(usual)


def test_a_word_that_swallowed_a_pause_makes_no_long_cue() -> None:
    words = [Word("one", 0, 300), Word("two", 300, 20_300), Word("three", 20_300, 20_600)]
    segment = Segment(0, 21_000, "one two three", "", "en", words)
    assert max(cue.end_ms - cue.start_ms for cue in cues(document(segment))) <= 7_000


def test_a_chinese_sentence_that_came_as_one_word_keeps_to_the_width() -> None:
    segment = Segment(0, 9_000, CHINESE, "", "zh", [Word(CHINESE, 0, 9_000)])
    found = cues(document(segment))
    assert "".join(cue.text for cue in found) == CHINESE
    assert all(cell_len(line) <= 42 for cue in found for line in cue.lines)
    assert found[0].start_ms == 0
    assert found[-1].end_ms == 9_000


KOREAN = (
    "한국어는 띄어쓰기를 하는 언어입니다. 그래서 줄은 낱말 사이에서만 나뉘어야 합니다, 낱말 안에서가 아니라."
)
THAI = "สวัสดีครับวันนี้เราจะมาพูดคุยกันเกี่ยวกับเรื่องที่สำคัญมากสำหรับทุกคนในประเทศไทยและทั่วโลก"
LAO = "ສະບາຍດີມື້ນີ້ພວກເຮົາຈະມາລົມກັນກ່ຽວກັບເລື່ອງທີ່ສຳຄັນຫຼາຍສຳລັບທຸກຄົນໃນປະເທດລາວແລະທົ່ວໂລກ"


def test_korean_keeps_its_spaces() -> None:
    pieces = [Segment(0, 9_000, KOREAN, KOREAN, "ko"), Segment(9_000, 18_000, KOREAN, KOREAN, "ko")]
    whole = Document("x", 18_000, pieces)
    assert whole.text == f"{KOREAN} {KOREAN}"
    assert " ".join(cue.text for cue in cues(whole)) == whole.text
    words = set(KOREAN.split())
    assert all(word in words for cue in cues(whole) for line in cue.lines for word in line.split())


@pytest.mark.parametrize("text", [THAI, LAO])
@pytest.mark.parametrize("with_dictionary", [True, False])
def test_scripts_without_spaces_keep_to_the_width(
    text: str, with_dictionary: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if with_dictionary:
        pytest.importorskip("icu4py", reason="icu4py comes with the extra 'subtitles'")
    else:
        monkeypatch.setitem(sys.modules, "icu4py.breakers", None)
    words_of_run.cache_clear()
    lay_out.cache_clear()
    found = cues(document(Segment(0, 12_000, text, text, "th")))
    words_of_run.cache_clear()
    lay_out.cache_clear()
    assert "".join(cue.text for cue in found) == text
    lines = [line for cue in found for line in cue.lines]
    assert all(cell_len(line) <= 42 for line in lines)
    assert not any(unicodedata.category(line[0])[0] == "M" or line[0] in "ะาำະາຳ" for line in lines)
    assert not any(line[-1] in "เแโใไເແໂໃໄ" for line in lines)


def test_thai_breaks_between_words() -> None:
    pytest.importorskip("icu4py", reason="icu4py comes with the extra 'subtitles'")
    assert lay_out("สวัสดีครับวันนี้", 7, 3) == ("สวัสดี", "ครับวันนี้")


def test_pictographs_are_not_torn() -> None:
    family, flags = "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7"
    assert sorted(word_starts(family + "\U0001f44d\U0001f3fd" + flags)) == [0, 5]


def test_words_without_a_time_lie_where_somebody_speaks() -> None:
    segment = Segment(0, 10_000, "aaa bbb ccc", "", None, speech=[(1_000, 2_000), (8_000, 8_500)])
    assert [(token.start_ms, token.end_ms) for token in tokens(segment)] == [
        (1_000, 1_545),
        (1_545, 2_000),
        (8_090, 8_500),
    ]


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.sampled_from(["well", "a", "considerably,", "so.", "今天", "好！", "thing"]), max_size=80),
    st.integers(20, 600),
    st.integers(0, 2000),
)
def test_cues_hold_all_the_text_in_order_without_overlap(words: list[str], word_ms: int, gap_ms: int) -> None:
    segment = timed(" ".join(words), words, word_ms=word_ms, gap_ms=gap_ms)
    found = cues(document(segment))
    assert " ".join(cue.text for cue in found).split() == words
    assert all(left.end_ms <= right.start_ms for left, right in pairwise(found))
    assert all(cue.start_ms < cue.end_ms for cue in found)


# ----------------------------------------------------------------- formats


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


def test_half_an_hour_of_unbroken_speech_becomes_subtitles() -> None:
    words = [f"word{number % 97}" for number in range(8_000)]
    (segment,) = [timed(" ".join(words), words, word_ms=250, gap_ms=10)]
    found = cues(document(segment))
    assert len(found) > 400
    assert found[-1].end_ms == segment.words[-1].end_ms
