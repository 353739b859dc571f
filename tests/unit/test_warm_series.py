"""The method ``warm`` in records, verdicts, gates, estimates and resumed runs: what a fork shares is not its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest
from record_builders import MB, ended, experiment, iteration, plan, records, step, step_record, summarized_all

from orchestrator.config.model import BoundModel
from orchestrator.config.types import GateConfig, Series
from orchestrator.experiments.judging.judgement import Judgements
from orchestrator.experiments.judging.leak_gate import check_gate
from orchestrator.experiments.running.estimate import FORK_S, READING_S, SPAWN_S, estimate
from orchestrator.experiments.running.runner import continue_series
from orchestrator.experiments.storage.manifest import make_manifest
from orchestrator.experiments.storage.records import (
    Boundary,
    IterationRecord,
    Phases,
    Reading,
    SeriesEnd,
    SeriesRecords,
    SeriesStart,
    StepRecord,
    TemplateRecord,
    counted,
)
from orchestrator.experiments.storage.run_folder import ResultsFolder
from orchestrator.process.memory import Memory
from orchestrator.report.html.charts.palette import styles_of
from orchestrator.report.layout import Line
from orchestrator.report.tables import as_text, experiment_tables

SHARED_MB = 200
TEMPLATE = TemplateRecord(load_s=4.0, start_s=9.0, memory=Memory(rss=210 * MB))
FORKED = Phases(spawn_s=0.004, load_s=0.001, infer_s=0.25)


def read(private_mb: float, live_mb: float, held_mb: float = 30.0) -> Reading:
    rss = int((SHARED_MB + private_mb) * MB)
    return Reading(
        rss=rss,
        rss_anon=rss - 10 * MB,
        rss_file=10 * MB,
        rss_shmem=0,
        swap=0,
        uss=int(private_mb * MB),
        heap_live=int(live_mb * MB),
        heap_held=int(held_mb * MB),
    )


def forked(number: int, private_mb: float) -> IterationRecord:
    readings: dict[Boundary, Reading] = {
        "before_load": read(1.0, 150.0),
        "after_load": read(1.5, 150.0),
        "after_infer": read(private_mb, 150.0 + private_mb - 2.0, 29.0),
    }
    made = step_record(
        readings=readings,
        start="warm",
        generation=number,
        phases=FORKED,
        ttft_ms=100.0,
        template=TEMPLATE if number == 1 else None,
    )
    return iteration(number, made, memory_mb=private_mb, series="warm", life=1)


def warm(count: int, growth_mb: float = 0.0) -> SeriesRecords:
    return records("warm", [forked(number, 20.0 + growth_mb * number) for number in range(1, count + 1)])


def cold(count: int) -> SeriesRecords:
    made: list[IterationRecord] = []
    for number in range(1, count + 1):
        phases = Phases(spawn_s=0.1, load_s=4.0, infer_s=0.25)
        done = step_record(None, (10.0, 210.0, 220.0, 30.0), start="exec", phases=phases, ttft_ms=90.0)
        made.append(iteration(number, done, memory_mb=30.0, series="recycle", life=1, peak=230 * MB))
    return records("recycle", made)


def test_of_a_warm_worker_its_own_pages_count_and_what_its_heap_got_since_the_fork() -> None:
    readings: Mapping[Boundary, Reading] = forked(1, 20.0).steps[0].readings
    own = counted(readings, "after_infer", "warm")
    assert (own.rss, own.rss_anon, own.rss_file, own.rss_shmem) == (20 * MB, 20 * MB, 0, 0)
    assert (own.heap_live, own.heap_held) == (18 * MB, 0), "free memory of the template that it has used up"
    for start in ("exec", "fork", None):
        assert counted(readings, "after_infer", start) is readings["after_infer"]
    untold: dict[Boundary, Reading] = {
        "after_infer": msgspec.structs.replace(readings["after_infer"], uss=None)
    }
    assert counted(untold, "after_infer", "warm") is untold["after_infer"]


def test_records_come_back_as_they_were_written_and_old_ones_have_no_template() -> None:
    written = forked(1, 20.0)
    assert msgspec.json.decode(msgspec.json.encode(written), type=IterationRecord) == written
    old = msgspec.json.encode(step_record(None, (1.0, 2.0, 3.0, 4.0)))
    assert b"template" not in old
    assert msgspec.json.decode(old, type=StepRecord).template is None
    end = msgspec.json.decode(msgspec.json.encode(ended(3)), type=SeriesEnd)
    assert not end.not_possible


def test_a_warm_series_is_judged_as_fresh_processes_are_and_held_against_them() -> None:
    about = experiment("recycle", "warm", iterations=40)
    judgements = Judgements(about, [cold(40), warm(40)])
    found = judgements.of("warm")
    assert (found.verdict, found.boundary) == ("flat", "after_infer")
    against = found.against_baseline
    assert against is not None
    assert against.level is not None
    assert against.level.above_mb == pytest.approx(20.0 - 220.0)
    grows = Judgements(about, [cold(40), warm(40, growth_mb=1.0)]).of("warm")
    assert grows.verdict == "leak", "a template that hands on more and more"
    assert grows.rss_rate_mb_per_iteration == pytest.approx(1.0)


def test_the_table_counts_the_template_once_and_says_what_is_saved() -> None:
    about = experiment("recycle", "warm", iterations=12)
    summaries = summarized_all(about, [cold(12), warm(12)])
    one = summaries["warm"]
    assert one.ready_ms == pytest.approx(5.0)
    assert summaries["recycle"].ready_ms == pytest.approx(4100.0)
    assert one.template_mb == pytest.approx(210.0)
    assert summaries["recycle"].templates == {}
    shown = as_text(experiment_tables(about, summaries))
    rows = [" ".join(line.split()) for line in shown.splitlines()]
    assert "Template Memory (MB) 210.00 –" in rows
    assert "Avg Start and Load (ms) 5.00 4100.00" in rows
    assert "its template (210.0 MB, loaded in 4.00 s, ready to be forked after 9.00 s)" in shown
    assert "start and load 5.0 ms in place of 4100.0 ms, TTFT 100.0 ms in place of 90.0 ms" in shown
    assert "4 side by side take 290.0 MB with the template, in place of 920.0 MB" in shown
    without = experiment("recycle", iterations=12)
    plain = as_text(experiment_tables(without, summarized_all(without, [cold(12)])))
    assert "Template" not in plain
    assert "Start and Load" not in plain


def test_a_model_that_cannot_be_forked_is_not_possible_and_nothing_is_missing() -> None:
    why = "2 threads of its own run after the load, and a fork copies no threads"
    end = SeriesEnd("exp2", "warm", "unavailable", 0, cause=why, not_possible=True)
    about = experiment("recycle", "warm", iterations=12)
    summaries = summarized_all(about, [cold(12), records("warm", [], end)])
    assert summaries["warm"].sentence == f"not possible: {why}"
    lines: list[Line] = experiment_tables(about, summaries)
    assert any(line.text == f"Warm: not possible: {why}" for line in lines)
    (outcomes,) = [line.text for line in lines if line.text.startswith("Outcome")]
    assert outcomes.split("  ")[-1].strip() == "completed"
    assert "not possible" in outcomes


def test_fresh_processes_are_gated_only_where_they_are_named() -> None:
    about = experiment("reuse", "recycle", "warm", iterations=12)
    kept = records("reuse", [*cold(12).iterations])
    judged = [
        msgspec.structs.replace(Judgements(about, [each]).of(each.series), series=key, method=key)
        for key, each in (("reuse", kept), ("recycle", cold(12)), ("warm", warm(12)))
    ]
    assert [one.judgement.method for one in check_gate(GateConfig(), judged).series] == ["reuse"]
    named = check_gate(GateConfig(methods=["warm"]), judged).series
    assert [one.judgement.method for one in named] == ["warm"]


def test_a_cut_warm_series_goes_on_where_it_was() -> None:
    about = experiment("warm", iterations=10, recycle_after=4)
    cut = records("warm", warm(6).iterations, ended(6, "warm", outcome="interrupted"))
    found = continue_series(about, Series("warm"), cut)
    assert found is not None
    assert found.first_iteration == 7
    assert "its processes are fresh anyway" in found.reason


def test_announced_times_tell_forks_from_starts(tmp_path: Path) -> None:
    told = step(
        of=BoundModel(name="m", engine="synthetic", label="M", options={"load_ms": 400, "job_ms": 40})
    )
    about = experiment("warm", "recycle", steps=[told], iterations=20)
    found = estimate(plan(about), ResultsFolder(tmp_path))
    assert found["exp2", "warm"].seconds == pytest.approx(SPAWN_S + 0.8 + 20 * (FORK_S + 0.04 + READING_S))
    results = ResultsFolder(tmp_path)
    measured = experiment("warm", "recycle", "reuse", iterations=20)
    run = results.new_run()
    run.save(make_manifest(plan(measured), run_id=run.run_id, files=[], samples=[]))
    run.append(SeriesStart("exp2", "warm"))
    for one in warm(3).iterations:
        run.append(one)
    run.append(SeriesEnd("exp2", "warm", "completed", 3, elapsed_s=9.0))
    found = estimate(plan(measured), results)
    assert found["exp2", "warm"].seconds == pytest.approx(20 * 3.0), "its own pace"
    # a cold start is not a fork, and a cold load is the template's
    assert found["exp2", "recycle"].seconds == pytest.approx(20 * (SPAWN_S + 4.0 + 0.25 + READING_S))
    assert found["exp2", "reuse"].seconds == pytest.approx(SPAWN_S + 4.0 + 20 * (0.25 + READING_S))


def test_warm_has_a_colour_of_its_own_beside_variants() -> None:
    keys = [("recreate", "recreate"), ("warm", "warm"), ("recycle", "recycle"), ("warm@a", "warm")]
    keys += [("recreate@a", "recreate"), ("recycle@a", "recycle")]
    assert len({style.color for style in styles_of(keys)}) == len(keys)
