"""Subtitles from timed words: where a line and a cue end, in any script."""

from __future__ import annotations

import sys
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from timed_segments import document, spoken, timed

from orchestrator.pipeline.document import Document, Segment
from orchestrator.pipeline.scripts import word_starts, words_of_run
from orchestrator.pipeline.subtitles import ReadingSpeed, cues
from orchestrator.pipeline.subtitles.lines import lay_out
from orchestrator_worker.protocol import Word

SPEECH = (
    "So this is a considerably longer sentence, with a comma or two, that has to be broken over several cues "
    "because it is (as they say) just too long for one. This one is short."
)
CHINESE = "今天天氣很好，我們一起去公園散步吧。他說：「這個地方真漂亮！」然後我們在湖邊坐了很久，看著夕陽慢慢地落下去。"


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


def test_half_an_hour_of_unbroken_speech_becomes_subtitles() -> None:
    words = [f"word{number % 97}" for number in range(8_000)]
    (segment,) = [timed(" ".join(words), words, word_ms=250, gap_ms=10)]
    found = cues(document(segment))
    assert len(found) > 400
    assert found[-1].end_ms == segment.words[-1].end_ms
