"""A stranger's run with something else in the place of a file: each command answers, and neither waits nor follows."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from written_runs import Written, experiment, iterations

from located_builders import answer, site
from orchestrator.cli import app
from orchestrator.errors import ResultsError
from orchestrator.experiments.storage.stored_located import make_flames_folder, write_located

pytestmark = pytest.mark.timeout(120, method="signal")
"""What hangs is to fail as one test, and not to end the process of all."""

SECRET = "no_reader_of_a_report_may_see_this"


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def link(path: Path) -> None:
    elsewhere = path.resolve().parents[3] / f"elsewhere-{path.name}"
    shutil.move(path, elsewhere)
    path.symlink_to(elsewhere)


STAND_INS: dict[str, Callable[[Path], None]] = {"pipe": pipe, "folder": folder, "link": link}
FILES = ("manifest.json", "iterations.jsonl", "samples.json", "samples.bin", "located.json")


def written(place: Path) -> Path:
    """Return a run's folder that has every file there may be."""
    place.mkdir(parents=True)
    run = Written(place, experiment("restart", "recycle"))
    run.add("restart", iterations("restart", 40, 0.5))
    run.add("recycle", iterations("recycle", 40, 0.0))
    write_located(run.path, [answer(site(300, SECRET))])
    return run.path


def command(*arguments: str) -> tuple[int, str]:
    """Run a command in this process; return its exit code and all that it printed."""
    said = io.StringIO()
    before = sys.argv
    sys.argv = ["orchestrator", *arguments]
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = app._exit_code()
    finally:
        sys.argv = before
    return code, said.getvalue()


@pytest.mark.parametrize("how", STAND_INS)
@pytest.mark.parametrize("name", FILES)
def test_each_command_answers_at_once(name: str, how: str, tmp_path: Path) -> None:
    good = written(tmp_path / "good" / "results")
    run = written(tmp_path / "a" / "results")
    STAND_INS[how](run / name)
    needed = name in {"manifest.json", "iterations.jsonl"}
    for arguments in (
        ("analyze", str(run)),
        ("analyze", str(run.parent)),
        ("compare", str(good), str(run)),
        ("plan", str(run)),
        ("report", str(run)),
    ):
        code, said = command(*arguments)
        assert "Traceback" not in said
        # analyze says 1 for a leak, and the run has one
        assert (code == 2) == needed, f"{arguments[0]}: {code}: {said}"
    if not needed:
        page = (run / "report.html").read_text("utf-8")
        if name == "located.json":
            assert "Where it leaks cannot be shown" in page
            assert SECRET not in page


@pytest.mark.parametrize("how", STAND_INS)
def test_a_result_file_or_a_table_in_a_folder(how: str, tmp_path: Path) -> None:
    place = tmp_path / "tables" / "x" / "y" / "z"
    place.mkdir(parents=True)
    (place / "rows.csv").write_text("seconds,rss_mb\n" + "".join(f"{at},100.5\n" for at in range(40)))
    shutil.copy(place / "rows.csv", place / "sound.csv")
    STAND_INS[how](place / "rows.csv")
    code, said = command("analyze", str(place))
    assert "sound.csv" in said
    # a link of the user's own folder is theirs
    assert code == (0 if how == "link" else 2), said


def test_a_pipe_in_the_place_of_the_calibration(tmp_path: Path) -> None:
    run = written(tmp_path / "results")
    os.mkfifo(tmp_path / "results" / "calibration.json")
    code, said = command("report", str(run))
    assert code == 0, said
    assert "calibration.json: it is no regular file" in (run / "report.html").read_text("utf-8")


def test_no_flame_graph_is_drawn_into_a_folder_that_is_a_link(tmp_path: Path) -> None:
    run = written(tmp_path / "results")
    (tmp_path / "elsewhere").mkdir()
    (run / "located").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ResultsError, match="a link stands where a folder is needed"):
        make_flames_folder(run)
