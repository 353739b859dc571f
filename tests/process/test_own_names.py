"""Projects whose own modules have names that were, or are, ours: each side gets its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

MODULE = "print('the project was here')\nMINE = True\ndef double(number):\n    return 2 * number\n"
TEST = """
import {name}

def test_it():
    assert {name}.MINE
    assert {name}.double(4) == 8
"""
CHECKED = """
def test_leaks_nothing(leak_check):
    leak_check({name}.double, args=[4], iterations=10, max_time=0.5)
"""
SCRIPT = """
from orchestrator import Call, Pool
import {name}

if __name__ == "__main__":
    with Pool() as pool:
        print({name}.MINE, pool.run(Call("{name}:double", 4)))
"""
SHAPES = {"worker.py": "worker", "worker/__init__.py": "worker", "workers.py": "workers"}
COMMANDS = {
    "pytest": [str(Path(sys.executable).with_name("pytest")), "-q"],
    "python -m pytest": [sys.executable, "-m", "pytest", "-q"],
    "importlib": [sys.executable, "-m", "pytest", "-q", "--import-mode=importlib"],
    "script": [sys.executable, "script.py"],
    "python -m orchestrator": [sys.executable, "-m", "orchestrator", "engines", "--json"],
}


def project(folder, shape, name):
    """Write the project's module in its shape, a test of it and a script that uses both."""
    module = folder / shape
    module.parent.mkdir(exist_ok=True)
    module.write_text(MODULE)
    (folder / "test_it.py").write_text(TEST.format(name=name))
    (folder / "script.py").write_text(SCRIPT.format(name=name))


def run(command, folder, **env):
    """Run with pytest's own plugins and ours, and none of what this environment has else."""
    own = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "orchestrator.leakgate.plugin"}
    flags = ["-p", "no:cacheprovider"] if "pytest" in " ".join(command) else []
    done = subprocess.run(
        [*command, *flags], cwd=folder, env=os.environ | own | env, capture_output=True, text=True, timeout=60
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("how", COMMANDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_project_with_a_module_called_worker_gets_its_own_and_so_do_we(tmp_path, shape, how):
    if how == "pytest" and not Path(COMMANDS[how][0]).exists():
        pytest.skip("no script pytest beside this interpreter")
    name = SHAPES[shape]
    project(tmp_path, shape, name)
    # The module is beside the test: with importlib pytest puts nothing on the path, as its documentation says.
    code, said = run(COMMANDS[how], tmp_path)
    assert code == 0, said
    if how == "script":
        assert "True 8" in said
    elif how == "python -m orchestrator":
        assert "the project was here" not in said
    else:
        assert "1 passed" in said


@pytest.mark.parametrize("how", ["pytest", "python -m pytest"])
def test_such_a_module_can_be_checked_for_leaks(tmp_path, how):
    project(tmp_path, "worker.py", "worker")
    (tmp_path / "test_it.py").write_text(TEST.format(name="worker") + CHECKED.format(name="worker"))
    code, said = run(COMMANDS[how], tmp_path)
    assert code == 0, said
    assert "2 passed" in said


@pytest.mark.parametrize("shape", ["orchestrator.py", "orchestrator/__init__.py"])
def test_a_project_with_a_module_called_orchestrator_tests_its_own(tmp_path, shape):
    """Plain ``pytest`` loads the plugin before the project's folders are on the path."""
    project(tmp_path, shape, "orchestrator")
    (tmp_path / "test_it.py").write_text(
        TEST.format(name="orchestrator") + CHECKED.format(name="orchestrator")
    )
    code, said = run(COMMANDS["pytest"], tmp_path)
    assert code == 1, said
    assert "1 passed, 1 " in said
    assert (
        f"leak_check: orchestrator is {tmp_path / shape} in this test run, which hides the installed" in said
    )
    assert "rename the module" in said


def test_with_such_a_module_first_on_the_path_pytest_runs_without_the_plugin(tmp_path):
    """``python -m pytest`` has the working directory on the path before it loads plugins; the cure is in the docs."""
    project(tmp_path, "orchestrator.py", "orchestrator")
    code, said = run([*COMMANDS["python -m pytest"], "-p", "no:leakgate"], tmp_path, PYTEST_PLUGINS="")
    assert code == 0, said
    assert "1 passed" in said


LOADED = """
import sys

def pytest_sessionfinish():
    ours = sorted(name for name in sys.modules if name.partition(".")[0].startswith("orchestrator"))
    heavy = [name for name in ("numpy", "scipy", "msgspec", "psutil", "rich", "typer") if name in sys.modules]
    print("\\nLOADED", *ours, *heavy)
"""


def test_a_test_run_that_never_asks_for_leak_check_loads_the_plugin_alone(tmp_path):
    (tmp_path / "conftest.py").write_text(LOADED)
    (tmp_path / "test_it.py").write_text("def test_it(): pass\n")
    code, said = run([*COMMANDS["python -m pytest"], "-s"], tmp_path)
    assert code == 0, said
    line = next(line for line in said.splitlines() if line.startswith("LOADED"))
    assert line.split()[1:] == [
        "orchestrator",
        "orchestrator.leakgate",
        "orchestrator.leakgate.own_name",
        "orchestrator.leakgate.plugin",
        "orchestrator.leakgate.settings",
    ]
