"""An engine of a stranger that may be forked, and does at its load and in its jobs what it is told to."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import confined_functions
import msgspec
import pytest

from orchestrator.pool.jobs import EngineJob
from orchestrator.pool.models import Model
from orchestrator_worker import template
from orchestrator_worker.engines.base import Emit, Engine
from orchestrator_worker.protocol import Job, ModelSpec, Plain

LOCK = threading.Lock()
HELD_BY: list[int] = []


class ForkableEngine(Engine):
    """``options["load"]`` and a job's ``options["do"]``: JSON of a name in ``ACTS`` and its arguments."""

    name = "forkable"
    tasks = ("do",)

    def load(self, model: ModelSpec) -> dict[str, Any]:
        self.loaded = carry_out(model.options["load"]) if "load" in model.options else None
        return {}

    def run(self, job: Job, emit: Emit) -> Plain:
        del emit
        return Plain([os.getpid(), self.loaded, carry_out(job.options["do"])])

    def unload(self) -> None:
        pass

    @classmethod
    def may_fork(cls, model: ModelSpec) -> bool:
        del model
        return True


def carry_out(told: str) -> Any:
    name, *arguments = json.loads(told)
    return ACTS[name](*arguments)


def attempt_all(victim: dict[str, Any]) -> dict[str, str]:
    return confined_functions.attempt_all(victim)


def look_at_relatives(pids: list[int]) -> dict[str, list[str]]:
    """Try to reach the parent and other workers; return how each attempt on each ended."""
    acts: dict[str, Callable[[int], object]] = {
        "signal": lambda pid: os.kill(pid, signal.SIGCONT),
        "command line": lambda pid: Path(f"/proc/{pid}/cmdline").read_bytes(),
        "memory": lambda pid: os.close(os.open(f"/proc/{pid}/mem", os.O_RDONLY)),
        "descriptors": lambda pid: os.listdir(f"/proc/{pid}/fd"),
        "status": lambda pid: Path(f"/proc/{pid}/status").read_text(),
    }
    pids = [pid for pid in pids if pid != os.getpid()]
    return {name: [attempt(act, pid) for pid in pids] for name, act in acts.items()}


def attempt(act: Callable[[int], object], pid: int) -> str:
    return confined_functions.attempt(lambda _: act(pid), {})


def ask_for_a_group(how: str, patience_s: float) -> str:
    """Fork a process that wants a group of its own; return how that ended, ``waits`` where nobody answers for long."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setpgid(0, 0 if how == "nought" else os.getpid())
            os.write(writer, b"done")
        except OSError as error:
            os.write(writer, type(error).__name__.encode())
        os._exit(0)
    os.close(writer)
    os.set_blocking(reader, False)
    ends, said = time.monotonic() + patience_s, b""
    while not said and time.monotonic() < ends:
        try:
            said = os.read(reader, 64)
        except BlockingIOError:
            time.sleep(0.01)
    os.close(reader)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return said.decode() or "waits"


def leave_a_process() -> int:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid


def name_another(pid: int) -> None:
    """From now on say to whoever orders a worker that it is the process ``pid``."""
    fork = os.fork
    os.fork = lambda: fork() and pid


def answer_nonsense(what: str, number: int) -> None:
    """From now on say ``number`` of each worker that is forked, or of how each has ended."""
    if what == "fork":
        template.fork_server.NUMBER = _Nonsense(number)
    else:
        template.fork_server._reap = lambda request: number


class _Nonsense:
    size = 4

    def __init__(self, number: int) -> None:
        self._number = number

    def pack(self, _: int) -> bytes:
        return self._number.to_bytes(4, "little", signed=True)


def talk_on() -> None:
    """Say a second time that all is well, when nobody has asked."""
    answer_requests = template.fork_server.answer_requests

    def begin(channel: Any, *arguments: Any) -> Any:
        channel.send(msgspec.msgpack.encode(template.Report()))
        return answer_requests(channel, *arguments)

    template.fork_server.answer_requests = begin


def be_locked_in_a_copy() -> None:
    """Leave a lock as a thread would that is not in the copy."""
    LOCK.acquire()
    HELD_BY.append(os.getpid())


def take_the_lock() -> str:
    if [os.getpid()] != HELD_BY:
        LOCK.acquire()
    return "taken"


def write_here() -> list[str]:
    """Write into the folder for temporary files; return it and what may be seen around it."""
    folder = tempfile.gettempdir()
    Path(folder, "note").write_text("written")
    try:
        around = os.listdir(os.path.dirname(folder))
    except PermissionError as error:
        around = [type(error).__name__]
    return [folder, *around]


def read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError as error:
        return type(error).__name__


def read_or_raise(path: str) -> str:
    return Path(path).read_text()


def write(path: str) -> str:
    try:
        Path(path).write_text("overwritten")
    except OSError as error:
        return type(error).__name__
    return "done"


ACTS: dict[str, Callable[..., Any]] = {
    each.__name__: each
    for each in (
        attempt_all,
        look_at_relatives,
        ask_for_a_group,
        leave_a_process,
        name_another,
        answer_nonsense,
        talk_on,
        be_locked_in_a_copy,
        take_the_lock,
        write_here,
        read,
        read_or_raise,
        write,
    )
}


@contextmanager
def installed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put the engine on the host's path as if pip had installed it."""
    metadata = folder / "forkable-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: forkable\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[orchestrator.engines]\nforkable = forkable_engine:ForkableEngine\n"
    )
    monkeypatch.syspath_prepend(folder)
    yield


def model(sandbox: Any, *load: Any, **more: Any) -> Model:
    options = {"load": json.dumps(load)} if load else {}
    return Model(name="m", engine="forkable", start="warm", sandbox=sandbox, options=options, **more)


def job(*told: Any) -> EngineJob:
    return EngineJob("m", "do", options={"do": json.dumps(told)})
