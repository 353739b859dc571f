"""The arithmetic of a recycle plan."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.analysis.planning.recycling import (
    WorkerFigures,
    best_period,
    jobs_for_cost,
    jobs_within,
    plan_recycling,
    throughput_cost,
    workers_within,
)

FIGURES = WorkerFigures(rate_high_mb=6.0, base_mb=300, peak_above_base_mb=100, start_s=2.0, job_s=1.0)


def test_plan_by_what_fits() -> None:
    """500 MB of room at 6 MB a job last for 83 jobs; 83 s of work for a start of 2 s."""
    plan = plan_recycling(FIGURES, budget_mb=900, workers=1)
    assert plan.max_jobs == 83
    assert plan.max_rss_mb == 900 - 100 - 6
    assert plan.memory_per_worker_mb == 400 + 83 * 6
    assert plan.throughput_cost == pytest.approx(2 / 85)
    assert plan.workers_that_fit == 1
    assert plan.hard_rss_mb is None, "a fifth above what is expected, or it would kill jobs"
    assert "83 jobs" in plan.reason


def test_plan_by_what_pays() -> None:
    """8 GB would last for 1,298 jobs; after 198 a start costs 1 % and the memory goes back."""
    plan = plan_recycling(FIGURES, budget_mb=8192, workers=1)
    assert plan.max_jobs == 198
    assert plan.memory_per_worker_mb == 400 + 198 * 6
    assert plan.max_rss_mb == 300 + 2 * 198 * 6, "twice the growth that is planned"
    assert plan.hard_rss_mb == plan.max_rss_mb + 100 + 6, (
        "one job more than the soft limit allows, not the budget"
    )
    assert plan.workers_that_fit == 5
    assert "1298 jobs" in plan.reason
    assert "1.0%" in plan.reason


def test_the_square_root_rule_binds_where_growth_is_slow() -> None:
    slow = WorkerFigures(rate_high_mb=0.02, base_mb=300, peak_above_base_mb=100, start_s=2.0, job_s=1.0)
    assert best_period(slow) == pytest.approx(200.0)  # sqrt(400 * 2 / (0.02 * 1))
    plan = plan_recycling(slow, budget_mb=8192, workers=1)
    assert plan.max_jobs == 200
    assert plan.throughput_cost == pytest.approx(2 / 202)


@given(st.floats(0.01, 20), st.floats(10, 2000), st.floats(0.1, 30), st.floats(0.05, 30))
def test_no_other_period_makes_more_of_memory(rate: float, base: float, start: float, job: float) -> None:
    figures = WorkerFigures(rate, base, 0.0, start, job)
    best = best_period(figures)
    assert best is not None

    def yielded(jobs: float) -> float:
        return jobs / ((start + jobs * job) * (base + rate * jobs))

    assert all(yielded(best) >= yielded(best * factor) * (1 - 1e-9) for factor in (0.5, 0.9, 1.1, 2.0))


def test_the_number_of_workers_is_the_one_that_does_most() -> None:
    """7 workers have room for 30 jobs each, 9 for 9, 10 for one: 9 * 9 / (2 + 9) jobs a second are the most."""
    plan = plan_recycling(FIGURES, budget_mb=4096)
    assert (plan.workers, plan.max_jobs) == (9, 9)
    assert plan.workers * plan.memory_per_worker_mb <= 4096
    two = plan_recycling(FIGURES, budget_mb=4096, most_workers=2)
    assert (two.workers, two.max_jobs) == (2, 198)


def test_a_small_budget_still_gets_its_one_worker() -> None:
    plan = plan_recycling(FIGURES, budget_mb=420)
    assert (plan.workers, plan.max_jobs) == (1, 3)


def test_without_growth_there_is_nothing_to_recycle() -> None:
    still = WorkerFigures(rate_high_mb=-0.1, base_mb=300, peak_above_base_mb=100, start_s=2, job_s=1)
    plan = plan_recycling(still, budget_mb=1000)
    assert (plan.max_jobs, plan.max_rss_mb, plan.workers, plan.throughput_cost) == (None, None, 2, 0.0)
    assert plan.hard_rss_mb == 500
    assert plan.best_jobs is None


@pytest.mark.parametrize("budget", [4_000, 22_000, 500_000])
@pytest.mark.parametrize("rate", [0.0, 0.5, None])
def test_a_hard_limit_follows_from_what_was_measured_and_not_from_the_machine(
    rate: float | None, budget: float
) -> None:
    figures = WorkerFigures(rate_high_mb=rate, base_mb=300, peak_above_base_mb=100, start_s=2, job_s=1)
    plan = plan_recycling(figures, budget_mb=budget, workers=1)
    assert plan.hard_rss_mb is not None
    assert 1.2 * plan.memory_per_worker_mb <= plan.hard_rss_mb <= 4 * plan.memory_per_worker_mb
    assert plan.max_rss_mb is None or plan.max_rss_mb + 100 <= plan.hard_rss_mb


def test_growth_that_varies_keeps_more_free_than_one_mean_job() -> None:
    varies = WorkerFigures(6.0, 300, 100, 2.0, 1.0, job_high_mb=40.0, spread_mb=12.0)
    plan = plan_recycling(varies, budget_mb=900, workers=1)
    assert plan.max_rss_mb == 900 - 100 - 40
    assert plan.max_jobs is not None
    assert plan.max_jobs < 83, "what fits of mean jobs"
    assert plan.memory_per_worker_mb == pytest.approx(900, abs=8)
    assert "40 MB in a single one" in plan.reason
    with pytest.raises(ValueError, match="440 MB for a single job"):
        plan_recycling(varies, budget_mb=430)


def test_jobs_done_while_a_successor_loads_fit_into_its_room() -> None:
    slow_start = WorkerFigures(6.0, 300, 100, start_s=60.0, job_s=0.5)
    plan = plan_recycling(slow_start, budget_mb=2000, workers=1)
    assert plan.max_rss_mb == 2000 - 100 - 6 - (120 * 6 - 300)


def test_unknown_growth_is_limited_by_the_share() -> None:
    unknown = WorkerFigures(rate_high_mb=None, base_mb=300, peak_above_base_mb=100, start_s=2, job_s=1)
    plan = plan_recycling(unknown, budget_mb=1200)
    assert (plan.workers, plan.max_jobs, plan.max_rss_mb, plan.hard_rss_mb) == (2, None, 500, 600)
    assert "not known" in plan.reason


@pytest.mark.parametrize(("budget", "workers"), [(300, None), (1000, 3), (1000, 0)])
def test_a_budget_that_is_too_small_is_named(budget: float, workers: int | None) -> None:
    with pytest.raises(ValueError, match="budget"):
        plan_recycling(FIGURES, budget_mb=budget, workers=workers)


@pytest.mark.parametrize(
    "wrong",
    [{"job_s": 0}, {"base_mb": -1}, {"rate_high_mb": float("inf")}, {"start_s": float("nan")}],
)
def test_numbers_that_make_no_sense_are_named(wrong: dict[str, float]) -> None:
    right = {"rate_high_mb": 1.0, "base_mb": 1, "peak_above_base_mb": 1, "start_s": 1, "job_s": 1}
    with pytest.raises(ValueError, match=next(iter(wrong))):
        WorkerFigures(**(right | wrong))
    with pytest.raises(ValueError, match="cost_share"):
        jobs_for_cost(1.0, 2, 1)


@given(st.floats(0.01, 50), st.floats(0, 5000))
def test_so_many_jobs_fit_and_not_one_more(rate: float, room: float) -> None:
    jobs = jobs_within(rate, room)
    assert jobs is not None
    assert jobs * rate <= room + 1e-6 * max(room, 1)
    assert (jobs + 1) * rate > room - 1e-6 * max(room, 1)


@given(st.floats(0.001, 0.5), st.floats(0, 60), st.floats(0.01, 60))
def test_so_few_jobs_keep_the_cost(share: float, start: float, job: float) -> None:
    jobs = jobs_for_cost(share, start, job)
    assert throughput_cost(jobs, start, job) <= share + 1e-6
    assert jobs == 1 or throughput_cost(jobs - 1, start, job) > share - 1e-6


def test_small_arithmetic() -> None:
    assert jobs_within(0.0, 100) is None
    assert jobs_within(5.0, -1) == 0
    assert throughput_cost(None, 5, 1) == 0.0
    assert throughput_cost(0, 5, 1) == 1.0
    assert workers_within(1000, 300) == 3
    with pytest.raises(ValueError, match="memory_per_worker_mb"):
        workers_within(1000, 0)
