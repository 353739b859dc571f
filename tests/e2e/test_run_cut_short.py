"""A run that is killed or interrupted: what is on disk then, and what --resume makes of it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lab import END_S, NO_WORKER_S, PATIENCE_S, Lab, experiment, install_engines, synthetic, wait_until

from orchestrator.errors import ResultsError
from orchestrator.experiments.results.results_file import RESULTS_SCHEMA
from orchestrator.experiments.storage.manifest import read_manifest
from orchestrator.experiments.storage.records import IterationRecord, SeriesEnd
from orchestrator.process.sampling.samples import read_samples

ITERATIONS = 5
PLAN = experiment("a", "recreate", "reuse", "recycle", iterations=ITERATIONS, recycle_after=2)
MODEL = {"small": synthetic(leak_kib_per_job=64, job_ms=60)}

# Lines of a whole series: its start, its iterations, its end. Each moment is a count of lines on disk.
SERIES = ITERATIONS + 2
MOMENTS = {
    "at the first line": 1,
    "in the first series": 3,
    "between two series": SERIES,
    "in the second series": SERIES + 4,
    "in the baseline's second process": 2 * SERIES + 4,
    "before the last line": 3 * SERIES - 1,
}


_PAUSED_RUN = """
import sys, time
from orchestrator.cli import main
from orchestrator.experiments.storage.entry_log import EntryLog

lines, append = 0, EntryLog.append
def append_and_pause(self, entry):
    global lines
    append(self, entry)
    lines += 1
    if lines == {line}:
        time.sleep(1000)
