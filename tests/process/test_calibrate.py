"""A small calibration with real workers: what it finds of known leaks, and what it keeps."""

import errno
import json

import msgspec
import pytest

from orchestrator.cli.commands.calibrate_command import run_calibration
from orchestrator.errors import EngineUnavailableError, ResultsLockedError
from orchestrator.experiments.calibration.bench import Bench
from orchestrator.experiments.calibration.calibrate import Effort, calibrate
from orchestrator.experiments.calibration.cases import background_case
from orchestrator.experiments.reporting.report_content import collect_report
from orchestrator.experiments.storage.run_folder import ResultsFolder
from orchestrator.experiments.storage.stored_calibration import (
    CALIBRATION_NAME,
    read_calibration,
    write_calibration,
)

SMALL = Effort(
    lengths=(12, 30), search_runs=1, confirm_runs=2, rates_mb=(0.005, 0.6), backgrounds=("quiet",), quick=True
)

pytestmark = pytest.mark.usefixtures("nothing_left")


@pytest.fixture(scope="module")
def found():
    told = []
    return calibrate(SMALL, told.append), told


def test_known_leaks_are_found_and_pools_and_caches_are_none(found):
    calibration, _ = found
    by_heap = {case.name: case.found[1] for case in calibration.cases}
    assert {each.channels for each in by_heap.values()} == {"rss,heap"}
    for name in ("malloc leak", "mmap leak", "leak per load", "leak per restart"):
        assert by_heap[name].verdict == "leak"
        assert by_heap[name].rate_mb_per_iteration == pytest.approx(0.5, rel=0.05)
    assert [name for name, each in by_heap.items() if each.call == "false alarm"] == []
    assert by_heap["held for ever"].verdict != "leak"
    assert calibration.sound


def test_the_smallest_leak_is_between_what_is_far_too_small_and_what_is_plain(found):
    calibration, _ = found
    answers = {(each.channels, each.iterations): each for each in calibration.smallest}
    assert set(answers) == {("rss", 12), ("rss", 30), ("rss,heap", 12), ("rss,heap", 30)}
    best = answers["rss,heap", 30]
    assert best.mb_per_iteration == 0.6  # 0.005 is below what counts as growth
    assert [(one.mb_per_iteration, one.found) for one in best.tried] == [(0.005, 0), (0.6, 2)]


def test_runs_without_a_leak_are_counted(found):
    calibration, _ = found
    quiet = [each for each in calibration.false_alarms if each.where == "quiet"]
    assert [(each.channels, each.count, each.runs) for each in quiet] == [("rss", 0, 2), ("rss,heap", 0, 2)]


def test_progress_is_told_case_by_case(found):
    calibration, told = found
    assert told[0] == f"case 1 of {len(calibration.cases)}: malloc leak"
    assert told[-1] == "quiet process, no leak: run 1 to 2"


def test_a_series_judged_after_fewer_iterations_has_so_many_readings(tmp_path):
    bench = Bench(tmp_path, 14, lambda _name: None)
    (measured,) = bench.measure([background_case("quiet", 0.5, 0)])
    assert measured.judged("rss,heap").iterations == 14
    assert measured.judged("rss", 11).iterations == 11
    assert measured.judged("rss").heap_rate_mb_per_iteration is None
    assert measured.judged("rss,heap").heap_rate_mb_per_iteration is not None
    assert bench.heap == "mallinfo2"


@pytest.fixture
def told_beforehand(found, monkeypatch):
    """The command without the minute: what it is given has been measured above."""
    calibration, _ = found
    monkeypatch.setattr("orchestrator.experiments.calibration.calibrate.calibrate", lambda *_: calibration)
    return calibration


def test_the_command_keeps_the_result_and_prints_it_as_json(told_beforehand, tmp_path, capsys):
    assert run_calibration(SMALL, tmp_path / "results", as_json=True, quiet=False) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["cases"][0]["name"] == "malloc leak"
    assert read_calibration(tmp_path / "results") == told_beforehand
    assert err.startswith("calibrating; about ")
    assert CALIBRATION_NAME in err.splitlines()[-1]


def test_a_run_knows_its_calibration_and_its_report_shows_it(told_beforehand, tmp_path):
    results = tmp_path / "results"
    run_calibration(SMALL, results, as_json=True, quiet=True)
    Bench(results, 10, lambda _name: None).measure([background_case("quiet", 0.5, 0)])
    run = ResultsFolder(results).run_folders()[-1]
    assert run.manifest().calibration.created_at == told_beforehand.created_at
    said = collect_report(run).calibration
    assert (said.calibration, said.doubts) == (told_beforehand, [])
    write_calibration(results, msgspec.structs.replace(told_beforehand, host={}))
    assert "another host: kernel not set there" in collect_report(run).calibration.doubts[0]
    (results / CALIBRATION_NAME).write_text("{")
    damaged = collect_report(run).calibration
    assert damaged.calibration is None
    assert "damaged" in damaged.doubts[0]


def test_a_leak_called_clean_with_the_heap_is_exit_1(told_beforehand, tmp_path, monkeypatch):
    monkeypatch.setattr(type(told_beforehand), "sound", False)
    assert run_calibration(SMALL, tmp_path, as_json=False, quiet=True) == 1


def test_a_folder_in_use_is_known_before_anything_is_measured(tmp_path, monkeypatch):
    def never(*_):
        pytest.fail("measured although the folder is locked")

    monkeypatch.setattr("orchestrator.experiments.calibration.calibrate.calibrate", never)
    with ResultsFolder(tmp_path).lock(), pytest.raises(ResultsLockedError):
        run_calibration(SMALL, tmp_path, as_json=False, quiet=True)


def test_a_python_that_cannot_start_workers_is_said(monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EAGAIN, "no more processes")

    monkeypatch.setattr("subprocess.Popen", refuse)
    with pytest.raises(EngineUnavailableError, match="no case of the calibration came to its end"):
        calibrate(SMALL)
