"""Which Python interpreter runs the workers, and whether it can.

Usually the one that runs this process, ``sys.executable``. In a program that embeds Python (uWSGI, a frozen
application) that is the program itself, or empty: then the user names an interpreter. What is named is tried once, by
a process that says its version, before any worker is started from it.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from functools import lru_cache
from pathlib import Path

from orchestrator.errors import InterpreterError
from orchestrator.process.host.passed_environment import LATE, passed_environment

VARIABLE = "ORCHESTRATOR_PYTHON"
PROBE_TIMEOUT_S = 20.0
PROBED = "ORCHESTRATOR_PROBE"
"""Set for a program that is tried: one that is no Python but an application of ours must not try itself in turn."""
_MOST_ANSWER = 4096
_MARK = "orchestrator-probe"
_PROBE = f"""
import sys
sys.path = [entry for entry in sys.path if entry]
try:
    import msgspec
    found = 1
except Exception:
    found = 0
name = getattr(getattr(sys, "implementation", None), "name", "python")
flags = getattr(sys, "abiflags", "")
sys.stdout.write("{_MARK} %s %d.%d%s %d" % (name, sys.version_info[0], sys.version_info[1], flags, found))
"""
_PLAIN_NAME = re.compile(r"(python|pypy)[\d.]*[a-z]{0,2}(\.exe)?")


def worker_python(named: str | os.PathLike[str] | None = None) -> str:
    """Return the path of the interpreter for workers: ``named``, else ORCHESTRATOR_PYTHON, else this process's own.

    Raises:
        InterpreterError: It is not there, cannot be executed, is no Python, is of another version than this process,
            or lacks msgspec.
        TypeError: ``named`` is no path.
    """
    if named is not None:
        if not isinstance(named, str | os.PathLike):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"python={named!r}: the path of a Python interpreter, as text or Path")
        return _checked(os.fspath(named), f"python={os.fspath(named)!r}")
    variable = os.environ.get(VARIABLE)
    return _checked(variable, f"{VARIABLE}={variable}") if variable else _own()


def _own() -> str:
    own = sys.executable
    if not own:
        raise InterpreterError(
            "this process does not say which Python interpreter runs it (sys.executable is empty, as in a program "
            "that embeds Python)",
            _advice(),
        )
    where = f"sys.executable is {own!r}, and workers need a Python interpreter: it"
    if getattr(sys, "frozen", False):
        raise InterpreterError(f"{where} is a frozen application", _advice())
    if os.environ.get(PROBED):
        raise InterpreterError(f"{where} is a program that starts itself", _advice())
    if _runs_this_process(own):
        return own
    return _checked(own, where)


def _runs_this_process(own: str) -> bool:
    """Whether it is called as Pythons are called and is this very process: then nothing needs to be tried."""
    try:
        same = Path(own).samefile("/proc/self/exe")
    except OSError:
        return False
    return same and _PLAIN_NAME.fullmatch(Path(own).name) is not None


def _checked(named: str, where: str) -> str:
    """Return the path of an interpreter that can run workers; ``where`` begins the sentence about one that cannot."""
    path = named if os.sep in named else shutil.which(named)
    if not path:
        what = "is not on the PATH" if named else "names no interpreter"
        raise InterpreterError(f"{where} {what}", _advice())
    path = os.path.abspath(path)  # noqa: PTH100 - a symlink of an environment must stay one
    if problem := _unusable(path) or _unfit(path):
        raise InterpreterError(f"{where} {problem}", _advice())
    return path


def _unusable(path: str) -> str:
    if not Path(path).exists():
        return "does not exist"
    if Path(path).is_dir():
        return "is a folder"
    return "" if os.access(path, os.X_OK) else "is not executable"


def _unfit(path: str) -> str:
    """Say what keeps an executable from running our workers; empty when nothing does."""
    if path == sys.executable and _runs_this_process(path):
        return ""
    seen = Path(path).stat()
    answer = _answer(path, seen.st_mtime_ns, seen.st_size)
    if not answer.startswith(_MARK):
        last = answer.strip().splitlines()[-1][:200] if answer.strip() else ""
        return "is not a Python interpreter" + (f" (it says: {last})" if last else "")
    _, name, version, has_msgspec = answer.split()
    ours = f"{sys.version_info[0]}.{sys.version_info[1]}{getattr(sys, 'abiflags', '')}"
    if (name, version) != (sys.implementation.name, ours):
        return (
            f"is {name} {version}, and this program runs on {sys.implementation.name} {ours}: workers need the same "
            "version, because they import the same packages"
        )
    return (
        ""
        if has_msgspec == "1"
        else "has no msgspec, which workers need (install it there: pip install msgspec)"
    )


@lru_cache(maxsize=16)
def _answer(path: str, mtime_ns: int, size: int) -> str:  # noqa: ARG001 - a changed file is asked again
    """Return what the program says to our question, at most a few KiB; a program that never ends is killed."""
    environment = passed_environment()
    environment.pop(LATE, None)
    try:
        process = subprocess.Popen(
            [path, "-c", _PROBE],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**environment, PROBED: "1"},
            process_group=0,
        )
    except OSError as error:
        return error.strerror or str(error)

    def kill() -> None:
        with_group = getattr(os, "killpg", os.kill)
        try:
            with_group(process.pid, signal.SIGKILL)
        except OSError:
            return

    timer = threading.Timer(PROBE_TIMEOUT_S, kill)
    timer.start()
    try:
        assert process.stdout is not None
        with process.stdout:
            answer = process.stdout.read(_MOST_ANSWER)
    finally:
        kill()  # it has answered, or says more than any Python would
        timer.cancel()
        timer.join()  # before the process is reaped: its number may then belong to another
        process.wait()
    return answer.decode(errors="replace")


def _advice() -> str:
    """Say how an interpreter is named, with the one of this environment where there is one."""
    own = Path(sys.prefix, "bin", f"python{sys.version_info[0]}.{sys.version_info[1]}")
    example = str(own) if os.access(own, os.X_OK) else "/path/to/python"
    return f"name one by Pool(python={example!r}) or the environment variable {VARIABLE}"