EntryLog.append = append_and_pause
sys.argv[0] = "orchestrator"
main()
"""


def start_and_pause(lab: Lab, line: int) -> "subprocess.Popen[bytes]":
    """Start ``run``; return when it stands still after so many lines of entries, however fast the machine is."""
    (lab.folder / "paused_run.py").write_text(_PAUSED_RUN.format(line=line))
    child = lab.start("run", module="paused_run")
    wait_until(lambda: lab.raw_lines() >= line or child.poll() is not None)
    assert lab.raw_lines() == line
    return child


def kept(lab: Lab) -> dict[str, list[IterationRecord]]:
    """Return the iterations that count, by series, after voiding those that a later start voids."""
    found: dict[str, list[IterationRecord]] = {}
    for entry in lab.entries():
        mine = found.setdefault(entry.series, [])
        if isinstance(entry, IterationRecord):
            mine.append(entry)
        elif not isinstance(entry, SeriesEnd):
            mine[:] = [each for each in mine if each.iteration < entry.first_iteration]
    return found


def ended(lab: Lab) -> set[str]:
    ends = (entry for entry in lab.entries() if isinstance(entry, SeriesEnd))
    return {end.series for end in ends if end.outcome == "completed"}


def check_readable(lab: Lab) -> None:
    assert lab.manifest().state in ("running", "interrupted", "finished")
    assert all(entry.experiment == "a" for entry in lab.entries())
    read_samples(lab.run_folder)
    for file in lab.results.glob("*.json"):
        assert json.loads(file.read_text())["schema"] == RESULTS_SCHEMA


@pytest.mark.parametrize("moment", list(MOMENTS))
def test_a_killed_parent_loses_the_running_iteration_at_most(lab: Lab, moment: str) -> None:
    lab.write(PLAN, models=MODEL)
    child = start_and_pause(lab, MOMENTS[moment])
    child.kill()
    assert child.wait(PATIENCE_S) == -signal.SIGKILL
    wait_until(lambda: not lab.workers(), within_s=NO_WORKER_S, what="no worker left")

    check_readable(lab)
    assert lab.manifest().state == "running"
    assert len(lab.entries()) == MOMENTS[moment]
    before, complete = kept(lab), ended(lab)

    done = lab.run("run", "--resume")
    assert done.code == 0, done.err
    check_readable(lab)
    check_resumed(lab, before, complete, done.err)


def check_resumed(lab: Lab, before: dict[str, list[IterationRecord]], complete: set[str], log: str) -> None:
    assert lab.manifest().state == "finished"
    after = kept(lab)
    for method in ("recreate", "reuse", "recycle"):
        assert [each.iteration for each in after[method]] == list(range(1, ITERATIONS + 1))
        had = before.get(method, [])
        if method in complete:
            assert after[method] == had
        elif method == "recycle" and had:
            first = min(len(had) - len(had) % 2, ITERATIONS - 1) + 1
            assert after[method][: first - 1] == had[: first - 1]
            assert f"resumed at iteration {first}: the baseline's processes are fresh anyway" in log
        elif had:
            again = f"started again: its process was gone after {len(had)} of {ITERATIONS} iterations"
            assert again in log
            assert lab.result("a")["config"]["restarts"][method] == [again]
    assert [each.steps[0].generation for each in after["recycle"]] == [1, 1, 2, 2, 3]
    assert [each.life for each in after["recycle"]] == [1, 2, 1, 2, 1]
    assert {each["outcome"] for each in lab.result("a")["summary"].values()} == {"completed"}
    assert len(lab.result("a")["iterations"]) == 3 * ITERATIONS


def test_a_kill_before_anything_ran_leaves_nothing_in_the_way(lab: Lab) -> None:
    lab.write(PLAN, models=MODEL)
    child = lab.start("run")
    wait_until(lambda: (lab.results / ".lock").exists() or child.poll() is not None)
    child.kill()
    child.wait(PATIENCE_S)
    done = lab.run("run", "-q", "--iterations", "1")
    assert done.code == 0, done.err
    manifests = [each / "manifest.json" for each in lab.run_folders()]
    assert [read_manifest(each).state for each in manifests if each.exists()].count("finished") == 1


def test_a_half_written_last_line_counts_as_not_written(lab: Lab) -> None:
    lab.write(experiment("a"))
    assert lab.run("run", "-q").code == 0
    log = lab.run_folder / "iterations.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:2]) + lines[2][:100])
    manifest = lab.run_folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"finished"', '"running"'))
    with open(lab.run_folder / "samples.bin", "ab") as samples:
        samples.write(b"torn")
    done = lab.run("run", "--resume")
    assert done.code == 0, done.err
    assert "started again: its process was gone after 1 of 3 iterations" in done.err
    assert lab.result("a")["summary"]["recreate"]["iterations"] == 3
    read_samples(lab.run_folder)


# ---------------------------------------------------------------------- nothing to go on with


def test_resume_says_why_there_is_nothing_to_resume(lab: Lab) -> None:
    lab.write(experiment("a"))
    none_yet = lab.run("run", "--resume")
    assert (none_yet.code, none_yet.out) == (2, "")
    assert "there is no run yet; run again without --resume" in none_yet.err
    assert lab.run("run", "-q").code == 0
    finished = lab.run("run", "--resume")
    assert finished.code == 2
    assert "newest run of this plan is finished; run again without --resume" in finished.err
    assert len(lab.run_folders()) == 1


def test_resume_after_a_change_says_that_the_plan_is_another(lab: Lab) -> None:
    lab.write(PLAN, models=MODEL)
    child = start_and_pause(lab, 3)
    child.kill()
    child.wait(PATIENCE_S)
    cut_off = lab.run_folder.name
    done = lab.run("run", "--resume", "--iterations", "2")
    assert done.code == 2
    assert f"run {cut_off} was cut off, but it is of another plan" in done.err
    assert "run again without --resume" in done.err
    assert lab.manifest().state == "running", "and it is still there to go on with"


# ---------------------------------------------------------------------- Ctrl-C and SIGTERM


def hanging(lab: Lab, where: str) -> None:
    install_engines(lab.folder)
    model = {"engine": "probe", "options": {"hang_in": where}}
    lab.write(experiment("a", "recreate", "recycle"), experiment("b"), models={"small": model})


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("where", ["load", "infer", "unload"])
def test_an_interrupt_ends_a_hanging_engine_and_can_be_resumed(
    lab: Lab, where: str, number: signal.Signals
) -> None:
    hanging(lab, where)
    child = lab.start("run")
    wait_until((lab.folder / "marker").exists)
    child.send_signal(number)
    assert child.wait(END_S) == 130
    assert not lab.workers()
    check_readable(lab)
    assert lab.manifest().state == "interrupted"
    (end,) = (each for each in lab.entries() if isinstance(each, SeriesEnd))
    assert (end.outcome, end.iteration, end.phase) == ("interrupted", 1, where)
    sentence = lab.result("a")["summary"]["recreate"]["sentence"]
    assert sentence == f"interrupted at iteration 1 in phase {where}"
    log = (lab.folder / "err.txt").read_text()
    assert log.splitlines()[-1] == "interrupted; everything measured is on disk, --resume goes on"
    assert "Traceback" not in log
    assert lab.run("run", "--resume", "-q").code == 0
    assert lab.manifest().state == "finished"
    assert lab.result("b")["summary"]["recreate"]["outcome"] == "completed"


def test_an_interrupt_between_two_series_keeps_the_first_whole(lab: Lab) -> None:
    lab.write(PLAN, models=MODEL)
    child = start_and_pause(lab, SERIES)
    child.send_signal(signal.SIGINT)
    assert child.wait(END_S) == 130
    before, complete = kept(lab), ended(lab)
    assert "recreate" in complete
    done = lab.run("run", "--resume")
    assert done.code == 0, done.err
    check_resumed(lab, before, complete, done.err)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_during_the_checks_leaves_no_run(lab: Lab, number: signal.Signals) -> None:
    hanging(lab, "check")
    child = lab.start("run")
    wait_until((lab.folder / "marker").exists)
    child.send_signal(number)
    assert child.wait(END_S) == 130
    assert lab.run_folders() == []
    assert "Traceback" not in (lab.folder / "err.txt").read_text()


def test_an_interrupt_inside_of_an_exec_keeps_the_exit_code(lab: Lab) -> None:
    """As when it comes while modules are imported; ``python -m`` would die of SIGINT."""
    (lab.folder / "main_program.py").write_text(
        "import sys\n"
        "from orchestrator.cli.interrupts import interruptible\n"
        "sys.exit(interruptible(lambda: exec('import signal; signal.raise_signal(signal.SIGTERM)')))\n"
    )
    command = [sys.executable, "-m", "main_program"]
    done = subprocess.run(command, cwd=lab.folder, env=lab.environment(), capture_output=True)
    assert done.returncode == 130, done.stderr


def test_more_interrupts_do_no_harm(lab: Lab) -> None:
    hanging(lab, "infer")
    child = lab.start("run")
    wait_until((lab.folder / "marker").exists)
    for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        child.send_signal(number)
    assert child.wait(END_S) == 130
    check_readable(lab)
    assert lab.manifest().state == "interrupted"
    assert "Traceback" not in (lab.folder / "err.txt").read_text()


# ---------------------------------------------------------------------- no room, no right, not alone


@pytest.mark.parametrize("limit_bytes", [12_000, 20_000, 48_000])
def test_a_disk_that_fills_up_keeps_what_was_measured(lab: Lab, limit_bytes: int) -> None:
    """A limit on the size of a file stands for the disk: the same call fails in the same place."""
    lab.write(experiment("a", "recreate", "reuse", iterations=40, sample_interval_ms=1))
    done = lab.run("run", file_limit_bytes=limit_bytes)
    assert done.code == 2
    assert "Traceback" not in done.err
    said = done.log[-1]
    assert said.startswith("orchestrator: cannot write")
    assert "the file size limit (ulimit -f) is reached" in said
    assert "--resume" in said
    assert lab.entries()
    check_readable(lab)
    again = lab.run("run", "--resume", "-q")
    assert again.code == 0, again.err
    assert {each["iterations"] for each in lab.result("a")["summary"].values()} == {40}


@pytest.mark.parametrize("place", ["results", "runs"])
def test_a_file_in_place_of_the_results_folder(lab: Lab, place: str) -> None:
    lab.write(experiment("a"))
    where = lab.results if place == "results" else lab.results / "runs"
    where.parent.mkdir(exist_ok=True)
    where.write_text("mine")
    done = lab.run("run")
    assert (done.code, done.out) == (2, "")
    assert f"cannot write {where}" in done.err
    assert "choose --results DIR" in done.err
    assert where.read_text() == "mine"
    assert lab.run("run", "-q", "--results", "elsewhere").code == 0
    assert (lab.folder / "elsewhere" / "a_results.json").exists()


def test_a_place_where_nobody_may_write(lab: Lab) -> None:
    """Not even root: the kernel's own tree takes no folders."""
    lab.write(experiment("a"))
    done = lab.run("run", "--results", "/proc/self/results")
    assert (done.code, done.out) == (2, "")
    assert "cannot write /proc/self/results" in done.err
    assert "choose --results DIR" in done.err


