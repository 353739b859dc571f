"""Which model grows: from records to summaries, tables, words and plans."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from record_builders import (
    MB,
    experiment,
    iteration,
    model,
    reading,
    step,
    step_record,
    summarized,
    switching,
)

from orchestrator.config.model import BoundModel
from orchestrator.config.types import Experiment, Step
from orchestrator.experiments.planning.own_growth import own_growth
from orchestrator.experiments.running.methods import jobs_of_load
from orchestrator.experiments.storage.records import IterationRecord, SeriesEnd, SeriesRecords
from orchestrator.report.lever_lines import lever_sentences
from orchestrator.report.tables import experiment_tables

SMALL, LARGE = "asr-small", "asr-large"


def records(
    about: Experiment,
    leak_mb: Callable[[Step, int], float],
    *,
    count: int = 30,
    jobs: Callable[[int], int] = lambda _: 1,
) -> SeriesRecords:
    """A recreate series in which each step leaves behind what ``leak_mb(step, jobs)`` says."""
    heap, found = 20.0, []
    for number in range(1, count + 1):
        steps = []
        for each in about.steps:
            before, did = heap, jobs(number)
            heap += leak_mb(each, did)
            sizes = {
                "before_load": before,
                "after_load": before + 50,
                "after_infer": heap + 55,
                "after_unload": heap,
            }
            readings: dict[Any, Any] = {
                name: reading(100 + size, heap_live=int(size * MB), heap_held=MB)
                for name, size in sizes.items()
            }
            made = step_record(each, readings=readings, jobs=did)
            steps.append(made)
        found.append(iteration(number, *steps, memory_mb=100 + heap, name=about.name))
    done = SeriesEnd(about.name, "recreate", "completed", count)
    return SeriesRecords(about.name, "recreate", found, done)


def only_large(each: Step, _jobs: int) -> float:
    return 0.25 if each.model.name == LARGE else 0.0


def test_the_growth_is_told_apart_and_adds_up() -> None:
    about = switching("recreate", iterations=30)
    summary = summarized(about, records(about, only_large))
    assert summary.net_changes is not None
    live, rss = summary.net_changes
    assert (live.channel, rss.channel) == ("live", "rss")
    assert live.models[LARGE].per_iteration.rate == pytest.approx(0.25, abs=1e-5)
    assert live.models[LARGE].finding == "grows"
    assert live.models[SMALL].finding == "nothing"
    assert live.sum == pytest.approx(live.total, abs=1e-4)
    assert summary.models[LARGE].net_change["live"] == live.models[LARGE]
    said = " ".join(lever_sentences(summary))
    assert "1.7B 0.2500 ± 0.0000" in said
    assert "the growth is that of 1.7B" in said
    table = "\n".join(line.text for line in experiment_tables(about, {"recreate": summary}))
    assert "Net change (MB/iter, 95 %)" in table
    assert "0.2500 ± 0.0000" in table
    assert "the growth is that of 1.7B" in table


def test_what_changes_between_the_steps_is_not_hidden() -> None:
    about = switching("recreate", iterations=30)
    made = records(about, only_large)
    shifted: list[IterationRecord] = []
    for record in made.iterations:
        second = record.steps[1]
        more = {
            name: reading(each.rss / MB, heap_live=(each.heap_live or 0) + record.iteration * MB)
            for name, each in second.readings.items()
        }
        shifted.append(
            iteration(
                record.iteration, record.steps[0],
                step_record(about.steps[1], readings=more), memory_mb=record.memory / MB, name=about.name,
            )
        )  # fmt: skip
    summary = summarized(about, SeriesRecords(about.name, "recreate", shifted, made.end))
    assert summary.net_changes is not None
    assert abs(summary.net_changes[0].between) > 0.5
    assert "the rest came between the steps" in summary.net_changes[0].sentence


@pytest.mark.parametrize(("load", "job"), [(0.3, 0.0), (0.0, 0.3), (0.1, 0.2)])
def test_one_run_with_varied_jobs_tells_loads_from_jobs(load: float, job: float) -> None:
    about = experiment("recreate", iterations=30, jobs_per_load=(1, 3))
    role = about.steps[0].model.name
    made = records(
        about, lambda _step, did: load + job * did, jobs=lambda number: jobs_of_load(about, role, number)
    )
    summary = summarized(about, made)
    assert summary.net_changes is not None
    split = summary.net_changes[0].models[role].split
    assert split is not None
    assert split.per_load.rate == pytest.approx(load, abs=1e-4)
    assert split.per_job.rate == pytest.approx(job, abs=1e-4)
    wanted = "both grow" if load and job else "comes with the jobs" if job else "comes with loading"
    assert wanted in " ".join(lever_sentences(summary))
    own = own_growth(summary, role)
    assert own is not None
    assert own.high_mb(3.0 * (load + 2 * job), 2.0) == pytest.approx(3 * 2 * job, rel=0.02, abs=0.01)


def test_jobs_of_a_load_are_drawn_evenly_for_each_model_and_the_same_in_every_run() -> None:
    about = switching("recreate", jobs_per_load=(1, 3))
    drawn = {role: [jobs_of_load(about, role, number) for number in range(1, 61)] for role in (SMALL, LARGE)}
    assert Counter(drawn[SMALL]) == Counter({1: 20, 2: 20, 3: 20})
    assert drawn[SMALL] != drawn[LARGE]
    assert drawn[SMALL] == [jobs_of_load(about, SMALL, number) for number in range(1, 61)]
    assert {jobs_of_load(switching("recreate"), SMALL, number) for number in range(1, 20)} == {1}


def test_without_loads_nothing_is_told_apart() -> None:
    about = experiment("reuse", steps=[step(of=BoundModel(name="m", engine="x", label="M"))], iterations=12)
    made = [
        iteration(
            number,
            step_record(about.steps[0], memory_mb=(None, None, 100.0 + number, None)),
            memory_mb=100.0 + number,
            series="reuse",
            name=about.name,
        )
        for number in range(1, 13)
    ]
    summary = summarized(about, SeriesRecords(about.name, "reuse", made, None))
    assert summary.net_changes is None
    assert own_growth(summary, "m") is None
    assert model().name == SMALL
