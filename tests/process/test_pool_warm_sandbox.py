"""Warm workers that are confined: what is refused to a cold one is refused to them, and to their template's load."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import confined_functions
import forkable_engine
import psutil
import pytest
from forkable_engine import job, model
from sandbox_victim import victim
from told_by_kernel import filter_may_ask, sleep_is_told

from orchestrator.config.model import SandboxMode
from orchestrator.errors import JobError
from orchestrator.pool.core.warm import templates
from orchestrator.pool.jobs import EngineJob
from orchestrator.pool.models import Model
from orchestrator.pool.pool import Pool
from orchestrator.pool.recycling import Recycle
from orchestrator.process import fork_server as fork_server_module
from orchestrator.process.sandbox.own_folder import FOLDER_PREFIX
from orchestrator.process.warm.engines import why_cold
from orchestrator_worker.sandbox.kernel import landlock_abi, why_not
from orchestrator_worker.sandbox.landlock import ABI_OF_SCOPES

DEADLINE_S = 60.0
REFUSED = {"EACCES", "EPERM", "EXDEV"}
pytestmark = [
    pytest.mark.usefixtures("nothing_left", "patience", "engine"),
    pytest.mark.skipif(bool(why_not("strict")), reason=f"a sandbox {why_not('strict')}"),
    pytest.mark.skipif(landlock_abi() < ABI_OF_SCOPES, reason="strict models are cold on this kernel"),
    pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="warm starts need pidfds"),
]


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A template that does not answer in time is given up. Here a busy machine may be late."""
    monkeypatch.setattr(fork_server_module, "ANSWER_TIMEOUT_S", DEADLINE_S)


@pytest.fixture(autouse=True)
def asked() -> None:
    if not filter_may_ask():
        pytest.skip("no process here may have a filter that asks the host: strict models are cold")


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with forkable_engine.installed(tmp_path / "installed", monkeypatch):
        yield


def wait_until(true: Callable[[], Any]) -> None:
    ends_s = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < ends_s
        time.sleep(0.005)


def run(pool: Pool, given: EngineJob) -> list[Any]:
    return list(pool.submit(given).result(DEADLINE_S))


def template_of(pool: Pool) -> int:
    found = next(each for each in pool.stats().models if each.model == "m")
    assert found.cold_because == ""
    assert found.template is not None
    return found.template.pid


def test_a_strict_worker_can_do_nothing_of_the_table_and_neither_can_its_templates_load(
    tmp_path: Path,
) -> None:
    with victim(tmp_path) as aim, Pool(models=[model("strict", "attempt_all", aim)]) as pool:
        worker, at_the_load, in_a_job = run(pool, job("attempt_all", aim))
        assert psutil.Process(worker).ppid() == template_of(pool)
    for found in (at_the_load, in_a_job):
        assert found.keys() == confined_functions.ACTS.keys()
        assert {name: end for name, end in found.items() if end not in REFUSED} == {}
    assert Path(tmp_path, "home/.ssh/id").read_text() == "secret"
    assert sorted(path.name for path in Path(tmp_path, "home").iterdir()) == [".ssh", "doomed", "spare"]


def test_one_confined_to_files_is_refused_what_a_cold_one_is(tmp_path: Path) -> None:
    def refused(start: Any) -> set[str]:
        given = Model(name="m", engine="forkable", sandbox="files", start=start)
        with victim(tmp_path / start) as aim, Pool(models=[given]) as pool:
            found = run(pool, job("attempt_all", aim))[2]
            if start == "warm":
                template_of(pool)
        return {name for name, end in found.items() if end in REFUSED}

    assert refused("warm") == refused("cold") > set()


def test_a_worker_reaches_neither_its_template_nor_a_sibling_nor_the_host() -> None:
    with Pool(models=[model("strict")], workers=2) as pool:
        worker = run(pool, job("read", "/proc/version"))[0]
        template = psutil.Process(template_of(pool))
        relatives = [os.getpid(), template.pid, *(each.pid for each in template.children())]
        assert worker in relatives
        found = run(pool, job("look_at_relatives", relatives))[2]
    assert {len(ends) for ends in found.values()} == {3}  # without itself
    assert {end for ends in found.values() for end in ends} <= REFUSED


