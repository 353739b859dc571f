"""What only real processes show: who holds the lock, and what a killed or a cramped writer leaves."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.errors import ResultsLockedError
from orchestrator.experiments.storage.entry_log import read_entries
from orchestrator.experiments.storage.run_folder import ResultsFolder

HOLDER = """
import sys
from pathlib import Path
from orchestrator.experiments.storage.run_folder import ResultsFolder
with ResultsFolder(Path(sys.argv[1])).lock():
    {inside}
    print("held", flush=True)
    sys.stdin.read()
"""

WRITER = """
import resource, sys
from pathlib import Path
from orchestrator.errors import ResultsError
from orchestrator.experiments.storage.entry_log import EntryLog
from orchestrator.experiments.storage.records import SeriesStart
{before}
with EntryLog(Path(sys.argv[1])) as log:
    number = 0
    while True:
        number += 1
        try:
            log.append(SeriesStart("exp2", "recreate", number, "x" * 1000))
        except ResultsError as error:
            print(error, flush=True)
            break
        if number == 200:
            print("going", flush=True)
"""


@contextlib.contextmanager
def child(code: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def heard(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "results"


def test_two_runs_into_one_folder(folder: Path) -> None:
    with child(HOLDER.format(inside=""), folder) as holder:
        assert heard(holder) == "held"
        with pytest.raises(ResultsLockedError) as caught, ResultsFolder(folder).lock():
            pass
        assert caught.value.folder == str(folder)
        assert f"pid {holder.pid}, since 20" in caught.value.owner
        assert "--results DIR" in str(caught.value)
        holder.communicate("")
        with ResultsFolder(folder).lock():
            assert f"pid {os.getpid()}" in (folder / ".lock").read_text()
        assert (folder / ".lock").read_text() == ""


def test_two_blocks_of_one_process(folder: Path) -> None:
    with ResultsFolder(folder).lock():
        with pytest.raises(ResultsLockedError, match=f"pid {os.getpid()}"), ResultsFolder(folder).lock():
            pass
        with pytest.raises(ResultsLockedError), ResultsFolder(folder).lock():
            pass


def test_the_lock_ends_with_a_killed_holder(folder: Path) -> None:
    with child(HOLDER.format(inside=""), folder) as holder:
        assert heard(holder) == "held"
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        with ResultsFolder(folder).lock():
            assert f"pid {os.getpid()}" in (folder / ".lock").read_text()


@pytest.mark.parametrize(
    "inside",
    [
        "import subprocess; p = subprocess.Popen(['sleep', '60'], close_fds=False); print(p.pid)",
        # The copy says when it runs: only then has it let go of the lock.
        "import os, time; r, w = os.pipe(); p = os.fork();"
        "p or (os.write(w, b'1'), time.sleep(60), os._exit(0)); os.read(r, 1); print(p)",
    ],
    ids=["exec", "fork"],
)
def test_what_the_holder_started_does_not_keep_the_lock(folder: Path, inside: str) -> None:
    with child(HOLDER.format(inside=inside), folder) as holder:
        grandchild = int(heard(holder))
        try:
            assert heard(holder) == "held"
            holder.send_signal(signal.SIGKILL)
            holder.wait()
            with ResultsFolder(folder).lock():
                os.kill(grandchild, 0)  # it is alive, and still the lock is ours
        finally:
            os.kill(grandchild, signal.SIGKILL)


def test_a_file_size_limit_cuts_no_line_in_two(tmp_path: Path) -> None:
    path = tmp_path / "iterations.jsonl"
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))"
    with child(WRITER.format(before=limit), path) as writer:
        said = heard(writer)
    entries = read_entries(path)
    assert len(entries) == 9
    assert path.read_bytes().endswith(b"\n")
    assert "file size limit" in said
    assert "everything up to the start of exp2/recreate is safe" in said


def test_a_writer_killed_at_any_moment_leaves_a_readable_log(tmp_path: Path) -> None:
    path = tmp_path / "iterations.jsonl"
    with child(WRITER.format(before=""), path) as writer:
        assert heard(writer) == "going"
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    entries = read_entries(path)
    assert len(entries) >= 200
    assert [entry.first_iteration for entry in entries] == list(range(1, len(entries) + 1))
