"""The numbers of a series: scripted records, known answers."""

from __future__ import annotations

import msgspec
import pytest
from record_builders import (
    MB,
    chain,
    ended,
    experiment,
    growing,
    iteration,
    reading,
    records,
    step_record,
    summarized,
    summarized_all,
    switching,
)

from orchestrator.experiments.storage.records import Phases, SeriesRecords


def test_the_seeds_growth_divides_by_the_number_of_iterations() -> None:
    summary = summarized(experiment("recreate"), growing("recreate", 10, 1000.0, 5.0))
    assert summary.initial_memory_mb == 1000.0
    assert summary.final_memory_mb == 1045.0
    assert summary.memory_growth_mb == 45.0
    assert summary.growth_rate_mb_per_iteration == 4.5


def test_the_leak_rate_is_a_slope_with_an_interval() -> None:
    rate = summarized(experiment("recreate"), growing("recreate", 10, 1000.0, 5.0)).leak_rate
    assert rate.rate_mb_per_iteration == pytest.approx(5.0)
    assert rate.ci_low <= 5.0 <= rate.ci_high
    assert rate.ci_high - rate.ci_low < 0.01
    assert (rate.boundary, rate.iterations, rate.reason) == ("after_unload", 10, None)


def test_a_warm_up_is_no_leak() -> None:
    made = [
        iteration(k, step_record(None, (0, 0, now, now)), memory_mb=now)
        for k, now in enumerate([100.0, 180.0, *[200.0] * 18], 1)
    ]
    rate = summarized(experiment("recreate"), records("recreate", made)).leak_rate
    assert rate.rate_mb_per_iteration == pytest.approx(0.0, abs=1e-6)
    assert rate.warm_up_iterations >= 2


def test_anonymous_memory_and_swap_make_the_leak_series() -> None:
    made = []
    for k in range(1, 11):
        done = step_record(readings={"after_unload": reading(500.0 - k, 100.0 + k, swap=k * MB)})
        made.append(iteration(k, done, memory_mb=500.0 - k))
    summary = summarized(experiment("recreate"), records("recreate", made))
    assert summary.leak_rate.rate_mb_per_iteration == pytest.approx(2.0)
    assert summary.memory_growth_mb == -9.0


@pytest.mark.parametrize(
    ("method", "own", "rates"),
    [
        ("recreate", "after_unload", {"after_unload": 2.0, "after_infer": None}),
        ("restart", "after_infer", {"after_infer": 1.0, "after_unload": None}),
        ("reuse", "after_infer", {"after_infer": 1.0, "after_unload": None}),
        ("recycle", "after_unload", {"after_infer": 1.0, "after_unload": 2.0}),
    ],
)
def test_every_method_is_read_at_its_own_boundary_and_the_baseline_at_both(
    method: str, own: str, rates: dict[str, float | None]
) -> None:
    made = [
        iteration(k, step_record(None, (0, 0, 100.0 + k, 50.0 + 2 * k)), memory_mb=100.0, series=method)
        for k in range(1, 9)
    ]
    summary = summarized(experiment(method), records(method, made))  # type: ignore[arg-type]
    assert summary.leak_rate == getattr(summary, f"leak_rate_{own}")
    for boundary, rate in rates.items():
        assert getattr(summary, f"leak_rate_{boundary}").rate_mb_per_iteration == (
            rate and pytest.approx(rate)
        )


def test_too_few_iterations_give_no_rate_but_a_reason() -> None:
    rate = summarized(experiment("recreate"), growing("recreate", 3)).leak_rate
    assert rate.rate_mb_per_iteration is rate.ci_low is rate.ci_high is None
    assert rate.reason == "needs 4 iterations, has 3"


def test_averages_leave_out_what_is_missing_and_final_is_the_last_known() -> None:
    first = step_record(ttft_ms=100.0, speed_chars_per_s=10.0, rtf=0.5, wer_percent=0.0, cer_percent=1.0)
    second = step_record(ttft_ms=300.0, rtf=1.5, wer_percent=50.0, cer_percent=2.0)
    third = step_record()
    made = [iteration(k, each, memory_mb=1.0) for k, each in enumerate((first, second, third), 1)]
    summary = summarized(experiment("recreate"), records("recreate", made))
    assert summary.avg_ttft_ms == 200.0
    assert summary.avg_speed_chars_per_s == 10.0
    assert summary.avg_rtf == 1.0
    assert (summary.avg_wer_percent, summary.final_wer_percent) == (25.0, 50.0)
    assert (summary.avg_cer_percent, summary.final_cer_percent) == (1.5, 2.0)