def test_workers_have_their_own_folders_and_read_what_the_load_has_left() -> None:
    with Pool(models=[model("strict", "write_here")], recycle=Recycle(max_jobs=1, jitter=0)) as pool:
        first = run(pool, job("write_here"))
        second = run(pool, job("write_here"))
        (load_folder, *around), (own, *not_around) = first[1], first[2]
        assert around  # a template may look around: its workers' folders are in its own
        assert not_around == ["PermissionError"]
        assert second[2][0] != own
        assert Path(own).parent == Path(load_folder).parent
        assert Path(own).parent.name.startswith(FOLDER_PREFIX)
        assert run(pool, job("read", f"{load_folder}/note"))[2] == "written"
        assert run(pool, job("write", f"{load_folder}/note"))[2] == "PermissionError"
        assert run(pool, job("write", f"{Path(load_folder).parent}/new"))[2] == "PermissionError"
        place = Path(load_folder).parent
        assert place.is_dir()
    assert not place.exists()


@pytest.mark.parametrize(("how", "end"), [("nought", "PermissionError"), ("own", "waits")])
def test_a_load_makes_no_process_group(how: str, end: str) -> None:
    """By its group it is killed. Its filter has the host asked, which allows one for each worker and no other."""
    patience_s = 0.3 if end == "waits" else DEADLINE_S
    with Pool(models=[model("strict", "ask_for_a_group", how, patience_s)]) as pool:
        _, at_the_load, in_a_job = run(pool, job("ask_for_a_group", how, DEADLINE_S))
        template_of(pool)
    assert (at_the_load, in_a_job) == (end, "PermissionError")


def test_workers_have_groups_of_their_own_by_which_they_are_killed() -> None:
    with Pool(models=[model("strict")], workers=2) as pool:
        worker = run(pool, job("read", "/proc/version"))[0]
        template = template_of(pool)
        groups = {each.pid: os.getpgid(each.pid) for each in psutil.Process(template).children()}
        assert worker in groups
        assert all(pid == group for pid, group in groups.items())
        assert os.getpgid(template) == template


def test_a_template_that_names_a_process_it_has_not_forked_has_nobody_else_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, process_group=0) as other:
        with Pool(models=[model("strict", "name_another", other.pid)]) as pool:
            worker = run(pool, job("read", "/proc/version"))[0]
            assert worker != other.pid
            assert psutil.Process(worker).ppid() == os.getpid(), "one that loads for itself"
        assert other.poll() is None
        other.communicate(b"\n")
    assert other.returncode == 0


@pytest.mark.parametrize("load", [("answer_nonsense", "fork", -(1 << 31)), ("talk_on",)])
def test_a_template_that_its_model_has_taken_over_is_done_without(load: tuple[Any, ...]) -> None:
    with Pool(models=[model("strict", *load)]) as pool:
        worker = run(pool, job("read", "/proc/version"))[0]
        assert psutil.Process(worker).ppid() == os.getpid(), "one that loads for itself"


@pytest.mark.parametrize("status", [0x137F, 0xFFFF, 0x7FFFFFFF])
def test_a_template_that_says_of_an_ended_worker_what_none_has_costs_nothing_but_that(status: int) -> None:
    """Such as the status of one that was only stopped: by it no loop may end."""
    given = model("strict", "answer_nonsense", "reap", status)
    with Pool(models=[given], recycle=Recycle(max_jobs=1, jitter=0)) as pool:
        workers = {run(pool, job("read", "/proc/version"))[0] for _ in range(3)}
    assert len(workers) == 3


