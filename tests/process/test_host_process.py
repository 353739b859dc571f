"""The interpreter of the workers: which one, and with which of the host's flags."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator import AsyncPool, Call, Pool, PoolExecutor, RayPool
from orchestrator.errors import EngineUnavailableError, InterpreterError
from orchestrator.process.dialogue import Dialogue
from orchestrator.process.host import interpreter

PATIENCE_S = 60.0
HERE = Path(__file__).parent
DOORS: list[Callable[..., Any]] = [Pool, AsyncPool, PoolExecutor]
NO_PYTHON = [None, "", "/bin/true", "/bin/cat", "/nowhere/python3", "/"]

pytestmark = pytest.mark.usefixtures("nothing_left")


def program(folder: Path, name: str, body: str, mode: int = 0o755) -> str:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(mode)
    return str(path)


# ---------------------------------------------------------------------- which interpreter


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("executable", NO_PYTHON)
def test_a_host_that_is_no_python_is_told_what_to_say(
    monkeypatch: pytest.MonkeyPatch, door: Callable[..., Any], executable: str | None
) -> None:
    monkeypatch.setattr(sys, "executable", executable)
    with pytest.raises(InterpreterError, match=r"Pool\(python=.*ORCHESTRATOR_PYTHON") as told:
        door()
    assert "sys.executable" in str(told.value)
    assert len(str(told.value).splitlines()) == 1
    assert isinstance(told.value, EngineUnavailableError), (
        "the command line ends with 3, as for anything missing"
    )


def test_an_experiment_says_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", None)
    with pytest.raises(InterpreterError, match="ORCHESTRATOR_PYTHON"):
        Dialogue()


def test_a_frozen_application_is_not_started_to_find_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "executable", program(tmp_path, "app", f"touch {tmp_path}/started"))
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    with pytest.raises(InterpreterError, match="frozen application"):
        Pool()
    assert not (tmp_path / "started").exists()


def test_an_application_that_is_tried_does_not_try_itself(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "executable", program(tmp_path, "app", f"touch {tmp_path}/started"))
    monkeypatch.setenv(interpreter.PROBED, "1")
    with pytest.raises(InterpreterError, match="starts itself"):
        Pool()
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("exit 0", "is not a Python interpreter"),
        ("echo no such option >&2; exit 2", "it says: no such option"),
        ("yes", "is not a Python interpreter"),
        ("echo orchestrator-probe cpython 2.7 1", "is cpython 2.7, and this program runs on"),
        (f"echo orchestrator-probe pypy {sys.version_info[0]}.{sys.version_info[1]} 1", "is pypy"),
        (
            f"echo orchestrator-probe {sys.implementation.name} "
            f"{sys.version_info[0]}.{sys.version_info[1]}{sys.abiflags} 0",
            "has no msgspec",
        ),
    ],
)
@pytest.mark.parametrize("by", ["keyword", "variable"])
def test_a_named_interpreter_that_will_not_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, body: str, why: str, by: str
) -> None:
    named = program(tmp_path, "python3", body)
    if by == "variable":
        monkeypatch.setenv(interpreter.VARIABLE, named)
    with pytest.raises(InterpreterError) as told:
        Pool(python=Path(named) if by == "keyword" else None)
    assert why in str(told.value)
    assert str(told.value).startswith(
        f"python={named!r}" if by == "keyword" else f"{interpreter.VARIABLE}={named}"
    )


@pytest.mark.parametrize(
    ("named", "why"),
    [
        ("", "names no interpreter"),
        ("no-such-python-at-all", "is not on the PATH"),
        ("/no/such/python", "does not exist"),
        ("{folder}", "is a folder"),
        ("{folder}/plain", "is not executable"),
        ("{folder}/text", "is not a Python interpreter"),
    ],
)
def test_a_named_interpreter_that_is_not_there(tmp_path: Path, named: str, why: str) -> None:
    program(tmp_path, "plain", "exit 0", mode=0o644)
    (tmp_path / "text").write_text("neither program nor script")
    (tmp_path / "text").chmod(0o755)
    with pytest.raises(InterpreterError, match=why):
        Pool(python=named.format(folder=tmp_path))


def test_a_program_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(interpreter, "PROBE_TIMEOUT_S", 0.3)
    with pytest.raises(InterpreterError, match="is not a Python interpreter"):
        Pool(python=program(tmp_path, "python3", "sleep 1000 & sleep 1000"))


@pytest.mark.parametrize("named", [3, b"/usr/bin/python3", ["python3"], True])
def test_what_is_no_path_at_all(named: Any) -> None:
    with pytest.raises(TypeError, match="python="):
        Pool(python=named)


@pytest.mark.parametrize("door", DOORS)
def test_a_named_interpreter_runs_the_workers(tmp_path: Path, door: Callable[..., Any]) -> None:
    named = program(tmp_path, "wrapped", f'echo started >> "{tmp_path}/log"; exec "{sys.executable}" "$@"')
    if door is AsyncPool:

        async def ask() -> Any:
            async with AsyncPool(python=named) as pool:
                return await pool.run(Call("math:factorial", 5))

        assert asyncio.run(ask()) == 120
    else:
        with door(python=named) as pool:
            assert (
                pool.run(Call("math:factorial", 5)) if door is Pool else pool.submit(abs, -120).result()
            ) == 120
    assert (tmp_path / "log").read_text().count("started") >= 2, "one to try it, one worker"


def test_the_keyword_wins_over_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(interpreter.VARIABLE, "/no/such/python")
    with Pool(python=sys.executable) as pool:
        assert pool.run(Call("math:factorial", 4)) == 24


@pytest.mark.parametrize("command", [["engines"], ["run", "experiments.toml", "--profile", "embedded"]])
def test_a_command_says_it_in_one_sentence(tmp_path: Path, command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator", *command, *(["--results", "r"] if "run" in command else [])],
        cwd=HERE.parents[1] if "engines" in command else _initialised(tmp_path),
        env={**os.environ, interpreter.VARIABLE: "/no/such/python"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1].startswith(
        "orchestrator: ORCHESTRATOR_PYTHON=/no/such/python does not exist; name one by"
    )
    assert done.stdout == ""


def _initialised(folder: Path) -> Path:
    words = [sys.executable, "-m", "orchestrator", "init", str(folder / "own")]
    subprocess.run(words, check=True, capture_output=True, timeout=PATIENCE_S)
    return folder / "own"


def test_a_ray_node_gets_the_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    from orchestrator.cluster import ray_pool

    made: list[Any] = []

    def controller(settings: Any) -> _Closed:
        made.append(settings)
        return _Closed()

    monkeypatch.setattr(ray_pool, "ClusterController", controller)
    RayPool(python=Path("/opt/python3"))
    assert made[0].for_nodes().node.python == "/opt/python3"


class _Closed:
    closed = True


# ---------------------------------------------------------------------- flags

HOST = """
import json, sys
sys.path[:0] = {paths!r}
from orchestrator import Call, Pool, Recycle
with Pool(recycle=Recycle(max_jobs=1)) as pool:
    said = [pool.run(Call("host_flags:facts")) for _ in range(4)]
