"""The verdict in words below a table."""

from __future__ import annotations

import msgspec
import pytest
from record_builders import ended, experiment, growing, iteration, reading, records, step_record

from orchestrator.experiments.summary import summarize_all
from orchestrator.report.verdict_lines import verdict_lines


def lines(about, *series):
    return [line.text for line in verdict_lines(about, summarize_all(about, series))]


def with_heap(series, count, live_rate_mb, rss_rate_mb, boundary="after_infer"):
    made = []
    for n in range(1, count + 1):
        rss, live = 200 + rss_rate_mb * n, 20 + live_rate_mb * n
        sizes = {"heap_live": int(live * 2**20), "heap_held": int((rss - live - 10) * 2**20)}
        done = step_record(None, readings={boundary: reading(rss, **sizes)})
        made.append(iteration(n, done, memory_mb=rss, series=series))
    return records(series, made)


def test_a_leak_is_held_against_fresh_processes_at_its_own_boundary():
    """After unload the baseline would have no rate here: it is read after infer, as restart is."""
    about = experiment("restart", "recycle")
    series = with_heap("restart", 40, 0.3, 6.93), with_heap("recycle", 40, 0.0, 0.0)
    assert lines(about, *series) == [
        "Restart(): leak: the live heap grows by 0.30 ± 0.00 MB per iteration, RSS by 6.93; fresh processes by 0.00"
    ]


def test_without_baseline_and_heap_there_is_less_to_say():
    assert lines(experiment("recreate"), growing("recreate", 40, rate_mb=2.0)) == [
        "Destroy+Recreate: leak: anonymous memory grows by 2.00 ± 0.00 MB per iteration"
    ]


def test_what_is_clean_is_not_worth_a_line():
    assert lines(experiment("recreate", "recycle"), growing("recreate", 40), growing("recycle", 40)) == []


def test_an_inconclusive_one_says_what_would_settle_it():
    [line] = lines(experiment("recreate"), growing("recreate", 6, rate_mb=2.0))
    assert line.startswith(
        "Destroy+Recreate: inconclusive: anonymous memory grows by 2.00 ± 0.00 MB per iteration; "
    )
    assert "; to settle it: " in line


@pytest.mark.parametrize("outcome", ["crashed", "unavailable"])
def test_how_a_series_ended_is_told_elsewhere(outcome):
    end = ended(12, outcome=outcome, cause="SIGABRT")
    broken = msgspec.structs.replace(growing("recreate", 12, rate_mb=2.0), end=end)
    assert lines(experiment("recreate"), broken) == []


def test_a_series_that_never_began_has_no_line():
    assert verdict_lines(experiment("recreate"), {}) == []
