"""What a process looks at before it is forked, and what is made anew in the copy. In processes of their own."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="the look goes through /proc")

IN_TWO_FORKS = """
import json, os, sys
sys.path[:0] = json.loads(sys.argv[1])
from orchestrator_worker.fork_safety import open_files, renew

{before}
files = open_files()
found = []
for _ in range(2):
    ours, theirs = os.pipe()
    pid = os.fork()
    if not pid:
        renew(files)
        {inside}
        os.write(theirs, json.dumps(value).encode())
        os._exit(0)
    os.close(theirs)
    found.append(json.loads(os.read(ours, 1 << 16)))
    os.close(ours)
    os.waitpid(pid, 0)
{after}
print(json.dumps(found))
"""


def in_two_forks(folder: Path, before: str, inside: str, after: str = "") -> list[Any]:
    """Return the ``value`` that ``inside`` makes in each of two forks of a process that has run ``before``."""
    script = folder / "forks.py"
    script.write_text(
        IN_TWO_FORKS.format(before=before, inside=inside.replace("\n", "\n        "), after=after)
    )
    done = subprocess.run(
        [sys.executable, str(script), json.dumps(sys.path)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return list(json.loads(done.stdout))


def test_each_copy_has_its_own_position_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(range(100)))
    found = in_two_forks(
        tmp_path,
        "file = open('file', 'rb', buffering=0)\nfile.seek(10)",
        "value = list(file.read(5))",
        "found.append(file.tell())",
    )
    assert found == [[10, 11, 12, 13, 14]] * 2 + [10]


def test_a_file_to_be_written_keeps_what_is_in_it_and_how_it_was_opened(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"start ")
    in_two_forks(
        tmp_path, "file = os.open('file', os.O_WRONLY | os.O_APPEND)", "value = os.write(file, b'more ')"
    )
    assert (tmp_path / "file").read_bytes() == b"start more more "


def test_a_file_that_is_removed_meanwhile_is_still_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"kept")
    found = in_two_forks(
        tmp_path,
        "file = open('file', 'rb', buffering=0)\nos.unlink('file')",
        "value = file.read().decode()",
    )
    assert found == ["kept", "kept"]


def test_a_descriptor_is_as_private_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    found = in_two_forks(
        tmp_path,
        "one = os.open('file', os.O_RDONLY)\ntwo = os.dup(one)\nos.set_inheritable(two, True)",
        "value = [os.get_inheritable(one), os.get_inheritable(two)]",
    )
    assert found == [[False, True]] * 2


@pytest.mark.parametrize(
    ("before", "inside"),
    [
        ("import random", "value = random.random()"),
        ("import numpy.random", "value = numpy.random.random()"),
        ("import uuid", "value = str(uuid.uuid4())"),
        (
            "import tempfile",
            "with tempfile.NamedTemporaryFile(dir='.') as file:\n    value = os.path.basename(file.name)",
        ),
    ],
)
def test_no_two_copies_draw_the_same(tmp_path: Path, before: str, inside: str) -> None:
    first, second = in_two_forks(tmp_path, before, inside)
    assert first != second


def test_the_folder_for_temporary_files_is_looked_up_anew(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    own = str(tmp_path / "own")
    found = in_two_forks(
        tmp_path,
        "import tempfile\ntempfile.gettempdir()",
        f"os.environ['TMPDIR'] = {own!r}\nvalue = tempfile.gettempdir()",
    )
    assert found == [own, own]


LOOK = """
import json, mmap, os, socket, sys, threading
sys.path[:0] = json.loads(sys.argv[1])
from orchestrator_worker.fork_safety import Look

before = Look()
{meanwhile}
print(Look().differs_from(before))
"""


@pytest.mark.parametrize(
    ("meanwhile", "says"),
    [
        ("pass", ""),
        ("file = open('/etc/passwd')", ""),
        ("file = mmap.mmap(os.open('/etc/passwd', os.O_RDONLY), 0, prot=mmap.PROT_READ)", ""),
        ("threading.Thread(target=threading.Event().wait, daemon=True).start()", "1 threads of its own"),
        ("pair = socket.socketpair()", "a connection"),
        ("pair = os.pipe()", "a connection"),
        ("poll = __import__('select').epoll()", "a connection"),
        ("memory = mmap.mmap(-1, 4096)", "writable memory"),
        (
            "os.readlink = lambda path, read=os.readlink: '/dev/nvidia0' if path.endswith('/0') else read(path)",
            "GPU",
        ),
    ],
)
def test_what_speaks_against_a_fork(tmp_path: Path, meanwhile: str, says: str) -> None:
    script = tmp_path / "look.py"
    script.write_text(LOOK.format(meanwhile=meanwhile))
    done = subprocess.run(
        [sys.executable, str(script), json.dumps(sys.path)], capture_output=True, text=True, check=True
    )
    assert (says in done.stdout) if says else done.stdout == "\n"


def test_a_process_that_was_started_and_still_runs_is_seen_and_one_that_has_ended_is_not() -> None:
    script = """
import json, os, subprocess, sys
sys.path[:0] = json.loads(sys.argv[1])
from orchestrator_worker.fork_safety import Look
before = Look()
subprocess.run(["true"])
said = [Look().differs_from(before)]
reading, writing = os.pipe()  # before: it is not what is looked for
before = Look()
child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=reading)
said.append(Look().differs_from(before))
os.write(writing, b"\\n")
child.wait()
said.append(Look().differs_from(before))
print(json.dumps(said))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, json.dumps(sys.path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    nothing, child, again = json.loads(done.stdout)
    assert (nothing, again) == ("", "")
    assert "still runs" in child
