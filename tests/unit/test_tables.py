"""The tables as they are printed: one exact text for every shape."""

from __future__ import annotations

from printed_tables import AT_ONCE, one_iteration, printed
from record_builders import aligning, chain, experiment, growing, switching

from orchestrator.experiments.storage.records import SeriesRecords

COMPARISON = """\
======================================================================
Comparison Results (10 iterations)
======================================================================

Metric                          Destroy+Recreate       Restart()  Recycle (baseline)
------------------------------------------------------------------------------------
Initial Memory (MB)                      1356.05         1356.05               13.00
Final Memory (MB)                        1418.42         1356.05               13.00
Memory Growth (MB)                         62.37            0.00                0.00
Growth Rate (MB/iter)                       6.24            0.00                0.00
Avg TTFT (ms)                             400.00          400.00              400.00
Avg Speed (chars/sec)                      50.00           50.00               50.00
Final WER (%)                               0.00            0.00                0.00
------------------------------------------------------------------------------------
Leak rate (MB/iter, 95 %)            6.93 ± 0.00     0.00 ± 0.00         0.00 ± 0.00
Beyond baseline (MB/iter)            6.93 ± 0.00     0.00 ± 0.00                   –
Above a fresh process (MB)               1405.42         1343.05                   –
Verdict                                     leak  no leak (flat)      no leak (flat)
Peak Memory (MB)                         1418.42         1356.05               13.00
Final CER (%)                               0.00            0.00                0.00
Recycle (baseline) read after infer, as Restart(): 0.00 ± 0.00 MB/iter.
Destroy+Recreate: leak: anonymous and shared memory grows by 6.93 ± 0.00 MB per iteration; fresh processes by 0.00
    beyond fresh processes: anonymous and shared memory 6.93 ± 0.00, RSS 6.93 ± 0.00 MB per iteration
    RSS stands 1405 MB above a fresh process after 10 iterations
    because: grows by 6.93 MB per iteration from the first iteration on and does not slow down
    because: a buffer or cache that is given back only after more than 10 iterations would look the same
    because: without the heap channel, inputs that become larger from job to job look the same
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
Verdict                           no leak (flat)      no leak (flat)
¹ all text came at once, so there is no speed and TTFT is the total time."""

ALIGNMENT = """\
======================================================================
Comparison Results Summary
======================================================================

Metric                          Destroy+Recreate       Restart()  Recycle (baseline)
------------------------------------------------------------------------------------
Initial Memory (MB)                       100.00          100.00              100.00
Final Memory (MB)                         100.00          100.00              100.00
Memory Growth (MB)                          0.00            0.00                0.00
Growth Rate (MB/iter)                       0.00            0.00                0.00
------------------------------------------------------------------------------------
Avg TTFT (ms)                             400.00          400.00              400.00
Avg Speed (chars/sec)                      50.00           50.00               50.00
------------------------------------------------------------------------------------
Leak rate (MB/iter, 95 %)            0.00 ± 0.00     0.00 ± 0.00         0.00 ± 0.00
Beyond baseline (MB/iter)            0.00 ± 0.00     0.00 ± 0.00                   –
Above a fresh process (MB)                  0.00            0.00                   –
Verdict                           no leak (flat)  no leak (flat)      no leak (flat)
Peak Memory (MB)                          100.00          100.00              100.00
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
