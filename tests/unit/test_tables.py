"""The tables as they are printed: one exact text for every shape, then what is special."""

from __future__ import annotations

import pytest
from record_builders import (
    aligning,
    chain,
    ended,
    experiment,
    growing,
    iteration,
    model,
    records,
    step,
    step_record,
    switching,
)
from rich.cells import cell_len

from orchestrator.config.types import Experiment, Series
from orchestrator.experiments.records import SeriesRecords
from orchestrator.experiments.summary import summarize_all
from orchestrator.report.cells import number, rate_with_interval, with_interval
from orchestrator.report.remarks import missing_rates
from orchestrator.report.tables import as_text, experiment_tables

COMPARISON = """\
======================================================================
Comparison Results (10 iterations)
======================================================================

Metric                          Destroy+Recreate     Restart()  Recycle (baseline)
----------------------------------------------------------------------------------
Initial Memory (MB)                      1356.05       1356.05               13.00
Final Memory (MB)                        1418.42       1356.05               13.00
Memory Growth (MB)                         62.37          0.00                0.00
Growth Rate (MB/iter)                       6.24          0.00                0.00
Avg TTFT (ms)                             400.00        400.00              400.00
Avg Speed (chars/sec)                      50.00         50.00               50.00
Final WER (%)                               0.00          0.00                0.00
----------------------------------------------------------------------------------
Leak rate (MB/iter, 95 %)            6.93 ± 0.00   0.00 ± 0.00         0.00 ± 0.00
Beyond baseline (MB/iter)            6.93 ± 0.00   0.00 ± 0.00                   –
Above a fresh process (MB)               1405.42       1343.05                   –
Verdict                                     leak          flat                flat
Peak Memory (MB)                         1418.42       1356.05               13.00
Final CER (%)                               0.00          0.00                0.00
Recycle (baseline) read after infer, as Restart(): 0.00 ± 0.00 MB/iter.
Destroy+Recreate: leak: anonymous memory grows by 6.93 ± 0.00 MB per iteration; fresh processes by 0.00
    beyond fresh processes: anonymous memory 6.93 ± 0.00, RSS 6.93 ± 0.00 MB per iteration
    RSS stands 1405 MB above a fresh process after 10 iterations
    because: grows by 6.93 MB per iteration from the first iteration on and does not slow down
    10 iterations; accepted: 0.139 MB per iteration
Destroy+Recreate: RSS grows by 6.93 MB per iteration: 0.000 (0.000 to 0.000) with the job, as Restart() \
shows, and 6.93 (6.93 to 6.93) with load and unload; so it comes with loading, and keeping the model avoids it"""

BENCHMARK = """\
======================================================================
Summary (10 iterations)
======================================================================

Metric                          Destroy+Recreate  Recycle (baseline)
----------------------------------------------------------------------
Avg TTFT (ms)                             400.00              400.00
Avg Speed (chars/sec)                         –¹                  –¹
Avg Memory RSS (MB, peak)                 100.00              100.00
Avg WER (%)                                 0.00                0.00
----------------------------------------------------------------------
Avg CER (%)                                 0.00                0.00
Max Memory RSS (MB, peak)                 100.00              100.00
Growth Rate (MB/iter)                       0.00                0.00
Leak rate (MB/iter, 95 %)            0.00 ± 0.00         0.00 ± 0.00
Beyond baseline (MB/iter)            0.00 ± 0.00                   –
Above a fresh process (MB)                  0.00                   –
Verdict                                     flat                flat
¹ all text came at once, so there is no speed and TTFT is the total time."""

ALIGNMENT = """\
======================================================================
Comparison Results Summary
======================================================================

Metric                          Destroy+Recreate     Restart()  Recycle (baseline)
----------------------------------------------------------------------------------
Initial Memory (MB)                       100.00        100.00              100.00
Final Memory (MB)                         100.00        100.00              100.00
Memory Growth (MB)                          0.00          0.00                0.00
Growth Rate (MB/iter)                       0.00          0.00                0.00
----------------------------------------------------------------------------------
Avg TTFT (ms)                             400.00        400.00              400.00
Avg Speed (chars/sec)                      50.00         50.00               50.00
----------------------------------------------------------------------------------
Leak rate (MB/iter, 95 %)            0.00 ± 0.00   0.00 ± 0.00         0.00 ± 0.00
Beyond baseline (MB/iter)            0.00 ± 0.00   0.00 ± 0.00                   –
Above a fresh process (MB)                  0.00          0.00                   –
Verdict                                     flat          flat                flat
Peak Memory (MB)                          100.00        100.00              100.00
Recycle (baseline) read after infer, as Restart(): 0.00 ± 0.00 MB/iter."""

