"""The check for what tests leave behind, in a pytest run of its own: who is named, and who is not."""

import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
TESTS = """
import os, subprocess, sys, threading, time
import pytest
from orchestrator import Call, Pool

pytestmark = pytest.mark.usefixtures("nothing_left")
kept = []

def test_tidy_1(): pass
def test_child(): kept.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]))
def test_tidy_2(): pass
def test_descriptor(): kept.append(os.open(os.devnull, os.O_RDONLY))
def test_tidy_3(): pass
def test_thread():
    thread = threading.Thread(target=time.sleep, args=(600,), name="left-alone", daemon=True)
    thread.start()
def test_tidy_4(): pass
def test_pool():
    kept.append(Pool(workers=2))
    assert kept[-1].run(Call("operator:add", 1, 2)) == 3
def test_tidy_5():
    with Pool() as pool:
        assert pool.run(Call("operator:add", 1, 2)) == 3
def test_fails_too():
    kept.append(subprocess.Popen(["sleep", "600"]))
    assert False, "of itself"
def test_tidy_6():
    number = os.open(os.devnull, os.O_RDONLY)
    os.close(number)
    assert not [child for child in kept if isinstance(child, subprocess.Popen) and child.poll() is None]
"""


def test_the_one_that_left_something_is_named_and_the_others_are_judged_by_themselves(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("from process_conftest import nothing_left\n")
    (tmp_path / "process_conftest.py").write_text((HERE / "conftest.py").read_text())
    (tmp_path / "test_leaving.py").write_text(TESTS)
    path = os.pathsep.join([str(HERE), str(HERE.parent / "native"), str(tmp_path)])
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            "-q",
            "-rA",
            "--rootdir",
            str(tmp_path),
            str(tmp_path),
        ],
        env={**os.environ, "PYTHONPATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=100,
    )
    said = done.stdout
    named = set(re.findall(r"test_leaving\.py::(\w+) left behind:", said))
    assert named == {"test_child", "test_descriptor", "test_thread", "test_pool", "test_fails_too"}, said
    passed = set(re.findall(r"^PASSED \S*test_leaving\.py::(\w+)", said, re.MULTILINE))
    assert {name for name in passed if "tidy" in name} == {f"test_tidy_{number}" for number in range(1, 7)}, (
        said
    )
    assert re.search(r"process \d+: \S+ -c import time; time.sleep", said)
    assert re.search(r"descriptor \d+ -> /dev/null", said)
    assert "thread left-alone" in said