print(json.dumps(said))
"""


def asked(*flags: str, **environment: str) -> list[dict[str, Any]]:
    """Return what four workers of a host with these flags say, the later ones forked from the fork server."""
    paths = [str(HERE), *(path for path in sys.path if path), *_editable()]
    done = subprocess.run(
        [sys.executable, *flags, "-c", HOST.format(paths=paths)],
        env={
            **os.environ,
            "PYTHONPYCACHEPREFIX": "/dev/null/none",
            **environment,
        },  # nothing stays in the source tree
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    said: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return said


def _editable() -> list[str]:
    return [str(HERE.parents[1]), str(HERE.parents[1] / "worker")]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (
            [],
            {
                "optimize": 0,
                "asserts": True,
                "isolated": 0,
                "dev_mode": 0,
                "safe_path": 1,
                "warning": "passed",
            },
        ),
        (["-O"], {"optimize": 1, "asserts": False}),
        (["-OO"], {"optimize": 2, "asserts": False}),
        (["-B"], {"dont_write_bytecode": 1}),
        (["-b"], {"bytes_warning": 1}),
        (["-E"], {"ignore_environment": 1, "isolated": 0}),
        (["-s"], {"no_user_site": 1}),
        (["-I"], {"isolated": 1, "ignore_environment": 1, "no_user_site": 1}),
        (["-S"], {"no_site": 1}),
        (["-P"], {"safe_path": 1}),
        (["-X", "dev"], {"dev_mode": 1}),
        (["-X", "utf8"], {"utf8_mode": 1}),
        (["-X", "utf8=0"], {"utf8_mode": 0}),
        (["-X", "int_max_str_digits=5000"], {"int_max_str_digits": 5000}),
        (["-W", "error::UserWarning"], {"warning": "raised"}),
        (["-W", "error"], {"warning": "raised", "warnoptions": ["error"]}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_flags_that_reach_the_workers(flags: list[str], expected: dict[str, Any]) -> None:
    environment = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONWARNINGS": "", "PYTHONUTF8": ""}
    for said in asked(*flags, **environment):
        assert {name: said[name] for name in expected} == expected


@pytest.mark.parametrize("flags", [["-v"], ["-q"], ["-d"], ["-X", "importtime"], ["-X", "tracemalloc"]])
def test_flags_that_do_not(flags: list[str]) -> None:
    for said in asked(*flags):
        assert not said["verbose"] + said["quiet"] + said["debug"]
        assert said["xoptions"] == {"faulthandler": "True"}


def test_variables_reach_the_workers() -> None:
    said = asked(PYTHONDONTWRITEBYTECODE="1", PYTHONOPTIMIZE="1", PYTHONPATH="/some/folder")[0]
    assert (said["dont_write_bytecode"], said["optimize"]) == (1, 1)
    assert said["pythonpath"] == "/some/folder"


def test_packages_that_only_the_hosts_sys_path_leads_to_are_found(tmp_path: Path) -> None:
    """``pip install --target`` and a line in the program: the interpreter itself has no msgspec."""
    bare = Path(sys.base_prefix, "bin", f"python{sys.version_info[0]}.{sys.version_info[1]}")
    if not bare.exists() or _has_msgspec(bare):
        pytest.skip(f"{bare} is not there, or has msgspec itself: nothing would be shown")
    script = HOST.format(paths=[str(HERE), *(path for path in sys.path if path), *_editable()])
    done = subprocess.run(
        [bare, "-c", script], capture_output=True, text=True, timeout=PATIENCE_S, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])[0]["executable"] == str(bare)


def _has_msgspec(python: Path) -> bool:
    return subprocess.run([python, "-I", "-c", "import msgspec"], capture_output=True).returncode == 0