@pytest.mark.parametrize(("chunks", "at_once"), [((1, 1), True), ((1, 3), False), ((0, 0), None)])
def test_text_at_once_means_one_chunk_every_time(chunks: tuple[int, ...], at_once: bool | None) -> None:
    made = [iteration(k, step_record(chunks=n), memory_mb=1.0) for k, n in enumerate(chunks, 1)]
    assert summarized(experiment("recreate"), records("recreate", made)).text_at_once is at_once


def test_peaks_and_their_source() -> None:
    made = [
        iteration(1, step_record(), memory_mb=1, peak=10 * MB, tree_peak=11 * MB),
        iteration(2, step_record(), memory_mb=1, peak=20 * MB, tree_peak=25 * MB, peak_source="sampled"),
    ]
    summary = summarized(experiment("recreate"), records("recreate", made))
    assert (summary.avg_peak_mb, summary.max_peak_mb) == (15.0, 20.0)
    assert (summary.avg_tree_peak_mb, summary.max_tree_peak_mb) == (18.0, 25.0)
    assert summary.peak_source == "sampled"


def test_phases_average_over_the_steps_in_which_they_happened() -> None:
    made = [
        iteration(1, step_record(phases=Phases(spawn_s=1.0, load_s=2.0, infer_s=1.0)), memory_mb=1.0),
        iteration(2, step_record(phases=Phases(infer_s=3.0, unload_s=0.5, exit_s=0.25)), memory_mb=1.0),
    ]
    summary = summarized(experiment("recreate"), records("recreate", made))
    names = ("spawn", "load", "infer", "unload", "exit")
    assert [getattr(summary, f"avg_{name}_s") for name in names] == [1.0, 2.0, 2.0, 0.5, 0.25]


def test_threads_descriptors_and_heap_at_first_and_last() -> None:
    def made(k: int) -> dict[str, object]:
        return {"threads": k, "descriptors": 10 * k, "heap_live": k * MB, "heap_held": 2 * k * MB}

    its = [
        iteration(k, step_record(readings={"after_unload": reading(1.0, **made(k))}), memory_mb=1.0)
        for k in (1, 2, 3)
    ]
    summary = summarized(experiment("recreate"), records("recreate", its))
    assert (summary.first_threads, summary.last_threads) == (1, 3)
    assert (summary.first_descriptors, summary.last_descriptors) == (10, 30)
    assert (summary.first_heap_live_mb, summary.last_heap_live_mb) == (1.0, 3.0)
    assert (summary.first_heap_held_mb, summary.last_heap_held_mb) == (2.0, 6.0)
    assert summary.heap_off is None


def test_a_replaced_allocator_is_said_and_is_not_zero() -> None:
    off = reading(1.0, heap_off="allocator replaced")
    its = [iteration(1, step_record(readings={"after_unload": off}), memory_mb=1.0)]
    summary = summarized(experiment("recreate"), records("recreate", its))
    assert summary.heap_off == "allocator replaced"
    assert summary.first_heap_live_mb is summary.last_heap_held_mb is None


@pytest.mark.parametrize(("trimmed", "released"), [(True, 40.0), (False, None)])
def test_the_trim_is_judged_by_anonymous_memory(trimmed: bool, released: float | None) -> None:
    end = ended(1, before_trim=reading(500.0, 100.0), after_trim=reading(490.0, 60.0), trimmed=trimmed)
    its = [iteration(1, step_record(), memory_mb=1.0)]
    summary = summarized(experiment("recreate"), records("recreate", its, end))
    assert (summary.trimmed, summary.trim_released_mb) == (trimmed, released)


