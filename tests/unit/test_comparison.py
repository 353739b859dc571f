"""Two runs held against each other: what is refused, what is warned of, what counts as worse."""

from __future__ import annotations

import copy
import functools
from math import inf

import msgspec
import numpy as np
import pytest
from record_builders import experiment, growing, plan

from orchestrator.analysis.judging.difference import mean_difference, rate_difference, run_difference
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


# ---------------------------------------------------------------------- several runs a side


measured = functools.cache(results)


def run_of(ttft, *, rng, begun="20260101T000000.000000Z-0000", growth=0.0, speed=80.0):
    """One run whose TTFT is noisy from iteration to iteration, around ``ttft``."""
    [(name, made)] = measured(growth).items()
    noise = ttft * (1 + 0.05 * rng.standard_normal(len(made.iterations)))
    entries = [
        {**entry, "ttft_ms": float(value), "speed_chars_per_s": speed * 400 / float(value)}
        for entry, value in zip(made.iterations, noise, strict=True)
    ]
    return {name: msgspec.structs.replace(made, iterations=entries, config={**made.config, "run_id": begun})}


def side(count, rng, level=400.0, spread=0.02):
    return [run_of(level * (1 + spread * rng.standard_normal()), rng=rng) for _ in range(count)]


def test_one_run_a_side_claims_nothing_of_times_and_says_why():
    rng = np.random.default_rng(2)
    compared = compare_runs(run_of(400, rng=rng), run_of(520, rng=rng))
    row = rows(compared)["ttft"]
    assert (row.change, row.low) == ("unknown", None)
    assert row.difference == pytest.approx(120, abs=20)
    assert (
        "1 against 1 run: how much TTFT, speed and load vary from run to run is not known"
        in compared.notes[0]
    )
    assert compared.runs == (1, 1)


@pytest.mark.parametrize("swapped", [False, True])
def test_one_run_against_several_shows_the_difference_of_the_means_and_claims_nothing(swapped):
    one = [results()]
    three = [
        results(rate, wer_percent=errors, ttft_ms=ms)
        for rate, errors, ms in ((0.0, 0.0, 400.0), (2.0, 3.0, 400.0), (2.0, 3.0, 460.0))
    ]
    compared = compare_runs(three, one) if swapped else compare_runs(one, three)
    sign = -1 if swapped else 1
    found = rows(compared)
    for metric, difference in (
        ("growth", 4 / 3),
        ("rss growth", 4 / 3),
        ("wer", 2.0),
        ("cer", 0.0),
        ("ttft", 20.0),
    ):
        row = found[metric]
        assert row.difference == pytest.approx(sign * difference, abs=1e-3), metric
        assert row.difference == pytest.approx(row.second - row.first)
        assert (row.low, row.high, row.change) == (None, None, "unknown"), metric
    [note] = compared.notes
    assert note.startswith("3 against 1 run: " if swapped else "1 against 3 runs: ")
    assert "not even of growth" in note


def test_several_runs_of_which_one_has_the_number_claim_nothing_of_it():
    first = [results(wer_percent=1.0), results(wer_percent=None)]
    row = rows(compare_runs(first, [results(wer_percent=None), results(wer_percent=3.0)]))["wer"]
    assert (row.difference, row.low, row.change) == (2.0, None, "unknown")


def test_a_ttft_a_tenth_slower_is_found_with_several_runs():
    found = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        row = rows(compare_runs(side(5, rng), side(5, rng, 440)))["ttft"]
        assert (len(row.first_runs), len(row.second_runs)) == (5, 5)
        found += row.change == "worse"
    assert found >= 18


def test_identical_runs_differ_in_no_number():
    """Any row of any of these comparisons; the rate of false differences is recorded by a benchmark."""
    false = 0
    for seed in range(40):
        rng = np.random.default_rng(100 + seed)
        compared = compare_runs(side(4, rng, spread=0.05), side(4, rng, spread=0.05))
        false += any(row.change in ("worse", "better") for row in compared.rows)
    assert false <= 5


