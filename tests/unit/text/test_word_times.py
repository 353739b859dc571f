"""Words keep their times when their text is rewritten, whatever becomes longer or shorter."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.text.chinese import write_chinese
from orchestrator.text.word_times import rewritten_words
from orchestrator_worker.protocol import Word

PIECES = ["内存", "三百", "五", "软件", "了", "，", "支持", "百分之", "一个", "App", "百货"]


def spoken(pieces: list[str]) -> list[Word]:
    return [Word(piece, 100 * place, 100 * place + 90) for place, piece in enumerate(pieces)]


def after_writing(text: str, pieces: list[str]) -> list[Word]:
    written = write_chinese(text, "zh")
    assert written is not None
    return rewritten_words(spoken(pieces), text, written.itn)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("我们的内存", [("我", 0, 90), ("們", 100, 190), ("的", 200, 290), ("記憶體", 300, 490)]),
        ("鼠标坏了", [("滑鼠", 0, 190), ("壞", 200, 290), ("了", 300, 390)]),
        ("花了三百五十块", [("花", 0, 90), ("了", 100, 190), ("350", 200, 590), ("塊", 600, 690)]),
        ("我用 App", [("我", 0, 90), ("用", 100, 190), ("A", 300, 390), ("p", 400, 490), ("p", 500, 590)]),
    ],
)
def test_by_characters(text: str, expected: list[tuple[str, int, int]]) -> None:
    found = after_writing(text, list(text))
    assert [(word.text, word.start_ms, word.end_ms) for word in found if word.text.strip()] == expected


def test_by_words_and_marks_between() -> None:
    found = after_writing("内存不够，打印机坏了。", ["内存", "不够", "打印机", "坏了"])
    assert [word.text for word in found] == ["記憶體", "不夠", "印表機", "壞了"]
    assert [word.start_ms for word in found] == [0, 100, 200, 300]


def test_a_word_that_is_not_in_the_text_stays() -> None:
    assert rewritten_words([Word("uh", 1, 2), Word("软", 3, 4)], "软", "軟") == [
        Word("uh", 1, 2),
        Word("軟", 3, 4),
    ]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.sampled_from(["内存", "三百", "五", "软件", "了", "，", "支持", "百分之", "一个", "App", "百货"]),
        max_size=12,
    )
)
def test_nothing_is_lost_and_times_stay_in_order(pieces: list[str]) -> None:
    text = "".join(pieces)
    written = write_chinese(text, "zh")
    assert written is not None
    found = rewritten_words(spoken(list(text)), text, written.itn)
    assert "".join(word.text for word in found) == written.itn
    assert all(one.end_ms <= two.start_ms for one, two in pairwise(found))