MODELS = """\
======================================================================
Summary (1 iterations)
======================================================================

Method: Destroy+Recreate; beside it (baseline): Recycle
Metric                            0.6B Model    (baseline)    1.7B Model    (baseline)
--------------------------------------------------------------------------------------
Avg Load Overhead (MB)                700.00        700.00       1650.00       1650.00
Avg Unload Release (MB)               650.00        650.00       1600.00       1600.00
Avg Net Leak per Switch (MB)           50.00         50.00         50.00         50.00
--------------------------------------------------------------------------------------
Avg TTFT (ms)                        4000.00       4000.00       5000.00       5000.00
Avg Speed (chars/sec)                  15.00         15.00         18.00         18.00
Avg WER (%)                             0.00          0.00          2.50          2.50
--------------------------------------------------------------------------------------
Avg CER (%)                             0.00          0.00             –             –

======================================================================
Overall Memory
======================================================================
Metric                          Destroy+Recreate  Recycle (baseline)
----------------------------------------------------------------------
Initial Memory (MB)                       800.00              900.00
Final Memory (MB)                         900.00              900.00
Total Growth (MB)                         100.00                0.00
Growth Rate (MB/iter)                     100.00                0.00
----------------------------------------------------------------------
Leak rate (MB/iter, 95 %)                      –                   –
Beyond baseline (MB/iter)                   0.00                   –
Above a fresh process (MB)                  0.00                   –
Verdict                             inconclusive        inconclusive
Peak Memory (MB)                          900.00              900.00
Recycle (baseline): fresh processes, so Initial is read after unload, as Final is.
Leak rate: needs 4 iterations, has 1.
Destroy+Recreate: inconclusive; to settle it: """

CHAIN = """\
======================================================================
Summary (1 iterations)
======================================================================

Method: Destroy+Recreate; beside it (baseline): Recycle
Phase                           Load Overhead    (baseline)  Net Overhead    (baseline)
---------------------------------------------------------------------------------------
ASR                                    700.00        700.00         50.00         50.00
Aligner                               1650.00       1650.00         50.00         50.00

Metric                                   ASR    (baseline)       Aligner    (baseline)
--------------------------------------------------------------------------------------
Avg TTFT (ms)                        4000.00       4000.00       5000.00       5000.00
Avg WER (%)                             0.00          0.00           N/A           N/A
--------------------------------------------------------------------------------------
Avg CER (%)                             0.00          0.00           N/A           N/A
Avg Speed (chars/sec)                  15.00         15.00         18.00         18.00

======================================================================
Overall Memory
======================================================================
Metric                          Destroy+Recreate  Recycle (baseline)
----------------------------------------------------------------------
Initial Memory (MB)                       800.00              900.00
Final Memory (MB)                         900.00              900.00
Total Growth (MB)                         100.00                0.00
Growth Rate (MB/iter)                     100.00                0.00
----------------------------------------------------------------------
Leak rate (MB/iter, 95 %)                      –                   –
Beyond baseline (MB/iter)                   0.00                   –
Above a fresh process (MB)                  0.00                   –
Verdict                             inconclusive        inconclusive
Peak Memory (MB)                          900.00              900.00
Recycle (baseline): fresh processes, so Initial is read after unload, as Final is.
Leak rate: needs 4 iterations, has 1.
Destroy+Recreate: inconclusive; to settle it: """

NARROW = """\
======================================================================
Summary (10 iterations)
======================================================================

                                                  Destroy+Recreate
Metric                          Destroy+Recreate        @one-arena
----------------------------------------------------------------------
Avg TTFT (ms)                             400.00            400.00
Avg Speed (chars/sec)                      50.00             50.00
Avg Memory RSS (MB, peak)                 100.00            100.00
Avg WER (%)                                 0.00              0.00
----------------------------------------------------------------------
Avg CER (%)                                 0.00              0.00
Max Memory RSS (MB, peak)                 100.00            100.00
Growth Rate (MB/iter)                       0.00              0.00
Leak rate (MB/iter, 95 %)            0.00 ± 0.00       0.00 ± 0.00
Beyond baseline (MB/iter)            0.00 ± 0.00       0.00 ± 0.00
Above a fresh process (MB)                  0.00              0.00
Verdict                                     flat              flat

                                     Recycle
Metric                            (baseline)
----------------------------------------------------------------------
Avg TTFT (ms)                         400.00
Avg Speed (chars/sec)                  50.00
Avg Memory RSS (MB, peak)             100.00
Avg WER (%)                             0.00
----------------------------------------------------------------------
Avg CER (%)                             0.00
Max Memory RSS (MB, peak)             100.00
Growth Rate (MB/iter)                   0.00
Leak rate (MB/iter, 95 %)        0.00 ± 0.00
Beyond baseline (MB/iter)                  –
Above a fresh process (MB)                 –
Verdict                                 flat
Destroy+Recreate @one-arena: one-arena has nothing to take away: RSS grows by 0.000 MB per iteration without it, 0.000 \
with it; peak memory stays at 100 MB"""


AT_ONCE = {"chunks": 1, "speed_chars_per_s": None}


def printed(about: Experiment, *series: SeriesRecords, width: int | None = None) -> str:
    return as_text(experiment_tables(about, summarize_all(about, series), width))


