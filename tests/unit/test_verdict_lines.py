"""The verdict in words below a table."""

from __future__ import annotations

import msgspec
import pytest
from record_builders import (
    ended,
    experiment,
    growing,
    iteration,
    reading,
    records,
    step_record,
    summarized_all,
)

from orchestrator.analysis.judging.judged import Growth, Judged
from orchestrator.report.judged_words import made_of
from orchestrator.report.verdict_lines import verdict_lines


def lines(about, *series):
    return [line.text for line in verdict_lines(about, summarized_all(about, series))]


def with_heap(series, count, live_rate_mb, rss_rate_mb, boundary="after_infer", level_mb=200, **counts):
    made = []
    for n in range(1, count + 1):
        rss, live = level_mb + rss_rate_mb * n, 20 + live_rate_mb * n
        sizes = {"heap_live": int(live * 2**20), "heap_held": int((rss - live - 10) * 2**20)}
        counted = {name: 12 + rate * n for name, rate in counts.items()}
        done = step_record(None, readings={boundary: reading(rss, **sizes, **counted)})
        life = 1 if series == "recycle" else n
        made.append(iteration(n, done, memory_mb=rss, series=series, life=life))
    return records(series, made)


def test_a_leak_is_held_against_fresh_processes_at_its_own_boundary():
    """After unload the baseline would have no rate here: it is read after infer, as restart is."""
    about = experiment("restart", "recycle")
    series = with_heap("restart", 40, 0.3125, 6.9375), with_heap("recycle", 40, 0.0, 0.0)
    assert lines(about, *series) == [
        "Restart(): leak: the live heap grows by 0.31 ± 0.00 MB per iteration, RSS by 6.94; fresh processes by 0.00",
        "    beyond fresh processes: the live heap 0.31 ± 0.00, RSS 6.94 ± 0.00 MB per iteration",
        "    RSS stands 278 MB above a fresh process after 40 iterations",
        "    made of: live heap 0.31, held but free 6.62 MB per iteration",
        "    because: the live heap grows and is not given back",
        "    because: grows by 0.312 MB per iteration from the first iteration on and does not slow down",
        "    because: a buffer or cache that is given back only after more than 40 iterations would look the same",
        "    40 iterations; accepted: 0.100 MB per iteration",
    ]


def test_growth_that_fresh_processes_show_too_is_said_to_be_theirs():
    series = with_heap("restart", 40, 0.25, 1.0), with_heap("recycle", 40, 0.25, 1.0)
    assert (
        "    beyond fresh processes: the live heap 0.00 ± 0.00, RSS 0.00 ± 0.00 MB per iteration: "
        "no more than they do themselves"
    ) in lines(experiment("restart", "recycle"), *series)


def test_without_baseline_and_heap_there_is_less_to_say():
    first, *rest = lines(experiment("recreate"), growing("recreate", 40, rate_mb=2.0))
    assert (
        first == "Destroy+Recreate: leak: anonymous and shared memory grows by 2.00 ± 0.00 MB per iteration"
    )
    assert not any("fresh" in line for line in rest)


def test_what_is_clean_is_not_worth_a_line():
    assert lines(experiment("recreate", "recycle"), growing("recreate", 40), growing("recycle", 40)) == []


def test_too_few_for_a_rate_is_one_line():
    assert lines(experiment("recreate"), growing("recreate", 3, rate_mb=2.0)) == [
        "Destroy+Recreate: inconclusive; to settle it: at least 7 more iterations"
    ]


def test_growth_that_is_not_shown_is_not_taken_apart():
    """The parts' slopes have no interval: beside a rate that may be nothing they would claim a growth."""
    grown = Growth(live_heap=1.39)
    known = {"verdict": "inconclusive", "iterations": 15, "composition": grown, "rate_mb_per_iteration": 0.3}
    assert made_of(Judged(**known, ci_low=-0.5, ci_high=0.5)) == ""
    assert made_of(Judged(**known)) == ""
    assert made_of(Judged(**known, ci_low=0.1, ci_high=0.5)) == "live heap 1.39 MB per iteration"


def test_descriptors_that_stay_open_are_worth_one_whatever_memory_does():
    series = with_heap("restart", 40, 0.0, 0.0, descriptors=1, threads=0)
    assert lines(experiment("restart"), series) == [
        "Restart(): descriptors: leak, 1.00 ± 0.00 per iteration (13 at first, 52 at last)"
    ]


def test_an_inconclusive_one_says_what_would_settle_it():
    first, *rest = lines(experiment("recreate"), growing("recreate", 6, rate_mb=2.0))
    assert (
        first
        == "Destroy+Recreate: inconclusive: anonymous and shared memory grows by 2.00 ± 0.00 MB per iteration"
    )
    assert "    to settle it: at least 4 more iterations" in rest
    assert "    to settle it: a run with the heap channel on" in rest


@pytest.mark.parametrize("outcome", ["crashed", "unavailable"])
def test_how_a_series_ended_is_told_elsewhere(outcome):
    end = ended(12, outcome=outcome, cause="SIGABRT")
    broken = msgspec.structs.replace(growing("recreate", 12, rate_mb=2.0), end=end)
    assert lines(experiment("recreate"), broken) == []


def test_a_series_that_never_began_has_no_line():
    assert verdict_lines(experiment("recreate"), {}) == []
