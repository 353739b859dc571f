"""Two runs held against each other: what is refused, what is warned of, what counts as worse."""

from __future__ import annotations

import copy
from math import inf

import msgspec
import numpy as np
import pytest
from record_builders import experiment, growing, plan

from orchestrator.analysis.judging.difference import mean_difference, rate_difference
from orchestrator.analysis.judging.judged import CountJudgement
from orchestrator.experiments.comparing.comparison import IncomparableError, compare_runs
from orchestrator.experiments.judging.judgement import Judgements
from orchestrator.experiments.results.results_file import make_results
from orchestrator.experiments.storage.manifest import make_manifest


def results(rate_mb=0.0, methods=("recreate",), change=None, **facts):
    about = experiment(*methods)
    manifest = make_manifest(plan(about), run_id="20260101T000000.000000Z-0000", files=[], samples=[])
    series = [growing(method, 30, rate_mb=rate_mb, **facts) for method in methods]
    made = make_results(Judgements(about, series), manifest)
    config = copy.deepcopy(made.config)
    if change:
        change(config)
    return {"exp2": msgspec.structs.replace(made, config=config)}


def rows(compared):
    return {row.metric: row for row in compared.rows}


def test_the_same_twice_is_the_same():
    compared = compare_runs(results(), results())
    assert {row.change for row in compared.rows} == {"same"}
    assert set(rows(compared)) == {"growth", "rss growth", "ttft", "speed", "wer", "cer"}
    assert compared.warnings == []
    assert compared.verdicts == [("exp2", "recreate", "flat", "flat")]


def test_more_growth_more_ttft_and_less_speed_are_worse_and_back_again_better():
    before, after = (
        results(),
        results(2.0, ttft_ms=500.0, speed_chars_per_s=40.0, wer_percent=3.0, cer_percent=1.0),
    )
    worse, better = rows(compare_runs(before, after)), rows(compare_runs(after, before))
    assert {row.change for row in worse.values()} == {"worse"}
    assert {row.change for row in better.values()} == {"better"}
    growth = worse["growth"]
    assert (growth.first, growth.second) == (pytest.approx(0.0), pytest.approx(2.0))
    assert growth.low <= 2.0 <= growth.high
    assert worse["ttft"].difference == 100.0


def test_descriptors_are_compared_where_they_grow():
    def opening(per_iteration):
        made = results()
        counted = {
            "verdict": "leak" if per_iteration else "flat",
            "first": 12,
            "last": 12 + 29 * per_iteration,
            "rate_per_iteration": float(per_iteration),
            "ci_low": per_iteration - 0.01,
            "ci_high": per_iteration + 0.01,
        }
        summary = made["exp2"].summary["recreate"]
        judged = msgspec.structs.replace(summary.judgement, descriptors=CountJudgement(**counted))
        made["exp2"].summary["recreate"] = msgspec.structs.replace(summary, judgement=judged)
        return made

    row = rows(compare_runs(opening(0), opening(1)))["descriptors"]
    assert (row.unit, row.difference, row.change) == ("per iteration", 1.0, "worse")
    assert "descriptors" not in rows(compare_runs(opening(0), opening(0)))


def test_a_number_that_one_side_lacks_is_unknown():
    compared = rows(compare_runs(results(), results(speed_chars_per_s=None)))
    assert (compared["speed"].second, compared["speed"].change) == (None, "unknown")


def set_model(key, value):
    def change(config):
        config["steps"][0]["model"][key] = value

    return change


@pytest.mark.parametrize("key", ["engine", "file", "file_sha256", "language"])
def test_another_model_is_refused(key):
    with pytest.raises(
        IncomparableError, match=f"exp2: step 1: model {key}: .* in the first, other in the second"
    ):
        compare_runs(results(), results(change=set_model(key, "other")))


