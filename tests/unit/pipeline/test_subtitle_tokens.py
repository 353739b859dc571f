"""The words of a segment with their times, punctuation and all."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from timed_segments import timed

from orchestrator.pipeline.document import Segment
from orchestrator.pipeline.subtitles.tokens import Token, tokens
from orchestrator_worker.protocol import Word


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


def test_words_without_a_time_lie_where_somebody_speaks() -> None:
    segment = Segment(0, 10_000, "aaa bbb ccc", "", None, speech=[(1_000, 2_000), (8_000, 8_500)])
    assert [(token.start_ms, token.end_ms) for token in tokens(segment)] == [
        (1_000, 1_545),
        (1_545, 2_000),
        (8_090, 8_500),
    ]
