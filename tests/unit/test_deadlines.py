"""Deadlines do not drift, and those that passed are counted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.process.sampling.deadlines import Deadlines


def test_late_work_does_not_move_the_deadlines_after_it() -> None:
    deadlines = Deadlines(10, now_ns=100)
    assert deadlines.wait_ns(103) == 7
    deadlines.keep(114)
    assert deadlines.next_ns == 120
    assert deadlines.wait_ns(125) == 0
    assert deadlines.missed == 0


def test_deadlines_that_passed_are_counted_and_not_made_up_for() -> None:
    deadlines = Deadlines(10, now_ns=0)
    deadlines.keep(45)  # those at 20, 30 and 40 have passed as well
    assert deadlines.missed == 3
    assert deadlines.next_ns == 50


def test_a_pause_is_not_missed() -> None:
    deadlines = Deadlines(10, now_ns=0)
    deadlines.restart(1_000)
    assert (deadlines.next_ns, deadlines.missed) == (1_010, 0)


@pytest.mark.parametrize("interval_ns", [0, -1])
def test_an_interval_is_positive(interval_ns: int) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        Deadlines(interval_ns, now_ns=0)


@given(st.integers(1, 1_000), st.lists(st.integers(0, 5_000)))
def test_kept_and_missed_together_are_all_deadlines_so_far(interval_ns: int, delays_ns: list[int]) -> None:
    deadlines = Deadlines(interval_ns, now_ns=0)
    now_ns = 0
    for kept, delay_ns in enumerate(delays_ns, start=1):
        now_ns += deadlines.wait_ns(now_ns) + delay_ns
        deadlines.keep(now_ns)
        assert deadlines.next_ns > now_ns
        assert deadlines.next_ns % interval_ns == 0
        assert kept + deadlines.missed == now_ns // interval_ns
