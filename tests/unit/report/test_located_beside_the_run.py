"""What is located belongs to the newest run of the same profile, and is held against what that run has measured."""

from __future__ import annotations

from pathlib import Path

import pytest
from written_runs import Written, experiment, iterations

from located_builders import answer, site
from orchestrator.config.types import Plan
from orchestrator.errors import ResultsError
from orchestrator.experiments.storage.stored_located import read_located
from orchestrator.locating.keeping import NO_RUN, newest_run
from orchestrator.locating.work import _measured


def plan(profile: str = "embedded") -> Plan:
    return Plan(
        file="/study/experiments.toml",
        profile=profile,
        profile_reason="",
        experiments=[experiment("restart", "recycle")],
        keep_runs=20,
    )


def written(folder: Path, *, heap: bool = True) -> Written:
    run = Written(folder, experiment("restart", "recycle", heap=heap))
    run.add("restart", iterations("restart", 40, 0.5, heap=heap))
    run.add("recycle", iterations("recycle", 40, 0.0, heap=heap))
    return run


def test_an_answer_is_kept_with_the_run_that_has_its_method(tmp_path: Path) -> None:
    run = written(tmp_path)
    newest = newest_run(tmp_path, plan())
    own, foreign = answer(site(300, "keep")), answer(site(300, "keep"), name="exp9")
    assert [path.name for path in newest.keep([own, foreign])] == ["located.json"]
    assert read_located(run.path) == [own]
    flames = newest.flame_graph("exp2", "restart")
    assert flames is not None
    assert flames.parent.parent == run.path
    assert newest.flame_graph("exp2", "reuse") is None


def test_a_page_that_is_there_is_made_again(tmp_path: Path) -> None:
    run = written(tmp_path)
    (run.path / "report.html").write_text("an older page")
    paths = newest_run(tmp_path, plan()).keep([answer(site(300, "keep"))])
    assert [path.name for path in paths] == ["located.json", "report.html", "report.html"]
    assert 'id="located"' in (tmp_path / "report.html").read_text("utf-8")


def test_a_run_of_another_profile_is_another_engine(tmp_path: Path) -> None:
    run = written(tmp_path)
    newest = newest_run(tmp_path, plan("qwen3"))
    assert newest.keep([answer(site(300, "keep"))]) == []
    assert read_located(run.path) == []
    assert not newest.has("exp2", "restart")


@pytest.mark.parametrize("content", [None, "", "{"])
def test_without_a_run_nothing_is_kept(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "comparison_results.json").write_text(content)
    assert newest_run(tmp_path, plan()).keep([answer()]) == []
    assert newest_run(None, plan()) is NO_RUN
    assert NO_RUN.keep([answer()]) == []


def test_a_run_with_a_live_heap_gives_the_rate_of_the_heap(tmp_path: Path) -> None:
    written(tmp_path)
    measured = _measured(newest_run(tmp_path, plan()).known["exp2"], "restart")
    assert measured is not None
    assert (measured.channel, measured.source) == ("heap", "the newest run")
    assert measured.rate.per_iteration == pytest.approx(0.5, rel=0.01)


def test_a_run_without_one_says_that_it_measured_resident_memory(tmp_path: Path) -> None:
    written(tmp_path, heap=False)
    measured = _measured(newest_run(tmp_path, plan()).known["exp2"], "restart")
    assert measured is not None
    assert measured.channel == "resident"
    assert measured.verdict_channel in ("rss", "rss_anon")
    assert measured.rate.per_iteration == pytest.approx(0.5, rel=0.01)


def test_a_method_that_did_not_leak_gives_none(tmp_path: Path) -> None:
    written(tmp_path)
    known = newest_run(tmp_path, plan()).known["exp2"]
    assert _measured(known, "recycle") is None
    assert _measured(known, "reuse") is None
    assert _measured(None, "restart") is None


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    run = written(tmp_path)
    (run.path / "located").write_text("a file in the way")
    newest = newest_run(tmp_path, plan())
    with pytest.raises(ResultsError, match="located"):
        newest.flame_graph("exp2", "restart")
