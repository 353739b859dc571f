"""The arithmetic of a recycle plan."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.analysis import (
    WorkerFigures,
    jobs_for_cost,
    jobs_within,
    plan_recycling,
    throughput_cost,
    workers_within,
)

FIGURES = WorkerFigures(rate_high_mb=6.0, base_mb=300, peak_above_base_mb=100, start_s=2.0, job_s=1.0)


def test_plan_for_one_worker() -> None:
    plan = plan_recycling(FIGURES, budget_mb=1000, workers=1)
    assert plan.max_jobs == 100
    assert plan.max_rss_mb == 900
    assert plan.memory_per_worker_mb == 1000
    assert plan.throughput_cost == pytest.approx(2 / 102)


def test_as_many_workers_as_recycle_cheaply() -> None:
    plan = plan_recycling(FIGURES, budget_mb=4096, cost_share=0.02)
    assert plan.workers == 4096 // (400 + 6 * 98)
    assert plan.throughput_cost <= 0.02
    assert plan.workers * plan.memory_per_worker_mb <= 4096


def test_a_small_budget_still_gets_its_one_worker() -> None:
    plan = plan_recycling(FIGURES, budget_mb=420)
    assert (plan.workers, plan.max_jobs) == (1, 3)


def test_without_growth_there_is_nothing_to_recycle() -> None:
    still = WorkerFigures(rate_high_mb=-0.1, base_mb=300, peak_above_base_mb=100, start_s=2, job_s=1)
    plan = plan_recycling(still, budget_mb=1000)
    assert (plan.max_jobs, plan.max_rss_mb, plan.workers, plan.throughput_cost) == (None, None, 2, 0.0)


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
        plan_recycling(FIGURES, budget_mb=1000, cost_share=1.0)


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
