"""What tables say beside their numbers: how a series ended, what is missing and why, what a number stands for."""

from __future__ import annotations

from printed_tables import AT_ONCE, line_of, printed
from record_builders import (
    ended,
    experiment,
    growing,
    iteration,
    records,
    step_record,
    summarized_all,
    switching,
)

from orchestrator.report.remarks import missing_rates


def test_an_engine_without_restart_has_its_column_say_so() -> None:
    text = printed(
        experiment("restart", "recycle"), growing("restart", 10, reset="none"), growing("recycle", 10)
    )
    assert "Restart() (no reset)" in text


def test_the_final_error_rate_is_compared_but_the_average_of_models_shown() -> None:
    wers = [0.0, 50.0]
    made = [
        iteration(k, step_record(None, (1, 1, 1, 1), wer_percent=wer), memory_mb=1.0, series="restart")
        for k, wer in enumerate(wers, 1)
    ]
    text = printed(experiment("restart", iterations=2), records("restart", made))
    assert line_of(text, "Final WER (%)").split()[-1] == "50.00"


def test_a_crash_stands_in_its_column_and_below() -> None:
    words = "loading\nggml.c:1: GGML_ASSERT(x) failed\nbacktrace\nabort"
    end = ended(
        0,
        outcome="crashed",
        iteration=1,
        phase="unload",
        cause="SIGABRT",
        stderr_tail=words,
        how_to_get_it="build a newer chatllm.cpp",
    )
    text = printed(experiment("recreate", "restart"), records("recreate", [], end), growing("restart", 10))
    assert line_of(text, "Outcome").split() == ["Outcome", "crashed", "completed"]
    assert line_of(text, "Final Memory (MB)").split() == ["Final", "Memory", "(MB)", "–", "100.00"]
    assert text.endswith(
        "Destroy+Recreate: crashed at iteration 1 in phase unload: SIGABRT\n"
        "    ggml.c:1: GGML_ASSERT(x) failed\n"
        "    backtrace\n"
        "    abort\n"
        "    build a newer chatllm.cpp"
    )


def test_a_later_crash_keeps_its_numbers_and_says_how_far_it_came() -> None:
    end = ended(6, outcome="crashed", iteration=7, phase="infer", cause="SIGSEGV")
    text = printed(
        experiment("recreate", "restart"),
        records("recreate", growing("recreate", 6, 100.0, 1.0).iterations, end),
        growing("restart", 10),
    )
    assert line_of(text, "Outcome").split() == ["Outcome", "crashed", "(6/10)", "completed"]
    assert line_of(text, "Final Memory (MB)").split()[-2:] == ["105.00", "100.00"]


def test_a_series_that_never_ran_is_named() -> None:
    text = printed(experiment("recreate", "restart"), growing("restart", 10))
    assert line_of(text, "Outcome").split() == ["Outcome", "not", "run", "completed"]
    assert text.endswith("Destroy+Recreate: did not run")


def test_an_unavailable_model_says_why_and_how_to_get_it() -> None:
    end = ended(
        0, "recycle", outcome="unavailable", cause="no such file: m.bin", how_to_get_it="download m.bin"
    )
    about = switching("recycle")
    text = printed(about, records("recycle", [], end))
    assert text.endswith("Recycle (baseline): unavailable: no such file: m.bin\n    download m.bin")


def test_text_at_once_in_one_column_only_is_named() -> None:
    text = printed(
        experiment("recreate", "restart"), growing("recreate", 10, **AT_ONCE), growing("restart", 10)
    )
    assert line_of(text, "Avg Speed (chars/sec)").split()[-2:] == ["–¹", "50.00"]
    assert (
        "¹ Destroy+Recreate: all text came at once, so there is no speed and TTFT is the total time." in text
    )


def test_sampled_peaks_are_marked() -> None:
    made = [iteration(1, step_record(), memory_mb=1.0, peak_source="sampled")]
    text = printed(experiment("recreate"), records("recreate", made))
    assert "Peak: the highest sample" in text


def test_a_missing_leak_rate_is_said_of_whom_it_is_missing() -> None:
    about = experiment("recreate", "restart", "reuse")
    summaries = summarized_all(about, [growing("recreate", 12), growing("restart", 3), growing("reuse", 3)])
    assert [line.text for line in missing_rates(about, summaries)] == [
        "Leak rate of Restart(), Reuse: needs 4 iterations, has 3."
    ]


def test_what_could_not_run_needs_no_word_on_its_leak_rate() -> None:
    about = experiment("recreate", "restart")
    absent = records("restart", [], ended(0, "restart", outcome="unavailable"))
    assert missing_rates(about, summarized_all(about, [growing("recreate", 12), absent])) == []
