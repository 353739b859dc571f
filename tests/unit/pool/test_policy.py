"""Recycling, retries, restart_limit, budget, timers: numbers in, decisions out."""

import math
import random

import pytest
import tenacity
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.config.recycle_table import RecycleConfig, RecycleLimits
from orchestrator.pool.core.memory_budget import BARE_WORKER_BYTES, Budget, first_guess, learnt_need
from orchestrator.pool.core.recycling.rules import (
    NO_LIMITS,
    Limits,
    draw_limits,
    due,
    must_stop_working,
    next_check_s,
    time_to_prepare,
)
from orchestrator.pool.core.restart_limit import RestartLimit
from orchestrator.pool.core.states import ExitReason
from orchestrator.pool.core.timers import Timers
from orchestrator.pool.recycling import Recycle
from orchestrator.pool.retries import Retry

MIB = 1024 * 1024


# ------------------------------------------------------------------ recycling


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"max_jobs": 0}, "max_jobs"),
        ({"max_jobs": 1.5}, "max_jobs"),
        ({"max_jobs": True}, "max_jobs"),
        ({"trim_every": 0}, "trim_every"),
        ({"max_age_s": 0}, "max_age_s"),
        ({"max_age_s": float("nan")}, "max_age_s"),
        ({"max_idle_s": -1}, "max_idle_s"),
        ({"max_rss": "much"}, "max_rss"),
        ({"hard_rss": 0}, "hard_rss"),
        ({"jitter": 1.1}, "jitter"),
        ({"max_rss": "2GiB", "hard_rss": "1GiB"}, "max_rss"),
    ],
)
def test_limits_that_make_no_sense_are_named(wrong: dict, name: str) -> None:
    with pytest.raises(ValueError, match=name):
        Recycle(**wrong)


def test_a_model_follows_its_own_limits_alone() -> None:
    own = Recycle(max_jobs=5)
    recycle = Recycle(auto=True, hard_rss="1GiB", models={"asr": own})
    assert recycle.of("asr") is own
    assert recycle.of("other") is recycle
    assert hash(recycle) != hash(own)
    with pytest.raises(TypeError, match="'asr' needs a Recycle"):
        Recycle(models={"asr": 5})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="one level is enough"):
        Recycle(models={"asr": recycle})


def test_the_files_tables_are_the_same() -> None:
    table = RecycleConfig(
        max_jobs=9,
        jitter=0.2,
        models={"asr": RecycleLimits(auto=True), "aligner": RecycleLimits(max_rss="1GiB")},
    )
    made = Recycle.from_config(table, table.models)
    assert (made.max_jobs, made.jitter, made.auto) == (9, 0.2, False)
    assert made.of("asr") == Recycle(auto=True)
    assert made.of("aligner") == Recycle(max_rss="1GiB")


def test_sizes_may_be_text() -> None:
    recycle = Recycle(max_rss="1.5GiB", hard_rss=2 * 1024**3)
    assert recycle.max_rss_bytes == 1536 * MIB
    assert recycle.hard_rss_bytes == 2048 * MIB


@given(st.integers(1, 10_000), st.floats(0, 1), st.floats(0, 1))
def test_jitter_never_raises_a_limit_nor_takes_the_last_job(jobs: int, jitter: float, share: float) -> None:
    limits = draw_limits(
        Recycle(max_jobs=jobs, max_rss=1000, max_age_s=10, hard_rss=2000, jitter=jitter), share
    )
    assert 1 <= limits.jobs <= jobs
    assert limits.jobs >= int(jobs * (1 - jitter))
    assert limits.rss_bytes <= 1000
    assert limits.age_s <= 10
    assert limits.hard_rss_bytes == 2000


LIMITS = Limits(jobs=10, rss_bytes=100, hard_rss_bytes=None, age_s=60.0, idle_s=5.0, trim_every=None)


