"""One judgement per series: which readings it is made of, and what the series' end means for it."""

from __future__ import annotations

import msgspec
import pytest
from record_builders import ended, experiment, growing, iteration, reading, records, step_record

from orchestrator.analysis.judging.judgement import Judgement
from orchestrator.config.types import Series
from orchestrator.experiments.judging.judgement import judge_all, judge_series
from orchestrator.experiments.judging.readings import seconds_an_iteration
from orchestrator.experiments.storage.records import SeriesRecords


def test_growth_that_goes_on_is_a_leak_with_its_rate():
    judged = judge_series(experiment("recreate"), growing("recreate", 40, rate_mb=2.0))
    assert judged.verdict == "leak"
    assert judged.rate_mb_per_iteration == pytest.approx(2.0, rel=0.01)
    assert judged.boundary == "after_unload"
    assert judged.sentence == "completed 40 iterations"


def test_its_twin_without_growth_is_clean():
    judged = judge_series(experiment("recreate"), growing("recreate", 40, rate_mb=0.0))
    assert judged.verdict in {"flat", "plateau", "bounded"}
    assert judged.settle == []


@pytest.mark.parametrize("outcome", ["crashed", "failed", "timeout"])
def test_a_series_that_broke_off_is_crashed_and_keeps_the_rate_it_had(outcome):
    end = ended(29, outcome=outcome, iteration=30, phase="unload", cause="SIGABRT")
    broken = msgspec.structs.replace(growing("recreate", 29, rate_mb=2.0), end=end)
    judged = judge_series(experiment("recreate"), broken)
    assert judged.verdict == "crashed"
    assert judged.reasons[0] == f"{outcome} at iteration 30 in phase unload: SIGABRT"
    assert judged.rate_mb_per_iteration == pytest.approx(2.0, rel=0.01)
    assert judged.settle == []


def test_an_unavailable_series_has_its_reason_and_no_numbers():
    end = ended(0, outcome="unavailable", cause="the model file is missing")
    judged = judge_series(experiment("recreate"), records("recreate", [], end))
    assert judged.verdict == "unavailable"
    assert judged.reasons == ["unavailable: the model file is missing"]
    assert judged.rate_mb_per_iteration is None
    assert judged.tolerance is None


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_few_iterations_are_inconclusive_and_survive_json(count):
    judged = judge_series(experiment("recreate"), growing("recreate", count, rate_mb=1.0))
    assert judged.verdict == "inconclusive"
    assert judged.reasons
    assert judged.ci_low is None
    assert msgspec.json.decode(msgspec.json.encode(judged), type=Judgement) == judged


def test_a_series_cut_off_is_judged_as_far_as_it_came():
    cut_off = SeriesRecords(
        experiment="exp2",
        series="recreate",
        iterations=growing("recreate", 40, rate_mb=2.0).iterations,
        end=None,
    )
    judged = judge_series(experiment("recreate"), cut_off)
    assert judged.verdict == "leak"
    assert judged.reasons[0] == "interrupted after 40 iterations"


def test_a_method_that_keeps_its_model_is_read_after_infer():
    """After infer it grows; after unload, where it is not read, it would not."""
    made = [
        iteration(
            n,
            step_record(None, (50.0, 100.0, 100.0 + 2 * n, 50.0)),
            memory_mb=100.0 + 2 * n,
            series="restart",
        )
        for n in range(1, 31)
    ]
    kept = records("restart", made)
    judged = judge_series(experiment("restart"), kept)
    assert (judged.boundary, judged.verdict) == ("after_infer", "leak")


def test_the_baseline_can_be_read_at_another_methods_boundary():
    made = [
        iteration(n, step_record(None, (50.0, 100.0, 100.0 + 2 * n, 50.0)), memory_mb=50.0, series="recycle")
        for n in range(1, 31)
    ]
    baseline = records("recycle", made)
    assert judge_series(experiment("recycle"), baseline).verdict == "flat"
    assert judge_series(experiment("recycle"), baseline, "after_infer").verdict == "leak"


def _with_heap(count, live_mb, rss_mb, **facts):
    return records(
        "recreate",
        [
            iteration(
                n,
                step_record(
                    None,
                    readings={
                        "after_unload": reading(
                            rss_mb(n),
                            heap_live=int(live_mb(n) * 2**20),
                            heap_held=int((rss_mb(n) - live_mb(n) - 10) * 2**20),
                            **facts,
                        )
                    },
                ),
                memory_mb=rss_mb(n),
            )
            for n in range(1, count + 1)
        ],
    )


