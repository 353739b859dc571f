"""Tables keep to the terminal's width, and their columns stay straight."""

from __future__ import annotations

import pytest
from printed_tables import one_iteration, printed
from record_builders import experiment, growing, model, step, summarized_all
from rich.cells import cell_len

from orchestrator.config.types import Series
from orchestrator.report.tables import experiment_tables

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
Verdict                           no leak (flat)    no leak (flat)

                                       Recycle
Metric                              (baseline)
----------------------------------------------------------------------
Avg TTFT (ms)                           400.00
Avg Speed (chars/sec)                    50.00
Avg Memory RSS (MB, peak)               100.00
Avg WER (%)                               0.00
----------------------------------------------------------------------
Avg CER (%)                               0.00
Max Memory RSS (MB, peak)               100.00
Growth Rate (MB/iter)                     0.00
Leak rate (MB/iter, 95 %)          0.00 ± 0.00
Beyond baseline (MB/iter)                    –
Above a fresh process (MB)                   –
Verdict                         no leak (flat)
Destroy+Recreate @one-arena: one-arena has nothing to take away: RSS grows by 0.000 MB per iteration without it, 0.000 \
with it; peak memory stays at 100 MB"""


def test_a_narrow_terminal_breaks_headings_and_continues_below() -> None:
    about = experiment("recreate", "recycle", series=[Series("recreate", "one-arena")])
    keys = ("recreate", "recreate@one-arena", "recycle")
    assert printed(about, *(growing(key, 10) for key in keys), width=70) == NARROW


@pytest.mark.parametrize("width", [70, 80, 90, 120])
def test_no_table_is_wider_than_the_terminal(width: int) -> None:
    about = experiment("recreate", "restart", "reuse", "recycle")
    series = [growing(key, 10, reset="none") for key in ("recreate", "restart", "reuse", "recycle")]
    lines = experiment_tables(about, summarized_all(about, series), width)
    assert max(cell_len(line.text) for line in lines if line.role in {"row", "rule", "heading"}) <= width


def test_chinese_labels_keep_the_columns_straight() -> None:
    steps = [step(of=model(label="小型")), step(of=model("asr-large", "大型模型"))]
    about = experiment("recreate", steps=steps, iterations=1)
    lines = experiment_tables(about, summarized_all(about, [one_iteration(about, "recreate")]))
    heading = next(line.text for line in lines if line.role == "heading")
    row = next(line.text for line in lines if line.role == "row")
    assert "小型 Model" in heading
    assert heading.endswith("大型模型 Model")
    assert cell_len(heading) == cell_len(row)