@pytest.mark.parametrize(
    ("jobs", "rss", "age", "reason"),
    [
        (9, 100, 59.9, None),
        (10, 0, 0, ExitReason.JOBS),
        (9, 101, 0, ExitReason.RSS),
        (9, 0, 60, ExitReason.AGE),
        (10, 101, 60, ExitReason.JOBS),
        (9, 101, 60, ExitReason.RSS),
    ],
)
def test_when_a_worker_is_due(jobs: int, rss: int, age: float, reason: ExitReason | None) -> None:
    assert due(LIMITS, jobs=jobs, rss_bytes=rss, age_s=age) is reason
    assert due(NO_LIMITS, jobs=jobs, rss_bytes=rss, age_s=age) is None


def test_only_the_count_is_a_promise() -> None:
    assert [reason for reason in ExitReason if must_stop_working(reason)] == [ExitReason.JOBS]


@pytest.mark.parametrize(
    ("jobs", "job_s", "start_s", "now"),
    [
        (9, None, None, False),
        (10, None, None, True),
        (8, 1.0, 1.9, False),
        (8, 1.0, 2.0, True),
        (1, 0.1, 1.0, True),
        (1, 0.1, 0.5, False),
    ],
)
def test_a_successor_is_started_in_time(
    jobs: int, job_s: float | None, start_s: float | None, now: bool
) -> None:
    assert time_to_prepare(LIMITS, jobs=jobs, job_s=job_s, start_s=start_s) is now
    assert not time_to_prepare(NO_LIMITS, jobs=jobs, job_s=job_s, start_s=start_s)


def test_an_idle_worker_is_looked_at_for_whatever_comes_first() -> None:
    assert next_check_s(LIMITS, age_s=10, idle_s=1) == 4
    assert next_check_s(LIMITS, age_s=59, idle_s=1) == 1
    assert next_check_s(LIMITS, age_s=70, idle_s=1) == 0
    assert next_check_s(LIMITS, age_s=10, idle_s=4.75) == 0.25
    assert next_check_s(LIMITS, age_s=10, idle_s=99) == 0
    assert next_check_s(NO_LIMITS, age_s=70, idle_s=1) is None


# ------------------------------------------------------------------ retries, restart_limit


def test_as_many_attempts_as_said_and_no_pause() -> None:
    retry = Retry.up_to(3)
    assert [retry.next_pause_s(attempts, 0.0) for attempts in (1, 2, 3)] == [0.0, 0.0, None]
    assert Retry().next_pause_s(1, 0.0) is None


def test_strategies_of_tenacity_decide() -> None:
    retry = Retry(
        stop=tenacity.stop_after_delay(10), wait=tenacity.wait_exponential(multiplier=1, min=1, max=100)
    )
    pauses = [retry.next_pause_s(attempts, elapsed) for attempts, elapsed in ((1, 0.0), (3, 5.0), (4, 10.5))]
    assert pauses == [1.0, 4.0, None]


@pytest.mark.parametrize("wrong", [0, -1, True, 1.5, "3"])
def test_attempts_are_a_number(wrong: object) -> None:
    with pytest.raises(ValueError, match="max_attempts"):
        Retry.up_to(wrong)  # type: ignore[arg-type]


def test_three_failures_within_the_period_are_too_many() -> None:
    restart_limit = RestartLimit(most=3, period_s=60)
    assert not restart_limit.start_failed(0, "a")
    restart_limit.started()
    assert not restart_limit.start_failed(30, "b")
    restart_limit.started()
    assert restart_limit.start_failed(59, "c")
    assert restart_limit.evidence == ("a", "b", "c")


def test_failures_within_the_period_are_too_many_even_with_successes_between() -> None:
    restart_limit = RestartLimit(most=3, period_s=60)
    for at, too_many in [(1000.0, False), (1030.0, False), (1060.0, True), (1200.0, False)]:
        assert restart_limit.start_failed(at, "why") is too_many, at
        restart_limit.started()


def test_failures_far_apart_are_forgiven_unless_none_succeeds() -> None:
    restart_limit = RestartLimit(most=3, period_s=60)
    for now in (0, 50, 100, 150, 200):
        assert not restart_limit.start_failed(now, "slow")
        restart_limit.started()
    assert not restart_limit.start_failed(1000, "x")
    assert not restart_limit.start_failed(2000, "x")
    assert restart_limit.start_failed(3000, "x")