def test_the_heap_has_its_own_rate_beside_that_of_rss():
    judged = judge_series(experiment("recreate"), _with_heap(40, lambda n: 20 + n, lambda n: 200 + 3 * n))
    assert judged.verdict == "leak"
    assert judged.heap_rate_mb_per_iteration == pytest.approx(1.0, rel=0.01)
    assert judged.rss_rate_mb_per_iteration == pytest.approx(3.0, rel=0.01)
    assert judged.composition.live_heap == pytest.approx(1.0, rel=0.01)
    assert judged.composition.held_free == pytest.approx(2.0, rel=0.01)


def test_a_heap_that_must_not_be_believed_is_not_used():
    off = _with_heap(40, lambda _: 20, lambda n: 200 + 3 * n, heap_off="allocator replaced")
    judged = judge_series(experiment("recreate"), off)
    assert judged.heap_off == "allocator replaced"
    assert judged.heap_rate_mb_per_iteration is None
    assert judged.rate_channel != "live"


def test_all_come_in_the_order_of_the_experiment():
    both = experiment("recreate", "recycle", series=[Series("recreate", "one-arena")])
    found = judge_all(both, [growing(key, 12) for key in ("recycle", "recreate@one-arena", "recreate")])
    assert list(found) == ["recreate", "recycle", "recreate@one-arena"]
    assert found["recreate@one-arena"].method == "recreate"


def counted(series, counts, name="descriptors"):
    made = [
        iteration(
            n,
            step_record(None, readings={"after_infer": reading(100, **{name: count})}),
            memory_mb=100,
            series=series,
        )
        for n, count in enumerate(counts, 1)
    ]
    return records(series, made)


@pytest.mark.parametrize("name", ["descriptors", "threads"])
def test_what_is_counted_is_judged_beside_memory(name):
    leak = getattr(judge_series(experiment("restart"), counted("restart", range(10, 40), name)), name)
    fixed = getattr(judge_series(experiment("restart"), counted("restart", [10] * 30, name)), name)
    assert (leak.verdict, leak.first, leak.last) == ("leak", 10, 39)
    assert leak.rate_per_iteration == pytest.approx(1.0)
    assert (fixed.verdict, fixed.rate_per_iteration) == ("flat", 0)


def test_counts_that_are_not_known_throughout_are_not_judged():
    judged = judge_series(experiment("restart"), counted("restart", [10, None, *range(12, 30)]))
    assert (judged.verdict, judged.descriptors) == ("flat", None)


def test_a_method_is_held_against_the_baseline_of_its_own_variant_at_its_own_boundary():
    about = experiment("restart", "recycle", series=[Series("restart", "x"), Series("recycle", "x")])
    every = [
        growing("restart", 20, 100.0, 3.0),
        growing("restart@x", 20, 100.0, 3.0),
        growing("recycle", 20, 50.0, 1.0),
        growing("recycle@x", 20, 60.0),
    ]
    found = judge_all(about, every)
    plain, variant = found["restart"].against_baseline, found["restart@x"].against_baseline
    assert (plain.series, variant.series) == ("recycle", "recycle@x")
    assert plain.channels["rss"].beyond_mb_per_iteration == pytest.approx(2.0)
    assert variant.channels["rss"].beyond_mb_per_iteration == pytest.approx(3.0)
    assert plain.boundary == "after_infer"
    assert (found["recycle"].against_baseline, found["recycle@x"].against_baseline) == (None, None)


def test_a_baseline_without_readings_there_is_not_used():
    about = experiment("recreate", "recycle")
    found = judge_all(about, [growing("recreate", 20), records("recycle", [])])
    assert found["recreate"].against_baseline is None


def test_a_process_of_several_iterations_is_the_measure_for_one_as_old():
    """The level a fresh process reaches by its fifth iteration, not that of its first."""
    about = experiment("restart", "recycle", recycle_after=5)
    fresh = [
        iteration(n, step_record(None, (0, 0, 50.0 + life, 0)), memory_mb=50.0, series="recycle", life=life)
        for n in range(1, 21)
        for life in [(n - 1) % 5 + 1]
    ]
    level = judge_all(about, [growing("restart", 20, 100.0), records("recycle", fresh)])[
        "restart"
    ].against_baseline.level
    assert (level.life, level.fresh_rss_mb, level.above_mb) == (5, pytest.approx(55.0), pytest.approx(45.0))
    assert (level.ci_low, level.ci_high) == (pytest.approx(45.0), pytest.approx(45.0))


def test_the_pace_of_a_run_is_the_median_of_its_iterations_so_that_a_pause_counts_as_little() -> None:
    starts = ["00:00:00", "00:00:02", "00:00:04", "01:00:00", "01:00:02"]
    made = [
        msgspec.structs.replace(
            iteration(number, step_record(), memory_mb=100.0), started_at=f"2026-01-01T{start}+00:00"
        )
        for number, start in enumerate(starts, start=1)
    ]
    assert seconds_an_iteration(made) == 2.0
    assert seconds_an_iteration(made[:1]) is None
