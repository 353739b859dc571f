"""The plan of a model that can be warm: a fork for every job, recycled cold, or trimmed."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from test_recycle_plan import BASELINE, BUDGET, JOB_S, LOAD_S, SPAWN_S, judged, only, results, series

from orchestrator.analysis.planning.model_plan import ModelPlan, RunPlan
from orchestrator.analysis.planning.start_options import NEAR, StartOption, choose
from orchestrator.experiments.planning.recycle_plan import plan_results
from orchestrator.process.warm.engines import FORKABLE
from orchestrator.report.closing.what_to_do import plan_line
from orchestrator.report.html.plan_part import plan_part
from orchestrator.report.plan_lines import option_lines, plan_report, plan_sentence
from orchestrator_worker.engines import registry
from orchestrator_worker.engines.base import forks

MB = 1024**2
TEMPLATE_MB, PRIVATE_MB, FORK_S = 190.0, 25.0, 0.01


def warm(
    *, job_s: float = JOB_S, private_mb: float = PRIVATE_MB, template_mb: float = TEMPLATE_MB, count: int = 20
) -> tuple[str, dict[str, Any], list[dict[str, Any]]]:
    """The method warm: processes that hold ``private_mb`` beside what they share, 5 MB more within a job."""
    entries = [
        {
            "method": "warm",
            "iteration": number,
            "memory_mb": private_mb,
            "peak_mb": private_mb + 5,
            "steps": [
                {
                    "model": "asr",
                    "start": "warm",
                    "rss_mb": {"after_infer": template_mb + private_mb},
                    "uss_mb": {"after_infer": private_mb},
                    "vm_hwm_mb": {"after_infer": template_mb + private_mb + 5},
                    "spawn_s": FORK_S,
                    "load_s": 0.0,
                    "infer_s": job_s,
                }
            ],
        }
        for number in range(1, count + 1)
    ]
    template = {"started": 1, "memory_mb": template_mb, "load_s": LOAD_S, "start_s": 2 * LOAD_S}
    about = {
        "method": "warm",
        "variant": None,
        "judgement": judged("flat", rate=0, spread=0) | {"method": "warm", "series": "warm"},
    }
    return "warm", about | {"templates": {"asr": template}}, entries


def plan_of(*parts: Any, engine: str = "chatllm", budget: int = BUDGET, workers: int | None = 1) -> RunPlan:
    made = results(*parts)
    for step in made.config["steps"]:
        step["model"]["engine"] = engine
    return plan_results({"e": made}, source="test", budget_bytes=budget, workers=workers)


def by_way(plan: ModelPlan) -> dict[str, StartOption]:
    return {one.option: one for one in plan.options}


def test_the_three_ways_are_compared_in_jobs_per_second_and_memory() -> None:
    made = plan_of(series(), BASELINE, warm(), budget=2000 * MB, workers=4)
    plan, ways = only(made), by_way(only(made))
    assert list(ways) == ["warm", "cold", "trim"]
    assert ways["warm"].jobs_per_s == pytest.approx(4 / (FORK_S + JOB_S))
    assert ways["warm"].memory_mb == pytest.approx(TEMPLATE_MB + 4 * (PRIVATE_MB + 5))
    assert ways["warm"].workers_that_fit == int((2000 - TEMPLATE_MB) / (PRIVATE_MB + 5))
    jobs = ways["cold"].max_jobs
    assert jobs is not None
    assert ways["cold"].words == f"cold, every {jobs} jobs"
    assert ways["cold"].jobs_per_s == pytest.approx(4 * jobs / (SPAWN_S + LOAD_S + jobs * JOB_S))
    assert ways["cold"].memory_mb is not None
    assert ways["cold"].memory_mb > 4 * (200 + 30)
    assert (ways["trim"].jobs_per_s, ways["trim"].lacking) == (
        None,
        "no trim of this run has given growth back",
    )
    assert [one.option for one in plan.options if one.chosen] == ["warm"]
    assert "the least memory of what does within 10% of the most jobs per second" in plan.choice
    assert (plan.start, plan.max_jobs, plan.template_mb) == ("warm", 1, TEMPLATE_MB)
    assert plan.recycle["max_jobs"] == 1
    assert "max_rss" not in plan.recycle
    assert plan.throughput_cost == pytest.approx(FORK_S / (FORK_S + JOB_S))


def test_what_is_pasted_says_start_and_is_toml() -> None:
    made = plan_of(series(), BASELINE, warm(), budget=2000 * MB, workers=4)
    said = made.table()
    assert '# this line into [profiles.p.models.asr]:\n# start = "warm"\n' in said
    table = tomllib.loads(said)
    assert table["recycle"]["max_jobs"] == 1
    assert "profiles" not in table, "the file has that table already"
    cold = plan_of(series(), BASELINE, warm(job_s=3 * JOB_S))
    assert "start" not in cold.table()
    assert only(cold).start == "cold"


def test_a_fork_that_costs_too_many_jobs_per_second_is_not_taken() -> None:
    slow = only(
        plan_of(series("reuse", judged("flat", rate=0)), warm(job_s=JOB_S / (1 - NEAR) * 1.05), workers=1)
    )
    assert (slow.start, slow.max_jobs) == ("cold", None)
    assert by_way(slow)["cold"].words == "cold, never recycled"
    assert by_way(slow)["trim"].lacking == "nothing grows"
    assert "it does the most jobs per second" in slow.choice


def test_one_worker_of_a_clean_engine_needs_no_template_beside_it() -> None:
    one = only(plan_of(series("reuse", judged("flat", rate=0), rate=0), warm(template_mb=230.0), workers=1))
    assert one.start == "cold", "a template and a fork of it take more than one worker"
    four = only(plan_of(series("reuse", judged("flat", rate=0), rate=0), warm(template_mb=230.0), workers=4))
    assert four.start == "warm"


def test_four_warm_workers_in_a_budget_where_two_cold_ones_fit() -> None:
    clean = series("reuse", judged("flat", rate=0), rate=0)
    made = only(plan_of(clean, BASELINE, warm(), budget=480 * MB, workers=4))
    ways = by_way(made)
    assert made.start == "warm"
    assert "does not hold 4 workers" in ways["cold"].lacking
    assert ways["cold"].jobs_per_s is None
    assert made.best_jobs is None
    assert (
        by_way(only(plan_of(clean, BASELINE, warm(), budget=480 * MB, workers=2)))["cold"].workers_that_fit
        == 2
    )
    nothing = plan_of(clean, BASELINE, warm(), budget=200 * MB, workers=4)
    assert nothing.models == []
    assert "does not hold 4 workers" in nothing.left_out[0]


def test_without_a_measured_fork_it_is_said_what_is_unknown_and_how_to_measure_it() -> None:
    plan = only(plan_of(series(), BASELINE))
    ways = by_way(plan)
    command = "orchestrator run --profile p --only e --methods reuse,recycle,warm"
    assert ways["warm"].lacking == f"what a fork takes was not measured; to measure it: {command}"
    assert ways["warm"].jobs_per_s is None
    assert plan.start is None
    assert ways["cold"].chosen
    assert plan.max_jobs == ways["cold"].max_jobs
    assert any(command in line for line in option_lines(plan))


@pytest.mark.parametrize("engine", ["moonshine", "faster-whisper", "x"])
def test_an_engine_that_cannot_be_warm_has_no_options(engine: str) -> None:
    made = plan_of(series(), BASELINE, engine=engine)
    assert only(made).options == []
    assert only(made).choice == ""
    assert "warm, every job" not in "\n".join(line.text for line in plan_report(made, None))
    assert "Way" not in plan_part(made)


def refused(
    *, variant: str | None = None, not_possible: bool = True
) -> tuple[str, dict[str, Any], list[Any]]:
    """The method warm, that could not run."""
    key, about, _ = warm()
    judgement = about["judgement"] | {"outcome": "unavailable", "verdict": "unavailable"}
    facts = {"outcome": "unavailable", "not_possible": not_possible, "templates": {}, "variant": variant}
    return f"{key}@{variant}" if variant else key, about | facts | {"judgement": judgement}, []


def test_an_engine_that_a_run_has_shown_to_be_cold_has_none_either() -> None:
    assert only(plan_of(series(), BASELINE, refused())).options == []


@pytest.mark.parametrize(
    "lacking",
    [
        refused(variant="jemalloc", not_possible=False),
        refused(variant="jemalloc"),
        refused(not_possible=False),
    ],
)
def test_a_warm_series_that_lacked_something_says_nothing_of_the_model(lacking: Any) -> None:
    assert "warm" in by_way(only(plan_of(series(), BASELINE, lacking)))
    assert only(plan_of(series(), BASELINE, lacking, engine="x")).options == [], "nothing was measured"


def test_any_engine_that_was_measured_warm_is_compared() -> None:
    variant = refused(variant="jemalloc", not_possible=False)
    assert only(plan_of(series(), BASELINE, warm(), variant, engine="x", workers=4)).start == "warm"
    assert only(plan_of(series(), BASELINE, warm(), engine="x", workers=4)).start == "warm"


def test_forks_alone_tell_no_plan() -> None:
    made = plan_of(warm())
    assert made.models == []
    assert "only forks of a template were measured" in made.left_out[0]


def test_a_trim_that_was_shown_to_help_is_compared_too() -> None:
    held = judged() | {"composition": {"live_heap": 0.1, "held_free": 4.8, "outside_malloc": 0.1}}
    key, about, entries = series("reuse", held)
    about["trim_released_mb"] = 90.0
    ways = by_way(only(plan_of((key, about, entries), BASELINE, warm(), workers=2)))
    assert ways["trim"].trim_every is not None
    assert ways["trim"].words.startswith(f"trim every {ways['trim'].trim_every} jobs, cold, ")
    assert ways["trim"].jobs_per_s is not None
    assert ways["trim"].lacking == "what a trim costs in time was not measured"
    without = only(plan_of((key, about, entries), BASELINE, warm(job_s=3 * JOB_S), workers=1))
    assert (without.start, without.trim_every is not None) == ("cold", by_way(without)["trim"].chosen)


def test_the_report_shows_the_ways_and_the_one_that_is_chosen() -> None:
    made = plan_of(series(), BASELINE, warm(), budget=2000 * MB, workers=4)
    shown = "\n".join(line.text for line in plan_report(made, None))
    for words in (
        "asr (ASR): start warm, a fresh fork for every job (0.5% of the time goes into forks)",
        "Warm, every job: 1.99 jobs/s with 4 workers in 310 MB, 190 MB of it the template's, once.",
        "Chosen: warm, every job",
        "A forked worker takes up to 30 MB of its own, and their template 190 MB, once;",
    ):
        assert words in shown, words
    (row,) = [line for line in shown.splitlines() if line.startswith("warm, every job")]
    assert row.split()[3:] == ["1.99", "310", "60", "chosen"]
    page = plan_part(made)
    assert ">warm, every job<" in page
    assert "start warm, a fresh fork for every job" in plan_sentence(only(made))
    assert plan_line(only(made)) == "asr: start warm, a fork for every job (costs 0.5 % of the time)"


def test_choosing() -> None:
    def option(way: Any, jobs_per_s: float | None, memory_mb: float | None) -> StartOption:
        start = "warm" if way == "warm" else "cold"
        return StartOption(
            option=way, words=way, start=start, workers=1, jobs_per_s=jobs_per_s, memory_mb=memory_mb
        )

    def chosen(*options: StartOption) -> list[str]:
        return [one.option for one in choose(options)[0] if one.chosen]

    assert chosen(option("warm", 0.91, 50), option("cold", 1.0, 100)) == ["warm"]
    assert chosen(option("warm", 0.89, 50), option("cold", 1.0, 100)) == ["cold"]
    assert chosen(option("warm", 1.0, 100), option("cold", 0.95, 90), option("trim", 0.92, 80)) == ["trim"]
    assert chosen(option("warm", None, None), option("cold", 1.0, 100)) == ["cold"]
    assert chosen(option("warm", None, None)) == []
    assert choose([option("warm", None, None)])[1] == ""


def test_engines_that_say_they_may_be_forked_are_those_that_a_plan_takes_for_such() -> None:
    said = {name for name in registry.BUILT_IN if forks(registry.find(name))}
    assert {name for name in said if not name.startswith("synthetic")} == FORKABLE
