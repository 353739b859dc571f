"""What is learnt from scripted readings: known rates, flat, pools, steps, noise; and when a worker leaves for it."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable

import pytest

from orchestrator.pool.core.recycling.growth_model import MOST_POINTS, Learner, Trace
from orchestrator.pool.core.recycling.learned import (
    MOST_UNWATCHED_JOBS,
    UNWATCHED_JOBS,
    Due,
    Standing,
    best_jobs,
    learned_due,
    limit_for,
    unwatched_jobs,
)

MIB = 1 << 20
BASE = 100.0


def live(learner: Learner, sizes_mib: Iterable[float]) -> Trace:
    """One worker's life: RSS after each job, in MiB."""
    trace = learner.begin()
    for size in sizes_mib:
        learner.job_ended(trace, int(size * MIB))
    return trace


def until_due(
    size_mib: Callable[[int], float], limit_mib: float, *, jobs: int = 500, learner: Learner | None = None
) -> tuple[int | None, Trace]:
    """Let a worker live; return after which job it was told to stop at once, None for never."""
    learner = learner or Learner()
    trace = learner.begin()
    for job in range(1, jobs + 1):
        learner.job_ended(trace, int(size_mib(job) * MIB))
        due = learned_due(trace, learner.growth, Standing(int(limit_mib * MIB)))
        if due is not None and due.at_once:
            return job, trace
    return None, trace


def test_a_constant_leak_is_found_to_the_byte() -> None:
    learner = Learner()
    live(learner, [BASE + 2 * job for job in range(1, 41)])
    growth = learner.growth
    assert growth.rate == 2 * MIB
    assert growth.rate_low == growth.rate_high == 2 * MIB
    assert growth.certain


def test_lives_are_pooled_and_a_restart_is_no_growth() -> None:
    learner = Learner()
    for _ in range(6):
        live(learner, [BASE + 3 * job for job in range(1, 11)])
    assert learner.growth.rate == 3 * MIB
    assert learner.growth.lives == 6


@pytest.mark.parametrize("seed", range(5))
def test_noise_hides_no_leak_and_makes_none(seed: int) -> None:
    draw = random.Random(seed)
    for rate in (0.0, 0.5):
        learner = Learner()
        for _ in range(3):
            live(learner, [BASE + rate * job + draw.uniform(0, 4) for job in range(1, 201)])
        growth = learner.growth
        assert growth.rate is not None
        assert growth.rate_high is not None
        assert growth.rate == pytest.approx(rate * MIB, abs=0.05 * MIB)
        assert growth.rate_high >= growth.rate
        if rate:
            assert growth.certain


def test_a_pool_that_fills_is_warm_up() -> None:
    learner = Learner()
    live(learner, [BASE + min(job, 10) * 5 for job in range(1, 121)])
    assert learner.growth.rate == 0
    assert not learner.growth.certain


def test_what_is_kept_does_not_grow_with_life() -> None:
    trace = live(Learner(), (BASE + job for job in range(5000)))
    assert len(trace.points) <= MOST_POINTS
    assert trace.points[-1][0] > 4000


@pytest.mark.parametrize("rate", [0.5, 2.0, 30.0, 100.0])
def test_a_leak_leaves_before_the_job_that_would_pass_the_limit(rate: float) -> None:
    job, trace = until_due(lambda job: BASE + rate * job, limit_mib=350)
    assert job is not None
    assert trace.last <= 350 * MIB
    assert trace.last + rate * MIB > 350 * MIB - rate * MIB, "and not much earlier"