def one_iteration(about: Experiment, series: str) -> SeriesRecords:
    """Two models, one iteration, known numbers."""
    first, second = about.steps
    aligned = second.task == "align"
    done = (
        step_record(
            first,
            (800, 1500, 1500, 850),
            ttft_ms=4000.0,
            speed_chars_per_s=15.0,
            wer_percent=0.0,
            cer_percent=0.0,
        ),
        step_record(
            second,
            (850, 2500, 2500, 900),
            ttft_ms=5000.0,
            speed_chars_per_s=18.0,
            wer_percent=None if aligned else 2.5,
        ),
    )
    return records(series, [iteration(1, *done, memory_mb=900.0, series=series)])


def compared() -> list[SeriesRecords]:
    return [
        growing("recreate", 10, 1356.05, 6.93),
        growing("restart", 10, 1356.05),
        growing("recycle", 10, 13.0),
    ]


def test_comparison_of_methods() -> None:
    assert printed(experiment("recreate", "restart", "recycle"), *compared()) == COMPARISON


def test_benchmark_without_restart() -> None:
    about = experiment("recreate", "recycle", name="exp1")
    series = (growing("recreate", 10, **AT_ONCE), growing("recycle", 10, **AT_ONCE))
    assert printed(about, *series) == BENCHMARK


def test_alignment_has_no_word_error_rate() -> None:
    about = aligning("recreate", "restart", "recycle", iterations=10)
    methods = ("recreate", "restart", "recycle")
    series = [growing(method, 10, wer_percent=None, cer_percent=None) for method in methods]
    assert printed(about, *series) == ALIGNMENT


def test_several_models() -> None:
    about = switching("recreate", "recycle")
    text = printed(about, *(one_iteration(about, key) for key in ("recreate", "recycle")))
    assert text.startswith(MODELS)


def test_transcription_then_alignment() -> None:
    about = chain("recreate", "recycle")
    text = printed(about, *(one_iteration(about, key) for key in ("recreate", "recycle")))
    assert text.startswith(CHAIN)


def test_a_narrow_terminal_breaks_headings_and_continues_below() -> None:
    about = experiment("recreate", "recycle", series=[Series("recreate", "one-arena")])
    keys = ("recreate", "recreate@one-arena", "recycle")
    assert printed(about, *(growing(key, 10) for key in keys), width=70) == NARROW


@pytest.mark.parametrize("width", [70, 80, 90, 120])
def test_no_table_is_wider_than_the_terminal(width: int) -> None:
    about = experiment("recreate", "restart", "reuse", "recycle")
    series = [growing(key, 10, reset="none") for key in ("recreate", "restart", "reuse", "recycle")]
    lines = experiment_tables(about, summarize_all(about, series), width)
    assert max(cell_len(line.text) for line in lines if line.role in {"row", "rule", "heading"}) <= width


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
        last_words=words,
        remedy="build a newer chatllm.cpp",
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
    end = ended(0, "recycle", outcome="unavailable", cause="no such file: m.bin", remedy="download m.bin")
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


def test_chinese_labels_keep_the_columns_straight() -> None:
    steps = [step(of=model(label="小型")), step(of=model("asr-large", "大型模型"))]
    about = experiment("recreate", steps=steps, iterations=1)
    lines = experiment_tables(about, summarize_all(about, [one_iteration(about, "recreate")]))
    heading = next(line.text for line in lines if line.role == "heading")
    row = next(line.text for line in lines if line.role == "row")
    assert "小型 Model" in heading
    assert heading.endswith("大型模型 Model")
    assert cell_len(heading) == cell_len(row)


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (0.0, "0.00"), (-0.001, "0.00"), (-1.5, "-1.50"), (1356.051, "1356.05")]
)
def test_numbers(value: float | None, text: str) -> None:
    assert number(value) == text


def test_a_rate_reads_with_half_its_interval() -> None:
    rate = {"rate_mb_per_iter": 6.93, "low_mb_per_iter": 6.81, "high_mb_per_iter": 7.05}
    assert rate_with_interval(rate) == "6.93 ± 0.12"
    assert rate_with_interval(None) == "–"


def test_an_interval_that_is_not_about_its_rate_shows_its_ends() -> None:
    """``1.81 ± 3.21`` would say that no growth is possible, which the interval excludes."""
    assert with_interval(1.81, 0.21, 6.63) == "1.81 (0.21 to 6.63)"
    assert with_interval(1.81, 1.69, 1.93) == "1.81 ± 0.12"
    assert with_interval(1.81, None, None) == "1.81"


def line_of(text: str, name: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(name))


def test_a_missing_leak_rate_is_said_of_whom_it_is_missing() -> None:
    about = experiment("recreate", "restart", "reuse")
    summaries = summarize_all(about, [growing("recreate", 12), growing("restart", 3), growing("reuse", 3)])
    assert [line.text for line in missing_rates(about, summaries)] == [
        "Leak rate of Restart(), Reuse: needs 4 iterations, has 3."
    ]


def test_what_could_not_run_needs_no_word_on_its_leak_rate() -> None:
    about = experiment("recreate", "restart")
    absent = records("restart", [], ended(0, "restart", outcome="unavailable"))
    assert missing_rates(about, summarize_all(about, [growing("recreate", 12), absent])) == []