def test_a_folder_in_place_of_the_result_file(lab: Lab) -> None:
    lab.write(experiment("a"))
    (lab.results / "a_results.json").mkdir(parents=True)
    done = lab.run("run")
    assert done.code == 2
    assert "a folder stands where a file is needed" in done.err
    assert lab.manifest().state == "interrupted"


def test_results_that_may_not_be_written(lab: Lab, unprivileged: Callable[[Path], None]) -> None:
    lab.write(experiment("a"))
    unprivileged(lab.results)
    done = lab.run("run")
    assert done.code == 2
    assert "choose --results DIR" in done.err


@pytest.fixture
def unprivileged() -> Any:
    """Make a folder that we may not write; root may write everything but what is immutable or not there."""
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")

    def make(folder: Path) -> None:
        folder.mkdir(mode=0o500)

    return make


def test_two_runs_in_one_folder_at_the_same_time(lab: Lab) -> None:
    lab.write(experiment("a", iterations=2000), models={"small": synthetic(job_ms=200)})
    first = lab.start("run")
    try:
        wait_until(lambda: lab.raw_lines() >= 2)
        second = lab.run("run")
        assert (second.code, second.out) == (5, "")
        assert f"is in use by another run (pid {first.pid}, since " in second.err
        assert lab.run("run", "--dry-run").code == 0
        assert first.poll() is None
    finally:
        first.send_signal(signal.SIGTERM)
    assert first.wait(END_S) == 130
    assert len(lab.run_folders()) == 1
    check_readable(lab)


