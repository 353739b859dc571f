from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.audio.cutting import HARD_FACTOR, Piece, pieces
from orchestrator.audio.speech_spans import OPEN, SpeechSpan, speech_spans


def spans_of(text: str, *, shortest_silence: int = 3, shortest_speech: int = 2) -> list[tuple[int, int]]:
    """``#`` is speech, ``-`` is between the two thresholds, ``.`` is silence."""
    probabilities = ({"#": 0.9, "-": 0.4, ".": 0.1}[letter] for letter in text)
    found = speech_spans(probabilities, shortest_silence=shortest_silence, shortest_speech=shortest_speech)
    return [(span.start, span.end) for span in found]


def cut(*edges: tuple[int, int], total: int = 1000, longest: int = 100, margin: int = 5) -> list[Piece]:
    spans = [SpeechSpan(start, end, (0.9,) * (end - start)) for start, end in edges]
    return list(pieces(spans, total, longest=longest, margin=margin))


def test_a_short_pause_belongs_to_the_speech_around_it() -> None:
    assert spans_of("..###..###...") == [(2, 10)]


def test_a_long_enough_pause_ends_a_span() -> None:
    assert spans_of("###...###") == [(0, 3), (6, 9)]


def test_wavering_above_the_lower_threshold_does_not_end_a_span() -> None:
    assert spans_of("##-----##...") == [(0, 9)]


def test_wavering_does_not_open_a_span() -> None:
    assert spans_of("...----...") == []


def test_a_click_is_no_speech() -> None:
    assert spans_of("...#......##...") == [(10, 12)]


def test_speech_to_the_last_frame_ends_with_it() -> None:
    assert spans_of("...###") == [(3, 6)]


def test_a_span_keeps_the_probability_of_each_of_its_frames() -> None:
    (span,) = speech_spans([0.1, 0.9, 0.4, 0.8, 0.1, 0.1], shortest_silence=2, shortest_speech=1)
    assert span == SpeechSpan(1, 4, (0.9, 0.4, 0.8))


def test_spans_that_fit_make_one_piece_with_margins() -> None:
    assert cut((10, 40), (50, 90)) == [Piece(5, 95)]


def test_the_widest_late_gap_wins_over_the_last_that_fits() -> None:
    assert cut((0, 60), (80, 90), (92, 120), margin=0) == [Piece(0, 60), Piece(80, 120)]


def test_a_gap_in_the_first_half_is_no_place_for_a_cut() -> None:
    assert cut((0, 20), (45, 80), (85, 130), margin=0) == [Piece(0, 80), Piece(85, 130)]


def test_margins_of_neighbours_do_not_overlap() -> None:
    first, second = cut((0, 90), (93, 180))
    assert first.end <= second.start
    assert first.end >= 90
    assert second.start <= 93


def test_a_recording_without_speech_has_no_pieces() -> None:
    assert cut() == []


def test_somebody_who_never_pauses_is_cut_where_the_detector_hears_least() -> None:
    probabilities = [0.9] * 150
    probabilities[80] = OPEN - 0.1
    found = list(pieces([SpeechSpan(0, 150, tuple(probabilities))], 150, longest=100, margin=5))
    assert found == [Piece(0, 80), Piece(80, 150)]


def test_a_cut_inside_speech_waits_to_twice_the_length_and_is_marked() -> None:
    probabilities = [0.9] * 500
    probabilities[170] = OPEN - 0.1
    found = list(pieces([SpeechSpan(0, 500, tuple(probabilities))], 500, longest=100, margin=5))
    assert found[0] == Piece(0, 170)
    assert any(piece.cut_in_speech for piece in found[1:])


def test_pieces_come_while_the_spans_are_still_being_read() -> None:
    read = []

    def spans() -> object:
        for number in range(10):
            read.append(number)
            yield SpeechSpan(number * 60, number * 60 + 50, (0.9,) * 50)

    next(iter(pieces(spans(), 600, longest=100, margin=2)))
    assert len(read) < 5


speech = st.lists(
    st.tuples(st.integers(3, 60), st.integers(1, 400)).map(lambda pair: (pair[0], pair[1])), max_size=12
)


@settings(deadline=None)
@given(speech, st.integers(20, 120), st.integers(0, 10))
def test_whatever_is_said_every_span_is_whole_in_some_piece_or_marked(
    gaps_and_lengths: list[tuple[int, int]], longest: int, margin: int
) -> None:
    edges = []
    position = 0
    for gap, length in gaps_and_lengths:
        edges.append((position + gap, position + gap + length))
        position += gap + length
    found = cut(*edges, total=position + 5, longest=longest, margin=margin)
    for piece in found:
        assert 0 <= piece.start < piece.end <= position + 5
        assert piece.end - piece.start <= HARD_FACTOR * longest + 2 * margin
    for before, after in pairwise(found):
        assert before.end <= after.start
    for start, end in edges:
        touching = [piece for piece in found if piece.start < end and piece.end > start]
        assert min(piece.start for piece in touching) <= start
        assert max(piece.end for piece in touching) >= end
        if len(touching) > 1:
            assert end - start > longest
            assert all(left.end == right.start for left, right in pairwise(touching))


@pytest.mark.parametrize("longest", [1, 2, 3])
def test_tiny_lengths_still_make_progress(longest: int) -> None:
    found = cut((0, 50), total=50, longest=longest, margin=0)
    assert found[0].start == 0
    assert found[-1].end == 50
