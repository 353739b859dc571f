"""From results to plans: which series informs a model, what each verdict leads to, what is said beside the numbers."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from orchestrator.analysis.planning.model_plan import ModelPlan, RunPlan
from orchestrator.config.types import ExperimentsFile
from orchestrator.errors import ResultsError
from orchestrator.experiments.planning.recycle_plan import plan_results, plan_run
from orchestrator.experiments.results.results_file import Results
from orchestrator.files.writing import to_readable_json
from orchestrator.pool.recycling import Recycle
from orchestrator.report.closing.what_to_do import plan_line
from orchestrator.report.plan_lines import plan_details, plan_report, plan_sentence
from orchestrator.report.summaries import SeriesSummary

MB = 1024**2
BUDGET = 1000 * MB
JOB_S, SPAWN_S, LOAD_S = 2.0, 0.5, 1.5


def judged(verdict: str = "leak", *, rate: float = 5.0, spread: float = 1.0, **facts: Any) -> dict[str, Any]:
    known: dict[str, Any] = {
        "experiment": "e",
        "series": "reuse",
        "method": "reuse",
        "verdict": verdict,
        "outcome": "completed",
        "sentence": "completed 20 iterations",
        "boundary": "after_infer",
        "iterations": 20,
        "rss_rate_mb_per_iteration": rate,
        "rss_ci_low": rate - spread,
        "rss_ci_high": rate + spread,
    }
    return known | facts


def series(
    key: str = "reuse",
    judgement: dict[str, Any] | None = None,
    *,
    models: tuple[str, ...] = ("asr",),
    start_mb: float = 200.0,
    rate: float = 5.0,
    count: int = 20,
    job_s: float = JOB_S,
    above_mb: float = 30.0,
    **summary: Any,
) -> tuple[str, dict[str, Any], list[dict[str, Any]]]:
    """One series: its key, summary and iterations. Memory starts at ``start_mb`` and grows by ``rate``."""
    method, _, variant = key.partition("@")
    entries = []
    for number in range(1, count + 1):
        now = start_mb + rate * (number - 1)
        first = number == 1 or method in {"recycle", "recreate"}
        steps = [
            {
                "model": name,
                "rss_mb": {"after_infer": now},
                "vm_hwm_mb": {"after_infer": now + above_mb},
                "spawn_s": SPAWN_S if number == 1 or method == "recycle" else None,
                "load_s": LOAD_S if first else None,
                "infer_s": job_s,
            }
            for name in models
        ]
        entries.append(
            {
                "method": method,
                **({"variant": variant} if variant else {}),
                "iteration": number,
                "memory_mb": now,
                "peak_mb": now + above_mb,
                "steps": steps,
            }
        )
    about = {
        "method": method,
        "variant": variant or None,
        "judgement": {**judged(), **(judgement or {}), "method": method, "series": key},
        "trim_released_mb": None,
    }
    return key, {**about, **summary}, entries


def results(
    *parts: tuple[str, dict[str, Any], list[dict[str, Any]]], models: tuple[str, ...] = ("asr",)
) -> Results:
    envs = {"reuse@trim": {"MALLOC_TRIM_THRESHOLD_": "131072"}}
    return Results(
        tool="orchestrator",
        profile="p",
        config={
            "experiment": "e",
            "series": [
                {"method": s["method"], "variant": s["variant"], "env": envs.get(key, {})}
                for key, s, _ in parts
            ],
            "steps": [
                {"task": "asr", "model": {"role": name, "label": name.upper(), "engine": "x", "threads": 1}}
                for name in models
            ],
        },
        summary={key: msgspec.convert(summary, SeriesSummary) for key, summary, _ in parts},
        iterations=[entry for _, _, entries in parts for entry in entries],
    )


def plan_of(
    *parts: Any, models: tuple[str, ...] = ("asr",), budget: int = BUDGET, workers: int = 1
) -> RunPlan:
    made = results(*parts, models=models)
    return plan_results({"e": made}, source="test", budget_bytes=budget, workers=workers)


def only(plan: RunPlan) -> ModelPlan:
    (found,) = plan.models
    return found


BASELINE = series("recycle", judged("flat", rate=0, spread=0), rate=0)


def test_a_leak_by_hand() -> None:
    """At most 6 MB a job, 200 MB warm, 30 MB more within a job: 770 MB of room last for 128 jobs of 2 s."""
    plan = only(plan_of(series(), BASELINE))
    assert (plan.experiment, plan.series, plan.verdict) == ("e", "reuse", "leak")
    assert plan.rate_mb_per_job == 6.0
    assert (plan.base_mb, plan.peak_above_base_mb) == (200.0, 30.0)
    assert (plan.start_s, plan.job_s) == (SPAWN_S + LOAD_S, JOB_S)
    assert plan.max_jobs == 99, "128 would fit; after 99 a start of 2 s costs 1 % of 200 s"
    assert plan.max_rss_mb == 1000 - 30 - 6
    assert plan.throughput_cost == pytest.approx(0.01)
    assert plan.recycle == {"max_jobs": 99, "max_rss": "964MiB", "hard_rss": "1000MiB"}
    assert only(plan_of(series(), BASELINE, budget=500 * MB)).max_jobs == (500 - 230) // 6


def test_the_upper_end_of_the_interval_counts_and_a_leak_hidden_in_free_memory_too() -> None:
    wide = only(plan_of(series("reuse", judged(rate=2.0, spread=3.0)), BASELINE))
    assert wide.rate_mb_per_job == 5.0
    hidden = judged(rate=0.0, spread=0.1, heap_rate_mb_per_iteration=3.0, heap_ci_high=3.2)
    assert only(plan_of(series("reuse", hidden, rate=0), BASELINE)).rate_mb_per_job == 3.2


def test_growth_that_varies_is_measured_from_job_to_job() -> None:
    """5 MB a job on average: 1 MB, and 41 MB with every tenth."""
    key, about, entries = series(count=41)
    sizes = [200.0 + number + 40 * (number // 10) for number in range(41)]
    for entry, size in zip(entries, sizes, strict=True):
        entry["steps"][0]["rss_mb"]["after_infer"] = size
        entry["steps"][0]["vm_hwm_mb"]["after_infer"] = entry["peak_mb"] = size + 30
    plan = only(plan_of((key, about, entries), BASELINE))
    assert plan.max_rss_mb == pytest.approx(1000 - 30 - 41)
    assert "in a single one" in plan.reason


def test_the_budget_without_one_is_what_is_free() -> None:
    made = plan_results({"e": results(series(), BASELINE)}, source="test")
    free = psutil.virtual_memory().available / MB
    assert 0 < made.budget_mb < free + 512


@pytest.mark.parametrize("verdict", ["flat", "plateau", "bounded"])
def test_what_is_clean_need_not_be_recycled(verdict: str) -> None:
    plan = only(plan_of(series("reuse", judged(verdict, rate=0.01, spread=0.02), rate=0), BASELINE))
    assert (plan.max_jobs, plan.max_rss_mb, plan.hard_rss_mb) == (None, None, 230 + 128)
    assert plan.recycle == {"hard_rss": "358MiB"}
    assert "Nothing need be recycled" in " ".join(plan.advice)
    assert plan.basis == f"e/reuse does not leak ({verdict}): no growth"
    assert "nothing to recycle" in plan_sentence(plan)


def test_an_open_verdict_is_planned_on_the_safe_side_and_says_how_to_settle_it() -> None:
    open_ = judged("inconclusive", rate=0.5, spread=2.0, settle=["30 iterations more would settle it"])
    plan = only(plan_of(series("reuse", open_, rate=0.5), BASELINE))
    assert plan.rate_mb_per_job == 2.5
    assert "To settle it: 30 iterations more would settle it" in plan.advice
    unknown = judged("inconclusive", rss_ci_low=None, rss_ci_high=None)
    bare = only(plan_of(series("reuse", unknown, count=2), BASELINE))
    assert (bare.rate_mb_per_job, bare.max_jobs) == (None, None)
    assert bare.recycle == {"max_rss": "430MiB", "hard_rss": "690MiB"}, (
        "twice its size, not all that there is"
    )


def test_a_worker_leaves_before_the_job_that_crashed() -> None:
    crashed = judged("crashed", outcome="crashed", sentence="crashed at iteration 21 in phase infer: SIGSEGV")
    plan = only(plan_of(series("reuse", crashed), BASELINE))
    assert plan.max_jobs == 20
    assert "crashed at iteration 21" in plan.advice[0]


def test_a_period_that_a_crash_alone_suggests_says_so_wherever_it_is_advised() -> None:
    crashed = judged("crashed", outcome="crashed", sentence="crashed at iteration 20 in phase infer: SIGSEGV")
    made = plan_of(series("reuse", crashed, count=19), BASELINE)
    plan = only(made)
    assert (plan.max_jobs, plan.crashed_after) == (19, 19)
    assert plan.throughput_cost == pytest.approx(2 / (2 + 19 * JOB_S)), "that of the period which is advised"
    for said in (plan_line(plan), plan_sentence(plan)):
        assert "crashed after 19 jobs, find out why; until then, as a guess, recycle after 19 jobs" in said
    assert "# it crashed after 19 jobs: max_jobs is a guess, no cure\nmax_jobs = 19\n" in made.table()
    assert any("a guess from one crash" in advice for advice in plan.advice)
    survived = only(plan_of(series(), series("restart", crashed, count=150), BASELINE))
    assert (survived.max_jobs, survived.crashed_after) == (99, None), "growth asks for less than the crash"
    assert "crashed" not in plan_line(survived)


def test_reuse_tells_more_than_restart_and_restart_than_recreate() -> None:
    parts = [series("recreate", judged(rate=9.0)), series("restart", judged(rate=7.0)), BASELINE]
    assert only(plan_of(*parts)).series == "restart"
    assert only(plan_of(*parts, series("reuse"))).series == "reuse"
    plan = only(plan_of(parts[0], BASELINE))
    assert (plan.series, plan.rate_mb_per_job) == ("recreate", 10.0)
    assert "loads and jobs together" in plan.basis


def test_fresh_processes_alone_say_nothing_of_growth() -> None:
    plan = only(plan_of(BASELINE))
    assert (plan.rate_mb_per_job, plan.max_jobs) == (None, None)
    assert "reuse or restart" in " ".join(plan.advice)


def test_several_models_have_a_table_each_and_share_a_process_in_recreate() -> None:
    both = ("asr", "a.b")
    made = plan_of(series("recreate", models=both), models=both)
    assert [plan.model for plan in made.models] == ["asr", "a.b"]
    assert "2 models in one process" in made.models[0].basis
    tables = tomllib.loads(made.table())["recycle"]["models"]
    assert tables == {plan.model: plan.recycle for plan in made.models}
    document = {"schema": 1, **tomllib.loads(made.table())}
    assert msgspec.convert(document, ExperimentsFile).recycle is not None


def net(channel: str, **rates: tuple[float, float]) -> dict[str, Any]:
    """Net changes by model, each with the half of its interval."""
    models = {
        role: {
            "per_iteration": {"low": rate - half, "rate": rate, "high": rate + half},
            "finding": "grows" if rate > half else "nothing",
            "jobs": 1,
            "split": None,
        }
        for role, (rate, half) in rates.items()
    }
    total = sum(rate for rate, _ in rates.values())
    return {
        "channel": channel,
        "models": models,
        "sum": total,
        "total": total,
        "between": 0.0,
        "iterations": 20,
    }


def test_models_of_one_process_are_planned_with_their_own_growth() -> None:
    both = ("asr", "other")
    own = [net("live", asr=(0.5, 0.02), other=(0.0, 0.002)), net("rss", asr=(9.0, 1.0), other=(-4.0, 1.0))]
    made = plan_of(series("recreate", models=both, net_changes=own), models=both)
    asr, other = made.models
    assert (other.max_jobs, other.max_rss_mb, other.rate_mb_per_job) == (None, None, 0.0)
    assert "no growth of its own" in other.basis
    assert "another model's" in " ".join(other.advice)
    assert asr.rate_mb_per_job == 6.0, "all of the growth of RSS: its live heap is all that grows"
    assert "0.5000 ± 0.0200 MB per iteration" in asr.basis
    assert asr.net_change is not None
    assert asr.net_change.rate == 0.5
    shared = [net("live", asr=(0.3, 0.0), other=(0.1, 0.0))]
    made = plan_of(series("recreate", models=both, net_changes=shared), models=both)
    assert [plan.rate_mb_per_job for plan in made.models] == pytest.approx([4.5, 1.5])


def test_jobs_are_counted_where_an_iteration_has_several() -> None:
    plan = only(plan_of(series("reuse", models=("asr", "asr")), BASELINE))
    assert plan.rate_mb_per_job == 3.0


RETAINED = {"composition": {"live_heap": 0.5, "held_free": 4.5}, "heap_ci_high": 0.6}


def test_a_trim_that_gave_the_growth_back_does_instead() -> None:
    plan = only(plan_of(series("reuse", judged(**RETAINED), trim_released_mb=90.0), BASELINE))
    assert plan.trim_every == 4, "a tenth of 200 MB between two trims, 4.5 MB each job"
    assert plan.recycle["trim_every"] == 4
    assert "gave back 90 MB, where 95 MB had grown" in " ".join(plan.advice)
    assert plan.reason.startswith("with the trims grows by at most 1.5 MB per job")
    not_shown = only(plan_of(series("reuse", judged(**RETAINED), trim_released_mb=10.0), BASELINE))
    assert not_shown.trim_every is None
    assert "MALLOC_TRIM_THRESHOLD_" in " ".join(not_shown.advice)


@pytest.mark.parametrize(("job_s", "better"), [(JOB_S, True), (JOB_S * 1.3, False)])
def test_a_variant_is_held_against_recycling_with_what_it_measured(job_s: float, better: bool) -> None:
    variant = series("reuse@trim", judged(rate=0.4, spread=0.1), rate=0.4, job_s=job_s)
    plan = only(plan_of(series(), variant, BASELINE))
    (lever,) = plan.levers
    assert lever.environment == "MALLOC_TRIM_THRESHOLD_=131072"
    assert (lever.rate_mb_per_job, lever.better) == (0.5, better)
    assert lever.speed == pytest.approx(JOB_S / job_s, rel=0.02)
    said = " ".join(plan.advice)
    assert ("better than recycling alone" in said) is better
    assert plan.series == "reuse", "a variant informs no plan of the plain environment"


def test_a_variant_that_was_run_is_not_advised_again() -> None:
    held = judged("inconclusive", composition={"live_heap": 0.02, "held_free": 6.2})
    variant = series("reuse@trim", judged("inconclusive"))
    plan = only(plan_of(series("reuse", held, trim_released_mb=1.0), variant, BASELINE))
    said = " ".join(plan.advice)
    assert "6 of 6 MB per job is free memory that the allocator holds" in said
    assert "MALLOC_TRIM_THRESHOLD_=131072: RSS grows by at most 6 MB per job, jobs take as long" in said
    assert "would show" not in said


def test_a_model_that_does_not_fit_is_left_out_with_both_numbers() -> None:
    made = plan_of(series(), BASELINE, budget=100 * MB)
    assert made.models == []
    assert "100 MB" in made.left_out[0]
    assert "236 MB" in made.left_out[0]


def test_words_and_tables_of_all_that(tmp_path: Path) -> None:
    made = plan_of(series("reuse", judged(**RETAINED), trim_released_mb=90.0), BASELINE)
    lines = [line.text for line in plan_report(made, 100)]
    assert any(line.startswith("asr") and "6.000" in line for line in lines)
    assert plan_sentence(only(made)).startswith("asr (ASR): recycle after ")
    assert all(text.endswith(".") for text in plan_details(only(made)))


# ------------------------------------------------------------------ from files


def test_recycle_from_a_result_file(tmp_path: Path) -> None:
    file = tmp_path / "e.json"
    file.write_bytes(to_readable_json(results(series(), BASELINE)))
    made = Recycle.from_results(file, memory_budget=BUDGET, workers=1)
    assert (made.max_jobs, made.max_rss, made.models) == (99, "964MiB", {})
    both = ("asr", "aligner")
    file.write_bytes(to_readable_json(results(series("recreate", models=both), models=both)))
    each = Recycle.from_results(file, memory_budget="1000MiB", workers=1)
    assert set(each.models) == set(both)
    assert each.of("asr").max_jobs is not None
    one = Recycle.from_results(file, model="asr", memory_budget="1000MiB", workers=1)
    assert (one, one.models) == (each.of("asr"), {})


def test_what_cannot_be_planned_says_why(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="no such file"):
        Recycle.from_results(tmp_path / "nothing")
    file = tmp_path / "e.json"
    empty = series("reuse", judged("unavailable", sentence="unavailable: no model file"), count=0)
    file.write_bytes(to_readable_json(results(empty)))
    with pytest.raises(
        ResultsError, match=r"nothing to plan from(.|\n)*asr: e/reuse: unavailable: no model file"
    ):
        plan_run(file)
    with pytest.raises(ResultsError, match=r"no model 'asr-big' in it; there are: asr"):
        plan_run(file, model="asr-big")
    with pytest.raises(ValueError, match="memory_budget"):
        Recycle.from_results(file, memory_budget="4 TB")
    file.write_text('{"iterations": [{"memory_mb": 3}]}')
    with pytest.raises(ResultsError, match="is it a file of ours"):
        plan_run(file)
