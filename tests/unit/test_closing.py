"""The last screen of a run: one row a method, one number, what to do, at any width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec
import pytest
from record_builders import aligning, ended, experiment, growing, records, summarized_all, switching
from rich.cells import cell_len

from orchestrator.analysis.judging.judged import CountJudgement
from orchestrator.analysis.planning.model_plan import ModelPlan, RunPlan
from orchestrator.config.types import Experiment, Series
from orchestrator.experiments.judging.readings import leak_series_mb
from orchestrator.experiments.storage.records import SeriesRecords
from orchestrator.report.closing.github import annotation_lines
from orchestrator.report.closing.last_screen import Closing, last_screen, plain
from orchestrator.report.closing.rows import ClosingRow, closing_rows, headline, merged
from orchestrator.report.closing.sparkline import BLOCKS, common_span, sparkline
from orchestrator.report.closing.what_to_do import ToDo, plan_line, what_to_do

COUNT = 40


def rows_of(about: Experiment, *made: SeriesRecords) -> list[ClosingRow]:
    readings = {
        each.key: leak_series_mb(each.method, found.iterations)
        for each in about.series
        for found in made
        if found.series == each.key
    }
    return closing_rows(about, summarized_all(about, made), readings)


def leaking() -> list[ClosingRow]:
    about = experiment("recreate", "restart", "recycle", iterations=COUNT)
    made = [
        growing("recreate", COUNT, 100, 2.5),
        growing("restart", COUNT, 220, 0.5),
        growing("recycle", COUNT),
    ]
    return rows_of(about, *made)


def clean(name: str) -> list[ClosingRow]:
    about = aligning("recreate", "recycle", iterations=COUNT, name=name)
    return rows_of(about, growing("recreate", COUNT, 30), growing("recycle", COUNT, 30))


def texts(rows: Sequence[ClosingRow], width: int | None = None, **said: object) -> list[str]:
    closing = replace(Closing(rows, "2 min 34 s"), **said)  # type: ignore[arg-type]
    return [line.text for line in last_screen(closing, width)]


def cells(line: str) -> list[str]:
    return [cell for cell in line.split("  ") if cell.strip()]


# ------------------------------------------------------------------ rows


def test_a_leak_has_its_rate_and_its_distance_from_a_fresh_process() -> None:
    recreate, restart, recycle = leaking()
    assert (recreate.kind, recreate.verdict, recreate.number) == ("leak", "LEAK", "2.50 MB")
    assert recreate.above == f"+{2.5 * (COUNT - 1):.0f} MB"
    assert (restart.number, restart.above) == ("0.50 MB", f"+{120 + 0.5 * (COUNT - 1):.0f} MB")
    assert (recycle.kind, recycle.number, recycle.above) == ("no leak", "stands still", "")


def test_a_plateau_rose_and_stopped() -> None:
    about = experiment("reuse", iterations=COUNT)
    rising = growing("reuse", COUNT, 100)
    early = [growing("reuse", 1, 86).iterations[0], *rising.iterations[1:]]
    (row,) = rows_of(about, records("reuse", early, ended(COUNT, "reuse")))
    assert row.kind == "no leak"
    assert row.judgement is not None
    word = "stopped" if row.judgement.verdict == "plateau" else "accepted"
    assert row.number == f"rose 14 MB, {word}"


def test_what_crashed_and_what_could_not_run_have_their_own_words() -> None:
    about = experiment("recreate", "restart", "recycle", iterations=COUNT)
    crash = ended(7, outcome="crashed", iteration=8, phase="infer", cause="SIGSEGV")
    gone = ended(0, "restart", outcome="unavailable", cause="no file m.bin", how_to_get_it="make m.bin")
    made = [records("recreate", growing("recreate", 7).iterations, crash), records("restart", [], gone)]
    rows = rows_of(about, *made)
    assert [(row.kind, row.number) for row in rows] == [
        ("broke off", f"after 7 of {COUNT}"),
        ("not run", ""),
        ("not run", ""),
    ]
    assert headline(rows) == "0 of 3 methods leak · 0 do not · 0 undecided · 1 broke off · 2 did not run"


@pytest.mark.parametrize("verdict", ["flat", "slow-growth", "inconclusive"])
def test_where_descriptors_leak_the_number_is_theirs(verdict: str) -> None:
    """An interval of memory that holds zero would stand beside a leak."""
    about = experiment("restart", iterations=COUNT)
    made = growing("restart", COUNT)
    summaries = summarized_all(about, [made])
    counted = CountJudgement(
        verdict="leak", first=11, last=91, rate_per_iteration=2.0, ci_low=2.0, ci_high=2.0
    )
    measured = summaries["restart"].judgement
    assert measured is not None
    judged = msgspec.structs.replace(
        measured, verdict=verdict, rate_mb_per_iteration=0.1, descriptors=counted
    )
    leaking = {"restart": msgspec.structs.replace(summaries["restart"], judgement=judged)}
    (row,) = closing_rows(about, leaking, {"restart": leak_series_mb("restart", made.iterations)})
    assert (row.kind, row.verdict, row.number) == ("leak", "LEAK", "2.00 descriptors")
    (line,) = annotation_lines([row], "f.toml")
    assert line.partition("::descriptors: leak, 2.00 ± 0.00 per iteration (11 at first, 91 at last)%0A")[2]


def test_every_method_is_counted_once() -> None:
    rows = [*leaking(), *clean("exp4"), *clean("exp5")]
    assert headline(rows) == "2 of 7 methods leak · 5 do not · 0 undecided"
    together = merged(rows)
    assert headline(together) == headline(rows)
    assert (together[-1].experiment, together[-1].method) == ("all three", "fresh processes")
    assert [row.experiment for row in together] == ["exp2", "exp2", "exp4", "exp5", "all three"]


def test_fresh_processes_that_leak_keep_their_row() -> None:
    about = experiment("recreate", "recycle", iterations=COUNT)
    rows = [*rows_of(about, growing("recreate", COUNT), growing("recycle", COUNT, 100, 2)), *clean("exp4")]
    last = merged(rows)
    assert [(row.experiment, row.method, row.kind) for row in last] == [
        ("exp2", "Destroy+Recreate", "no leak"),
        ("exp2", "Recycle (baseline)", "leak"),
        ("exp4", "Destroy+Recreate", "no leak"),
        ("exp4", "fresh processes", "no leak"),
    ]


def test_many_experiments_leave_the_methods_their_room() -> None:
    about = experiment("recreate", "recycle", iterations=COUNT)
    first = rows_of(about, growing("recreate", COUNT), growing("recycle", COUNT, 100, 2))
    rows = [*first, *clean("exp3"), *clean("exp4"), *clean("exp5")]
    assert merged(rows)[-1].experiment == "three others"
    shown = texts(rows, 80)
    assert any("Destroy+Recreate" in line for line in shown)
    assert all(len(line) <= 80 for line in shown)


@pytest.mark.parametrize(("leaks", "head"), [(1, "1 of 1 method leaks"), (2, "2 of 2 methods leak")])
def test_one_method_is_one(leaks: int, head: str) -> None:
    assert headline(leaking()[:leaks]).startswith(f"{head} · 0 do not")


# ------------------------------------------------------------------ sparkline


def test_a_sparkline_shows_the_shape() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7], 7) == BLOCKS
    assert sparkline([5.0] * 30, 1.0) == BLOCKS[0] * 8
    assert sparkline([0, 10, 10, 10], 10) == BLOCKS[0] + BLOCKS[-1] * 3
    assert sparkline([], 1.0) == sparkline([1.0], 1.0, 0) == ""


def test_noise_does_not_fill_the_height() -> None:
    assert common_span([[50.0, 50.2], [50.0, 50.1]]) == 1.0
    assert common_span([[1000.0, 1003.0]]) == pytest.approx(10.03)
    assert common_span([[30.0, 44.0], [10.0, 10.0], []]) == 14.0
    assert common_span([]) == 1.0


def test_what_an_encoding_lacks_is_drawn_otherwise() -> None:
    assert plain(f"{BLOCKS} · x").encode("ascii") == b".:-=+*%# - x"


# ------------------------------------------------------------------ the screen


@pytest.mark.parametrize("width", [None, 40, 60, 72, 80, 100, 120, 200])
def test_no_line_is_wider_than_the_terminal(width: int | None) -> None:
    about = experiment(
        "recreate", series=[Series(method="reuse", variant="with-a-very-long-name")], name="語音辨識"
    )
    rows = [
        *leaking(),
        *rows_of(about, growing("recreate", COUNT), growing("reuse@with-a-very-long-name", COUNT, 1, 1)),
    ]
    lines = texts(
        rows, width, engines="moonshine " * 20, report="results/report.html", to_do=[ToDo("word " * 40)]
    )
    assert max(cell_len(line) for line in lines) <= (width or 80)
    assert any("LEAK" in line for line in lines)


def test_a_wide_terminal_also_says_what_was_done() -> None:
    narrow, wide = (texts([*leaking(), *clean("exp4")], width) for width in (80, 120))
    assert not any("transcribe" in line for line in narrow)
    assert any(line.startswith("exp2 transcribe  Destroy+Recreate  LEAK") for line in wide)
    assert any(line.startswith("exp4 align") for line in wide)
    assert "above a fresh process" in "\n".join(wide)


def test_the_first_line_has_the_result_and_the_time_at_its_end() -> None:
    rule, first, heading, row, *_ = texts(leaking(), 80)[1:]
    assert rule == "=" * 80
    assert first.startswith("RESULT  2 of 3 methods leak · 1 does not · 0 undecided  ")
    assert first.endswith("2 min 34 s")
    assert cells(heading) == ["verdict", "lost per iteration", "above fresh"] or len(first) == 80
    assert cells(row)[:3] == ["exp2", "Destroy+Recreate", "LEAK"]
    assert row[-1] in BLOCKS


def test_a_command_is_never_broken() -> None:
    command = f"orchestrator locate {'x' * 100}"
    lines = texts(
        leaking(), 80, to_do=[ToDo("where it leaks:", command), ToDo("short:", "orchestrator plan r")]
    )
    assert f"    {command}" in lines
    assert "  short: orchestrator plan r" in lines


def test_without_any_measurement_that_is_the_last_word() -> None:
    about = switching("recreate", "recycle")
    lines = texts(rows_of(about), 80, engines="none", to_do=[ToDo("exp3: no file; to get it:", "make file")])
    assert lines[-1] == "nothing was measured"
    assert "RESULT  none of 2 methods could run" in "\n".join(lines)
    assert "nothing was measured" not in texts(leaking(), 80)


# ------------------------------------------------------------------ what to do


def model_plan(**changes: object) -> ModelPlan:
    facts: dict[str, object] = dict.fromkeys(
        ("rate_mb_per_job", "max_jobs", "max_rss_mb", "hard_rss_mb", "trim_every", "best_jobs")
    )
    facts |= dict.fromkeys(("base_mb", "peak_above_base_mb", "start_s", "job_s", "memory_per_worker_mb"), 1.0)
    facts |= dict.fromkeys(("label", "engine", "experiment", "series", "basis", "reason"), "x")
    facts |= {"model": "asr-small", "verdict": "leak", "iterations": 9, "workers_that_fit": 1}
    return ModelPlan(**(facts | {"throughput_cost": 0.0} | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (
            {"max_jobs": 254, "max_rss_mb": 319.4, "throughput_cost": 0.01},
            "asr-small: recycle after 254 jobs or at 319 MB (costs 1.0 % of the time)",
        ),
        ({"trim_every": 5}, "asr-small: trim the heap every 5 jobs"),
        (
            {"verdict": "inconclusive", "max_jobs": 9, "trim_every": 5},
            "asr-small: to be safe, recycle after 9 jobs (costs 0.0 % of the time), trim the heap every 5 jobs",
        ),
        ({"hard_rss_mb": 900.0}, ""),
    ],
)
def test_a_plan_in_one_line(facts: dict[str, object], words: str) -> None:
    assert plan_line(model_plan(**facts)) == words


def test_commands_follow_what_they_are_for() -> None:
    plan = RunPlan(source="r", budget_mb=1.0, workers=1, models=[model_plan(max_jobs=9)])
    said = what_to_do(
        leaking(),
        plan,
        table="orchestrator plan r",
        locate="orchestrator locate f",
        missing=[("x: no y", "get y")],
    )
    assert [(one.words.partition(":")[0], one.command) for one in said] == [
        ("asr-small", ""),
        ("as a [recycle] table, with its reasons", "orchestrator plan r"),
        ("where it leaks", "orchestrator locate f"),
        ("x", "get y"),
    ]
    assert said[-1].words == "x: no y; to get it:"


def test_where_nothing_leaks_nothing_is_to_do() -> None:
    assert what_to_do(clean("exp4"), None, table="t") == [ToDo("nothing: no method leaks")]
    assert what_to_do([], None) == []


def test_the_undecided_are_settled_together() -> None:
    about = experiment("recreate", "restart", iterations=6)
    rows = rows_of(about, growing("recreate", 6, 100, 2), growing("restart", 6, 100, 2))
    assert [row.kind for row in rows] == ["undecided", "undecided"]
    settle, again = what_to_do(rows, None, more="orchestrator run f")
    assert settle.words.startswith("to settle 2 methods of exp2: ")
    assert again.command == "orchestrator run f"