@pytest.mark.parametrize("sandbox", ["strict", "off"])
def test_a_first_job_that_waits_for_a_lock_of_the_templates_is_done_by_a_cold_worker(
    sandbox: SandboxMode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a pool without a time limit: nobody but the kernel knows that it will never end."""
    if not sleep_is_told():
        pytest.skip("this kernel does not tell in what a process sleeps (/proc/PID/wchan)")
    monkeypatch.setattr(templates, "STUCK_S", 0.5)
    with Pool(models=[model(sandbox, "be_locked_in_a_copy")], max_attempts=1) as pool:
        worker, _, said = run(pool, job("take_the_lock"))
        assert said == "taken"
        assert psutil.Process(worker).ppid() == os.getpid()
        stats = next(each for each in pool.stats().models if each.model == "m")
    assert "the first worker of its template failed" in stats.cold_because
    assert "it has waited for a lock" in stats.cold_because


@pytest.mark.parametrize("sandbox", ["strict", "files", "off"])
def test_a_process_that_the_load_leaves_makes_the_model_cold(sandbox: SandboxMode) -> None:
    with Pool(models=[model(sandbox, "leave_a_process")]) as pool:
        run(pool, job("read", "/proc/version"))
        stats = next(each for each in pool.stats().models if each.model == "m")
    assert "a process that the load has started still runs" in stats.cold_because


def test_a_template_that_is_killed_takes_no_folder_from_its_workers() -> None:
    with Pool(models=[model("strict")]) as pool:
        worker, _, (folder, *_) = run(pool, job("write_here"))
        template = template_of(pool)
        os.kill(template, signal.SIGKILL)
        wait_until(
            lambda: template not in {each.template and each.template.pid for each in pool.stats().models}
        )
        again, _, (same, *_) = run(pool, job("write_here"))
        assert (again, same) == (worker, folder)
    assert not Path(folder).parent.exists()


def test_what_a_job_is_refused_is_told_as_the_sandboxs_and_its_own_proc_with_what_to_do(
    tmp_path: Path,
) -> None:
    (tmp_path / "other").write_text("there")
    with Pool(models=[model("strict")]) as pool:
        with pytest.raises(JobError, match=r"sandbox: access to .*/other denied; allow it by sandbox_reads"):
            run(pool, job("read_or_raise", str(tmp_path / "other")))
        with pytest.raises(JobError, match='at itself in /proc; allow it by start = "cold" of the model'):
            run(pool, job("read_or_raise", "/proc/self/status"))
        assert run(pool, job("read", "/proc/meminfo"))[2].startswith("MemTotal")
    with Pool(models=[Model(name="m", engine="forkable", sandbox="strict", start="cold")]) as pool:
        assert run(pool, job("read_or_raise", "/proc/self/status"))[2].startswith("Name")


def test_a_replacement_that_is_forked_without_a_template_may_look_at_itself() -> None:
    given = Model(name="m", engine="forkable", sandbox="strict", start="cold")
    with Pool(models=[given], recycle=Recycle(max_jobs=1)) as pool:
        parents: set[int] = set()

        def forked() -> bool:
            said = run(pool, job("read", "/proc/self/status"))[2]
            assert said.startswith("Name")
            parents.add(int(said.partition("PPid:")[2].split()[0]))
            return parents - {os.getpid()} != set()

        wait_until(forked)


def test_what_the_model_names_may_be_used(tmp_path: Path) -> None:
    for name in ("in", "out", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "text").write_text(name)
    given = model("strict", sandbox_reads=[tmp_path / "in"], sandbox_writes=[tmp_path / "out"])
    with Pool(models=[given]) as pool:
        assert run(pool, job("read", str(tmp_path / "in" / "text")))[2] == "in"
        assert run(pool, job("write", str(tmp_path / "out" / "text")))[2] == "done"
        assert run(pool, job("write", str(tmp_path / "in" / "text")))[2] == "PermissionError"
        assert run(pool, job("read", str(tmp_path / "other" / "text")))[2] == "PermissionError"
        template_of(pool)


def test_a_kernel_that_does_not_keep_signals_inside_has_strict_models_cold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("orchestrator.process.warm.engines.landlock_abi", lambda: 5)
    assert "Linux 6.12" in (why_cold(model("strict")) or "")
    assert why_cold(model("files")) is None