def test_of_many_failures_the_last_ones_count_and_are_the_evidence() -> None:
    restart_limit = RestartLimit(most=3, period_s=60)
    for now in (0, 100, 200, 300, 310):
        assert not restart_limit.start_failed(now, f"at {now}")
        restart_limit.started()
    assert restart_limit.start_failed(320, "at 320")
    assert restart_limit.evidence == ("at 300", "at 310", "at 320")


# ------------------------------------------------------------------ budget


def test_a_need_is_guessed_from_the_file_and_then_learnt() -> None:
    assert first_guess(500 * MIB) == 500 * MIB + BARE_WORKER_BYTES
    assert first_guess(None) == first_guess(0) == 64 * MIB
    assert learnt_need(100 * MIB, 1000 * MIB) == int(110 * MIB)
    assert learnt_need(1, 1000 * MIB) == BARE_WORKER_BYTES
    assert learnt_need(2000 * MIB, 1000 * MIB) == 1000 * MIB


@given(st.lists(st.tuples(st.sampled_from("rad"), st.integers(0, 5), st.integers(0, 60)), max_size=60))
def test_the_sum_never_exceeds_the_budget(steps: list[tuple[str, int, int]]) -> None:
    budget, held = Budget(100), {}
    for what, holder, amount in steps:
        if what == "r" and holder not in held:
            fits = amount <= 100 - sum(held.values())
            assert budget.reserve(holder, amount) is fits
            if fits:
                held[holder] = amount
        elif what == "a" and holder in held:
            budget.adjust(holder, amount)
            held[holder] = min(amount, held[holder] + 100 - sum(held.values()))
        elif what == "d":
            budget.release(holder)
            held.pop(holder, None)
        assert budget.reserved_bytes == sum(held.values()) <= 100
        assert {name: budget.held_by(name) for name in held} == held


def test_overshoot_is_what_lies_above_the_reservation() -> None:
    budget = Budget(100)
    budget.reserve("a", 60)
    assert budget.overshoot_bytes("a", 75) == 15
    assert budget.overshoot_bytes("a", 10) == 0


# ------------------------------------------------------------------ timers


@given(st.integers(0, 2**32))
def test_deadlines_are_what_a_dictionary_would_say(seed: int) -> None:
    draw, timers, model, now = random.Random(seed), Timers[int](), {}, 0.0
    for _ in range(300):
        key, action = draw.randrange(20), draw.random()
        if action < 0.5:
            model[key] = now + draw.randrange(50)
            timers.set(key, model[key])
        elif action < 0.7:
            model.pop(key, None)
            timers.clear(key)
        else:
            now += draw.randrange(10)
            due_now = timers.pop_due(now)
            assert set(due_now) == {key for key, at in model.items() if at <= now}
            assert [model[key] for key in due_now] == sorted(model[key] for key in due_now)
            for key in due_now:
                del model[key]
        # never later than what is due, or it would be missed; exact once it was asked for
        assert timers.earliest <= min(model.values(), default=math.inf)
        assert timers.next_due() == min(model.values(), default=None)
        assert timers.earliest == min(model.values(), default=math.inf)
        assert len(timers) == len(model)


def test_timers_made_anew_know_the_earliest_deadline() -> None:
    timers = Timers[str]()
    timers.set("late", 7.0)
    timers.set("early", 3.0)
    timers.earliest = math.inf  # as an interrupt may leave it
    timers.rebuild()
    assert timers.earliest == 3.0
    assert timers.pop_due(10.0) == ["early", "late"]
    timers.rebuild()
    assert timers.earliest == math.inf


def test_a_deadline_moved_a_million_times_takes_no_room() -> None:
    timers = Timers[str]()
    for number in range(10_000):
        timers.set("one", number)
        timers.set(f"other {number}", number)
        timers.clear(f"other {number}")
    assert len(timers._heap) < 200