def test_another_task_other_steps_and_other_methods_are_refused():
    def task(config):
        config["steps"][0]["task"] = "align"

    def fewer(config):
        config["steps"] = []

    for change, said in ((task, "task asr in the first"), (fewer, "the first has 1 steps")):
        with pytest.raises(IncomparableError, match=said):
            compare_runs(results(), results(change=change))
    with pytest.raises(IncomparableError, match="no method in common: recreate in the first, reuse"):
        compare_runs(results(), results(methods=("reuse",)))


def test_another_experiment_is_refused():
    with pytest.raises(IncomparableError, match="no experiment in common: exp2 in the first, exp4"):
        compare_runs(results(), {"exp4": results()["exp2"]})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda config: config["host"].update(cpu_model="Z80"), "exp2: host cpu_model: "),
        (lambda config: config.update(iterations=99), "exp2: setting iterations: 10 in the first, 99"),
        (set_model("threads", 1), "exp2: step 1: model threads: 6 in the first, 1 in the second"),
        (set_model("library_sha256", "ab"), "exp2: step 1: model library_sha256: not set"),
        (lambda config: config["packages"].update(numpy="0"), "exp2: package numpy: "),
        (lambda config: config.update(tool_version="9"), "exp2: version orchestrator: "),
        (lambda config: config["series"][0].update(env={"A": "1"}), "exp2: environment of recreate: not set"),
        (
            lambda config: config["series"][0].update(allocator="jemalloc"),
            "exp2: allocator of recreate: not set",
        ),
        (
            lambda config: config["steps"][0]["sample"].update(reference="x"),
            "exp2: step 1: sample reference: ",
        ),
    ],
)
def test_what_may_explain_a_difference_is_a_warning(change, said):
    [warning] = compare_runs(results(), results(change=change)).warnings
    assert warning.startswith(said)


def ended_early(count):
    """Results whose method was settled after ``count`` iterations."""
    found = results()["exp2"]
    early = {"iterations": count, "stopped": "settled", "settled_as": "clean"}
    summary = msgspec.structs.replace(found.summary["recreate"], **early)
    config = {**found.config, "stop": "settled"}
    return {"exp2": msgspec.structs.replace(found, summary={"recreate": summary}, config=config)}


def test_another_way_to_stop_matters_only_where_it_did():
    assert compare_runs(ended_early(30), results()).warnings == []
    assert compare_runs(ended_early(7), ended_early(7)).warnings == []
    [warning] = compare_runs(ended_early(7), results()).warnings
    assert warning.startswith(
        "exp2: method recreate: settled as clean after 7 iterations in the first, 30 iterations in the second"
    )


def test_what_only_one_run_has_is_left_out_and_said():
    first, second = results(methods=("recreate", "reuse")), results()
    compared = compare_runs(first, {**second, "exp9": second["exp2"]})
    assert {row.series for row in compared.rows} == {"recreate"}
    assert compared.warnings == [
        "exp9: only in the second, not compared",
        "exp2: method reuse: only in the first, not compared",
    ]


# ---------------------------------------------------------------------- differences


def test_welch_covers_as_often_as_it_says():
    rng = np.random.default_rng(1)
    trials = [mean_difference(rng.normal(0, 1, 8), rng.normal(1, 4, 20)) for _ in range(2000)]
    assert 0.935 < np.mean([one.low <= 1 <= one.high for one in trials]) < 0.965


def test_one_reading_has_no_interval_and_none_is_an_error():
    assert mean_difference([1.0], [2.0, 3.0]).high == inf
    with pytest.raises(ValueError, match="both sides"):
        mean_difference([], [1.0])


def test_rates_differ_with_both_their_doubts():
    found = rate_difference((0.7, 1.0, 1.4), (1.6, 2.0, 2.3))
    assert (found.value, found.low, found.high) == pytest.approx(
        (1.0, 1.0 - 0.4 * 2**0.5, 1.0 + 0.3 * 2**0.5)
    )
    assert found.resolved