def test_a_staircase_leaves_before_the_step_that_would_pass_it() -> None:
    """20 MiB every tenth job."""
    job, trace = until_due(lambda job: BASE + 20 * (job // 10), limit_mib=250)
    assert job is not None
    assert 250 - 40 <= trace.last / MIB <= 250


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("limit_mib", [50, 102, 200])
def test_flat_is_never_replaced_whatever_the_limit(limit_mib: float, seed: int) -> None:
    draw = random.Random(seed)
    assert until_due(lambda job: BASE + draw.uniform(0, 3), limit_mib, jobs=3000)[0] is None


def test_a_pool_below_the_limit_is_never_replaced_and_one_above_it_is_each_time() -> None:
    def pool(job: int) -> float:
        return BASE + 5 * min(job, 10)

    learner = Learner()
    assert until_due(pool, limit_mib=200, learner=learner)[0] is None
    assert until_due(pool, limit_mib=130, learner=learner)[0] == 6, "105, 110 ... 130 MiB, and 5 more"


def test_a_wild_warm_up_counts_for_nothing_once_it_is_over() -> None:
    draw = random.Random(3)

    def size(job: int) -> float:
        return BASE + (draw.uniform(0, 40) if job <= 8 else 40.0)

    job, _ = until_due(size, limit_mib=200)
    assert job is None


def test_the_peak_within_a_job_counts() -> None:
    learner = Learner()
    trace = learner.begin()
    for job in range(1, 200):
        trace.saw(int((trace.last / MIB + 60) * MIB))
        learner.job_ended(trace, int((BASE + job) * MIB))
        if learned_due(trace, learner.growth, Standing(300 * MIB)):
            break
    assert trace.above == 60 * MIB
    assert trace.last + trace.above == pytest.approx(300 * MIB, abs=2 * MIB)


def test_a_successor_is_prepared_as_many_jobs_before_as_a_start_takes() -> None:
    learner = Learner()
    trace = live(learner, [BASE + 2 * job for job in range(1, 41)])  # 180 MiB now, 2 more with each job
    standing = Standing(200 * MIB, start_s=5.0, job_s=1.0)
    assert learned_due(trace, learner.growth, standing) is None
    for size in (182, 184, 186, 188):
        learner.job_ended(trace, size * MIB)
        assert learned_due(trace, learner.growth, standing) is None
    learner.job_ended(trace, 190 * MIB)
    assert learned_due(trace, learner.growth, standing) == Due(at_once=False)


def test_while_others_wait_for_memory_the_square_root_rule_holds() -> None:
    learner = Learner()
    trace = live(learner, [BASE + 2 * job for job in range(1, 41)])
    best = best_jobs(trace, learner.growth, start_s=8.0, job_s=0.5)
    assert best == pytest.approx((102 * 8.0 / (2 * 0.5)) ** 0.5)  # 28.6 jobs
    alone = Standing(10_000 * MIB, 8.0, 0.5)
    assert learned_due(trace, learner.growth, alone) is None
    assert learned_due(trace, learner.growth, alone._replace(crowded=True)) == Due(at_once=True, by_cost=True)
    young = live(learner, [BASE + 2 * job for job in range(1, 21)])
    assert learned_due(young, learner.growth, alone._replace(crowded=True)) is None


def test_a_trim_is_no_growth_undone() -> None:
    learner = Learner()
    trace = live(learner, [BASE + 10 * job for job in range(1, 11)])
    trace.stands_at(int(110 * MIB))
    learner.job_ended(trace, 120 * MIB)
    assert learner.growth.rise == 10 * MIB


def test_jitter_leaves_earlier_and_never_later() -> None:
    limits = []
    for slack in (0.0, 0.1):
        learner = Learner()
        trace = learner.begin(slack)
        size = 100
        while learned_due(trace, learner.growth, Standing(300 * MIB)) is None:
            learner.job_ended(trace, size * MIB)
            size += 1
        limits.append(trace.last / MIB)
    assert limits == [300, 280]


@pytest.mark.parametrize(
    ("fresh", "budget", "workers", "need", "free", "limit"),
    [
        (100, 1000, 2, 110, 500, 445),  # a share of 500, with room kept for a successor
        (100, 300, 1, 110, 300, 300),  # keeping 110 free would take more than half of the room
        (400, 600, 2, 440, 550, 550),  # no share holds it: what is free
        (400, 600, 2, 440, 250, 300),
    ],
)
def test_what_a_worker_may_take(
    fresh: int, budget: int, workers: int, need: int, free: int, limit: int
) -> None:
    trace = live(Learner(), [fresh])
    found = limit_for(
        trace,
        budget_bytes=budget * MIB,
        workers=workers,
        need_bytes=need * MIB,
        free_bytes=free * MIB,
    )
    assert found == limit * MIB


def lives_of(
    size_mib: Callable[[int], float], room_mib: float, *, jobs: int, start_s: float = 0.4, job_s: float = 0.02
) -> tuple[int, float]:
    """Do ``jobs`` jobs in as many lives as that takes, one worker; return the replacements and the highest reading."""
    learner = Learner()
    replaced, highest, trace, age = 0, 0.0, learner.begin(), 0
    for _ in range(jobs):
        age += 1
        size = BASE + size_mib(age)
        highest = max(highest, size)
        learner.job_ended(trace, int(size * MIB))
        limit = limit_for(
            trace,
            budget_bytes=int((BASE + room_mib) * MIB),
            workers=1,
            need_bytes=int(1.1 * BASE * MIB),
            free_bytes=int((BASE + room_mib) * MIB),
            outgrown=learner.outgrown,
        )
        standing = Standing(limit, start_s, job_s, outgrown=learner.outgrown)
        if learned_due(trace, learner.growth, standing) is not None:
            trace.outgrew = True
            replaced, trace, age = replaced + 1, learner.begin(), 0
    return replaced, highest - BASE


@pytest.mark.parametrize("job_s", [0.001, 0.02, 1.0])
@pytest.mark.parametrize("room_mib", [70, 130, 400, 900])
@pytest.mark.parametrize(
    "cache",
    [
        lambda job: min(60.0, 0.25 * job),
        lambda job: min(60.0, 4.0 * job),
        lambda job: 60 * (1 - math.exp(-job / 80)),
        lambda job: 60 / (1 + math.exp(-(job - 150) / 25)),
    ],
    ids=["slow", "fast", "exponential", "s-shaped"],
)
def test_a_cache_that_fits_its_budget_fills_and_its_worker_stays(
    cache: Callable[[int], float], room_mib: float, job_s: float
) -> None:
    replaced, highest = lives_of(cache, room_mib, jobs=800, job_s=job_s)
    assert replaced == 0
    assert highest == pytest.approx(60, abs=1)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("room_mib", [35, 80, 300])
def test_noise_is_allowed_for_once(room_mib: float, seed: int) -> None:
    draw = random.Random(seed)
    replaced, _ = lives_of(lambda _job: draw.uniform(0, 30), room_mib, jobs=2000)
    assert replaced <= 1, "one, before any reading has fallen"
    leaky, highest = lives_of(lambda job: 0.1 * job + draw.uniform(0, 20), 60, jobs=4000)
    assert leaky <= 15, "0.1 MiB a job and 40 MiB of room above the noise: ten times, or a little more"
    assert highest <= 60 + 2


def test_growth_that_has_slowed_down_is_not_extrapolated() -> None:
    learner = Learner()
    trace = live(learner, [BASE + 80 * (1 - math.exp(-job / 30)) for job in range(1, 91)])
    assert trace.slows_down
    near = Standing(int((BASE + 85) * MIB), start_s=30.0, job_s=0.5)
    assert learned_due(trace, learner.growth, near) is None
    steady = live(Learner(), [BASE + 0.9 * job for job in range(1, 91)])
    assert not steady.slows_down


def test_a_leak_with_room_for_short_jobs_is_read_now_and_then_only() -> None:
    learner = Learner()
    trace = live(learner, [BASE + 0.01 * job for job in range(1, 40)])
    assert unwatched_jobs(trace, learner.growth, 200 * MIB) == MOST_UNWATCHED_JOBS
    assert UNWATCHED_JOBS <= unwatched_jobs(trace, learner.growth, trace.last + 2 * MIB) < MOST_UNWATCHED_JOBS
    assert unwatched_jobs(trace, learner.growth, int(trace.last + 0.1 * MIB)) == 0
    learner.job_ended(trace, trace.last + MIB, 64)
    assert trace.jobs == 39 + 64
    assert learner.growth.rise == MIB


def test_a_peak_that_no_new_process_could_hold_replaces_none() -> None:
    """One job of 500 MiB in a budget of 300: replacing after every few jobs would not make it fit."""
    learner = Learner()
    trace = live(learner, [BASE + 0.2 * job for job in range(1, 20)])
    trace.saw(500 * MIB)
    for job in range(20, 200):
        learner.job_ended(trace, int((BASE + 0.2 * job) * MIB))
        assert learned_due(trace, learner.growth, Standing(300 * MIB)) is None


def test_the_best_period_counts_the_peak_within_a_job() -> None:
    learner = Learner()
    trace = learner.begin()
    for job in range(40):
        trace.saw(int((BASE + 2 * job + 60) * MIB))
        learner.job_ended(trace, int((BASE + 2 * job) * MIB))
    assert learner.growth.above == 62 * MIB
    assert best_jobs(trace, learner.growth, 9.0, 0.5) == pytest.approx(
        math.sqrt((100 + 62) * 9.0 / (2 * 0.5))
    )