def test_a_difference_that_is_known_but_too_small_does_not_count():
    rng = np.random.default_rng(3)
    sides = side(12, rng, spread=1e-3), side(12, rng, 409, spread=1e-3)
    assert rows(compare_runs(*sides))["ttft"].change == "same"
    assert rows(compare_runs(*sides, smallest_share=0.005))["ttft"].change == "worse"


def test_growth_is_compared_by_the_rate_of_each_run():
    rng = np.random.default_rng(4)
    first = [run_of(400, rng=rng) for _ in range(3)]
    second = [run_of(400, rng=rng, growth=2.0 + 0.01 * n) for n in range(3)]
    compared = compare_runs(first, second)
    assert rows(compared)["growth"].change == "worse"
    assert compared.verdicts == [("exp2", "recreate", "flat", "leak")]
    [(_, _, verdicts, _)] = compare_runs([*first, second[0]], second).verdicts
    assert verdicts == "flat 3, leak 1"


def test_runs_that_were_not_made_in_turn_are_told():
    rng = np.random.default_rng(5)
    first = [run_of(400, rng=rng, begun=f"2026010{n}T") for n in (1, 2, 3)]
    second = [run_of(400, rng=rng, begun=f"2026010{n}T") for n in (4, 5, 6)]
    assert any("record them in turn" in note for note in compare_runs(first, second).notes)
    assert compare_runs([first[0], second[0], first[2]], [first[1], second[1], second[2]]).notes == []


def test_runs_of_one_side_must_measure_the_same():
    with pytest.raises(IncomparableError, match="exp2: run 2 of the first side: step 1: model file: "):
        compare_runs([results(), results(change=set_model("file", "other"))], [results()])
    told = compare_runs([results(), results(change=set_model("threads", 1))], [results(), results()]).warnings
    assert told == [
        "exp2: run 2 of the first side is not like run 1: step 1: model threads: 6 in run 1, 1 in run 2"
    ]


# ---------------------------------------------------------------------- differences


@pytest.mark.parametrize(("counts", "spreads"), [((3, 3), (1, 1)), ((5, 5), (1, 1)), ((4, 12), (1, 3))])
@pytest.mark.parametrize("confidence", [0.95, 0.99])
def test_intervals_cover_as_often_as_they_say(counts, spreads, confidence):
    rng = np.random.default_rng(1)
    trials = [
        run_difference(
            rng.normal(0, spreads[0], counts[0]), rng.normal(1, spreads[1], counts[1]), confidence=confidence
        )
        for _ in range(3000)
    ]
    covered = np.mean([one.low <= 1 <= one.high for one in trials])
    assert covered == pytest.approx(confidence, abs=0.012)


def test_welch_covers_as_often_as_it_says():
    rng = np.random.default_rng(1)
    trials = [mean_difference(rng.normal(0, 1, 8), rng.normal(1, 4, 20)) for _ in range(2000)]
    assert 0.935 < np.mean([one.low <= 1 <= one.high for one in trials]) < 0.965


def test_one_reading_has_no_interval_and_none_is_an_error():
    assert mean_difference([1.0], [2.0, 3.0]).high == inf
    with pytest.raises(ValueError, match="both sides"):
        mean_difference([], [1.0])


def test_one_run_a_side_has_no_variance_between_runs():
    with pytest.raises(ValueError, match="two runs"):
        run_difference([1.0], [2.0, 3.0])


def test_rates_differ_with_both_their_doubts():
    found = rate_difference((0.7, 1.0, 1.4), (1.6, 2.0, 2.3))
    assert (found.value, found.low, found.high) == pytest.approx(
        (1.0, 1.0 - 0.4 * 2**0.5, 1.0 + 0.3 * 2**0.5)
    )
    assert found.resolved