def test_a_damaged_line_in_the_middle_is_named_on_resume(lab: Lab) -> None:
    lab.write(experiment("a"))
    assert lab.run("run", "-q").code == 0
    manifest = lab.run_folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"finished"', '"running"'))
    log = lab.run_folder / "iterations.jsonl"
    log.write_bytes(b"\x00 not a line\n" + log.read_bytes())
    with pytest.raises(ResultsError):
        lab.entries()
    done = lab.run("run", "--resume")
    assert done.code == 2
    assert "iterations.jsonl, line 1: damaged" in done.err
    assert "Traceback" not in done.err


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="warm starts need /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_cut_warm_series_leaves_no_template_and_goes_on_with_another(
    lab: Lab, number: signal.Signals
) -> None:
    model = synthetic(job_ms=60, may_fork=True)
    lab.write(experiment("a", "warm", iterations=ITERATIONS), models={"small": model})
    child = start_and_pause(lab, 4)
    assert any("template" in " ".join(each.cmdline()) for each in lab.workers())
    child.send_signal(number)
    child.wait(PATIENCE_S)
    wait_until(lambda: not lab.workers(), within_s=NO_WORKER_S, what="no worker or template left")
    done = lab.run("run", "--resume")
    assert done.code == 0, done.err
    check_readable(lab)
    records = kept(lab)["warm"]
    assert [each.iteration for each in records] == list(range(1, ITERATIONS + 1))
    assert [each.steps[0].generation for each in records] == list(range(1, ITERATIONS + 1))
    told = [each.iteration for each in records if each.steps[0].template is not None]
    assert told == [1, 4], "the template of each of the two runs"
    assert lab.result("a")["summary"]["warm"]["templates"]["small"]["started"] == 2
