"""A text placed on heard words: own spelling kept, times taken, shared out, or nobody heard it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_worker.engines.alignment_text import Timed
from orchestrator_worker.engines.base import EngineError
from orchestrator_worker.engines.heard_words import place
from orchestrator_worker.protocol import Word


def heard(*words: str, each_ms: int = 100) -> list[Timed]:
    return [Timed(word, number * each_ms, (number + 1) * each_ms) for number, word in enumerate(words)]


def test_the_same_words_take_the_heard_times_and_keep_their_spelling() -> None:
    placed = place("And so, my Fellow — Americans!", heard("and", "so", "my", "fellow", "americans."))
    assert placed.words == [
        Word("And", 0, 100),
        Word("so,", 100, 200),
        Word("my", 200, 300),
        Word("Fellow—", 300, 400),
        Word("Americans!", 400, 500),
    ]
    assert placed.skipped == []


def test_a_run_that_was_heard_otherwise_shares_its_time_by_length() -> None:
    placed = place("ask twenty 1 times", heard("ask", "twenty-one", "times", each_ms=700))
    assert placed.words == [
        Word("ask", 0, 700),
        Word("twenty", 700, 1300),
        Word("1", 1300, 1400),
        Word("times", 1400, 2100),
    ]


def test_what_nobody_said_is_skipped_and_what_is_not_in_the_text_leaves_a_gap() -> None:
    placed = place("one two three", heard("one", "well", "three"))
    assert [word.text for word in placed.words] == ["one", "two", "three"]
    placed = place("one two three four", heard("one", "two", "uh", "four"))
    assert placed.words[2] == Word("three", 200, 300)
    placed = place("zero one two", heard("one", "two"))
    assert (placed.words, placed.skipped) == ([Word("one", 0, 100), Word("two", 100, 200)], ["zero"])
    placed = place("one two", heard("one", "uh", "two"))
    assert (placed.words, placed.skipped) == ([Word("one", 0, 100), Word("two", 200, 300)], [])


def test_chinese_is_placed_character_by_character() -> None:
    placed = place("你好，世界。", [Timed("你好", 0, 400), Timed("世", 400, 500), Timed("界", 500, 700)])
    assert placed.words == [
        Word("你", 0, 200),
        Word("好，", 200, 400),
        Word("世", 400, 500),
        Word("界。", 500, 700),
    ]


def test_an_opening_mark_that_stands_alone_belongs_to_the_word_after_it() -> None:
    assert [word.text for word in place("« bonjour » toi", heard("bonjour", "toi")).words] == [
        "«bonjour»",
        "toi",
    ]


@pytest.mark.parametrize(
    ("text", "words", "said"),
    [
        ("", ("one",), "no words"),
        (" … —", ("one",), "no words"),
        ("one", (), "nothing was heard"),
        ("one", ("…",), "nothing was heard"),
        ("one two", ("three", "four"), "what was heard: three four"),
    ],
)
def test_what_cannot_be_placed_is_said(text: str, words: tuple[str, ...], said: str) -> None:
    with pytest.raises(EngineError, match=said):
        place(text, heard(*words))


WORDS = st.lists(
    st.sampled_from(["one", "two", "three", "four", "five", "六", "七八"]), min_size=1, max_size=12
)


def pieces(words: list[str]) -> set[str]:
    return {piece for word in words for piece in ([word] if word.isascii() else word)}


@given(WORDS, WORDS)
def test_every_word_is_placed_or_skipped_in_its_order_inside_the_audio(
    text: list[str], said: list[str]
) -> None:
    try:
        placed = place(" ".join(text), heard(*said))
    except EngineError:
        assert not pieces(text) & pieces(said)
        return
    letters = "".join(word.text for word in placed.words) + "".join(placed.skipped)
    assert sorted(letters) == sorted("".join(text))
    times = [time for word in placed.words for time in (word.start_ms, word.end_ms)]
    assert times == sorted(times)
    assert not times or (times[0] >= 0 and times[-1] <= len(said) * 100)