def test_several_models_count_from_before_the_first_load_and_speak_per_model() -> None:
    plan = switching("recreate", iterations=2)
    small, large = plan.steps
    its = [
        iteration(
            k,
            step_record(small, (800.0, 1500.0, 1510.0, 850.0), ttft_ms=4000.0, wer_percent=0.0),
            step_record(large, (850.0, 2500.0, 2500.0, 900.0), ttft_ms=5000.0, wer_percent=10.0),
            memory_mb=900.0 + 10 * k,
        )
        for k in (1, 2)
    ]
    summary = summarized(plan, records("recreate", its))
    assert (summary.initial_memory_mb, summary.final_memory_mb) == (800.0, 920.0)
    assert summary.growth_rate_mb_per_iteration == 60.0
    assert summary.avg_ttft_ms is summary.avg_wer_percent is None
    one, two = summary.models["asr-small"], summary.models["asr-large"]
    assert (one.label, two.label) == ("0.6B", "1.7B")
    assert (one.avg_load_overhead_mb, two.avg_load_overhead_mb) == (700.0, 1650.0)
    assert (one.avg_unload_release_mb, two.avg_unload_release_mb) == (660.0, 1600.0)
    assert one.avg_net_leak_per_switch_mb == one.avg_net_overhead_mb == 50.0
    assert (one.avg_ttft_ms, two.avg_ttft_ms) == (4000.0, 5000.0)
    assert (one.avg_wer_percent, two.avg_wer_percent) == (0.0, 10.0)


def test_a_baseline_of_several_models_does_not_seem_to_grow_by_one_load() -> None:
    plan = switching("recycle", iterations=2)
    steps = [step_record(each, (13.0, 90.0, 90.0, 40.0)) for each in plan.steps]
    its = [iteration(k, *steps, memory_mb=40.0, series="recycle") for k in (1, 2)]
    summary = summarized(plan, records("recycle", its))
    assert (summary.initial_memory_mb, summary.final_memory_mb) == (40.0, 40.0)
    assert summary.growth_rate_mb_per_iteration == 0.0


def test_an_aligner_has_no_error_rate() -> None:
    plan = chain("recreate")
    its = [iteration(1, *(step_record(step, (1, 2, 2, 1)) for step in plan.steps), memory_mb=1.0)]
    aligner = summarized(plan, records("recreate", its)).models["aligner"]
    assert aligner.avg_wer_percent is aligner.final_cer_percent is None
    assert aligner.tasks == ["align"]


@pytest.mark.parametrize(
    ("resets", "reset"), [((None, "none"), "none"), ((None, "restart"), "restart"), ((None, None), None)]
)
def test_reset_says_whether_there_was_anything_to_restart(
    resets: tuple[str | None, ...], reset: str | None
) -> None:
    its = [iteration(k, step_record(reset=said), memory_mb=1.0) for k, said in enumerate(resets, 1)]
    assert summarized(experiment("restart"), records("restart", its)).reset == reset


def test_a_crash_keeps_what_was_measured_and_its_stderr_tail() -> None:
    end = ended(
        2,
        outcome="crashed",
        iteration=3,
        phase="unload",
        cause="SIGABRT",
        stderr_tail="GGML_ASSERT",
        how_to_get_it="update it",
    )
    its = growing("recreate", 2, 100.0, 10.0).iterations
    summary = summarized(experiment("recreate"), records("recreate", its, end))
    assert summary.sentence == "crashed at iteration 3 in phase unload: SIGABRT"
    assert (summary.outcome, summary.iterations, summary.iterations_planned) == ("crashed", 2, 10)
    assert (summary.stderr_tail, summary.how_to_get_it) == ("GGML_ASSERT", "update it")
    assert summary.memory_growth_mb == 10.0


def test_a_series_without_iterations_has_no_numbers_at_all() -> None:
    summary = summarized(
        experiment("recreate"), records("recreate", [], ended(0, outcome="unavailable", cause="gone"))
    )
    said = {"method", "outcome", "sentence", "unclean_exits", "restarts", "iterations", "iterations_planned"}
    said |= {
        "elapsed_s",
        "missed_samples",
        "judgement",
        "leak_rate",
        "leak_rate_after_infer",
        "leak_rate_after_unload",
        "models",
    }
    assert summary.sentence == "unavailable: gone"
    assert {
        key: value for key, value in msgspec.to_builtins(summary).items() if key not in said and value
    } == {}
    assert summary.leak_rate.rate_mb_per_iteration is None
    assert summary.judgement.verdict == "unavailable"


def test_a_series_that_was_cut_off_is_interrupted() -> None:
    cut = SeriesRecords(
        experiment="exp2", series="recreate", iterations=growing("recreate", 4).iterations, end=None
    )
    summary = summarized(experiment("recreate"), cut)
    assert (summary.outcome, summary.sentence) == ("interrupted", "interrupted after 4 iterations")


def test_summaries_come_in_the_order_of_the_experiment() -> None:
    made = [growing("recycle", 4), growing("recreate", 4)]
    assert list(summarized_all(experiment("recreate", "recycle"), made)) == ["recreate", "recycle"]
