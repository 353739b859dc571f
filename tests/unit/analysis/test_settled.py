"""Early stopping."""

from __future__ import annotations

import numpy as np
import pytest

from orchestrator.analysis import MemorySeries, is_look, settled
from orchestrator.analysis.judging.settled import LOOKS, agrees, fewest_iterations

T = np.arange(100, dtype=float)


def series(live: np.ndarray | float = 0.0, held: np.ndarray | float = 0.0) -> MemorySeries:
    live_mb = 80 + live + 0.002 * np.random.default_rng(1).standard_normal(100)
    held_mb = 30 + held + np.zeros(100)
    anon = live_mb + held_mb + 20
    return MemorySeries.of(anon + 30, rss_anon_mb=anon, live_mb=live_mb, held_mb=held_mb)


def test_looks_come_every_quarter_more() -> None:
    looks = [count for count in range(200) if is_look(count)]
    assert looks[:4] == [12, 15, 19, 24]
    assert looks[-3:] == [92, 115, 143] or looks[-2:] == [143, 178]
    assert not is_look(0)


def test_a_steady_series_settles_clean() -> None:
    assert not settled(series().first(24)).settled
    found = settled(series().first(30))
    assert (found.settled, found.answer, found.iterations) == (True, "clean", 30)
    assert found.verdict is not None


def test_a_leak_settles_later_than_rest() -> None:
    leaking = series(live=0.5 * T)
    assert not settled(leaking.first(47)).settled
    found = settled(leaking.first(60))
    assert (found.settled, found.answer, found.iterations) == (True, "leak", 59)


@pytest.mark.parametrize(
    ("planned", "leak", "clean"), [(10, 24, 24), (30, 24, 24), (50, 30, 24), (100, 59, 30), (200, 118, 60)]
)
def test_what_was_planned_is_the_measure(planned: int, leak: int, clean: int) -> None:
    assert fewest_iterations("leak", planned) == leak
    assert fewest_iterations("clean", planned) == clean


def test_a_short_plan_settles_sooner() -> None:
    assert settled(series(live=0.5 * T).first(30), planned=50).settled
    assert not settled(series(live=0.5 * T).first(30), planned=100).settled


@pytest.mark.parametrize("period", [30, 40, 42, 45])
def test_a_cache_that_has_emptied_only_once_does_not_settle_as_a_leak(period: int) -> None:
    saw = series(live=3.0 * (T % period))
    answers = [settled(saw.first(look)) for look in LOOKS]
    assert any(found.answer == "leak" for found in answers)
    assert not any(found.settled and found.answer == "leak" for found in answers)


def test_never_on_rss_alone() -> None:
    found = settled(MemorySeries.of(series().rss))
    assert not found.settled
    assert "heap channel" in found.reason


def test_open_verdicts_and_changing_answers_do_not_settle() -> None:
    assert not settled(series(held=3.0 * T)).settled
    late = series(live=2.0 * np.maximum(0, T - 40))
    found = settled(late.first(59))
    assert not found.settled


def test_before_the_first_look() -> None:
    found = settled(series().first(11))
    assert (found.settled, found.iterations, found.verdict) == (False, 0, None)


@pytest.mark.parametrize(
    ("seen", "done"),
    [
        ([(38, "clean"), (30, "clean"), (24, "clean")], True),
        ([(38, "clean"), (30, "clean"), (24, "leak")], False),
        ([(38, "clean"), (30, "leak"), (24, "clean")], False),
        ([(38, "clean"), (30, "clean")], False),
        ([(30, "clean"), (24, "clean"), (19, "clean")], True),
        ([(24, "clean"), (19, "clean"), (15, "clean")], False),
        ([(47, "leak"), (38, "leak"), (30, "leak")], False),
        ([(59, "leak"), (47, "leak"), (38, "leak")], True),
        ([(59, "open"), (47, "leak"), (38, "leak")], False),
    ],
)
def test_three_looks_have_to_agree(seen: list, done: bool) -> None:
    assert agrees(seen)[0] is done
