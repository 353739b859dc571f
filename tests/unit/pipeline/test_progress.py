"""How far recordings are: shares, rates and time left, on a clock that is a number."""

from __future__ import annotations

import pytest

from orchestrator.pipeline.progress import AudioDone, RecordingProgress


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def progress(clock: Clock, duration_ms: int = 60_000, passes: int = 1) -> RecordingProgress:
    made = RecordingProgress("talk.wav", duration_ms, clock)
    made.begin(passes)
    return made


def fail_at_the_end(done: AudioDone, one: RecordingProgress) -> None:
    with done.working_on(one, 1):
        one.reached(60_000)
        raise ValueError("broken")


def test_time_left_goes_on_as_it_went() -> None:
    clock = Clock()
    one = progress(clock)
    assert (one.share, one.left_s) == (0.0, None)
    clock.now += 10
    one.reached(15_000)
    assert (one.share, one.left_s) == (0.25, 30.0)
    one.reached(10_000)
    assert one.share == 0.25, "pieces end in any order"


def test_two_steps_go_through_the_audio_twice() -> None:
    one = progress(Clock(), passes=2)
    one.reached(60_000)
    assert one.share == 0.5
    one.end_of_pass()
    one.reached(30_000)
    assert one.share == 0.75
    one.end_of_pass()
    assert one.share == 1.0


def test_a_recording_of_no_length_is_done_when_its_steps_are() -> None:
    one = progress(Clock(), duration_ms=0)
    assert one.share == 0.0
    one.end_of_pass()
    assert one.share == 1.0


def test_the_rate_counts_what_is_done_and_what_is_under_way_but_nothing_that_failed() -> None:
    clock = Clock()
    done = AudioDone(clock)
    assert done.rate is None
    first, second = progress(clock), progress(clock)
    with done.working_on(first, 1):
        clock.now += 10
        first.reached(30_000)
        assert done.rate == pytest.approx(3.0)
        assert done.under_way() == [first]
    assert done.rate == pytest.approx(6.0)
    with pytest.raises(ValueError, match="broken"):
        fail_at_the_end(done, second)
    assert done.under_way() == []
    clock.now += 10
    assert done.rate == pytest.approx(3.0)
