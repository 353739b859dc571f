"""A server in a process of its own: started on a free port, asked over loopback, ended by a signal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from lab import PATIENCE_S, Lab, synthetic

SAMPLES = Path(__file__).parents[2] / "samples"
HEARD = "one two three"
FOR_EVER_MS = 3_600_000


def models(**more: Any) -> dict[str, Any]:
    """Return models of the synthetic engine: a quick one, an aligner, one that never ends."""
    return {
        "asr-small": synthetic(text=HEARD, tokens=3),
        "aligner": synthetic(),
        "endless": synthetic(text=HEARD, job_ms=FOR_EVER_MS),
        **more,
    }


LIFELINE = """
import ctypes, os, signal, sys
parent, *command = sys.argv[1:]
ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG, kept by exec
if os.getppid() == int(parent):
    os.execv(command[0], command)
"""


def ends_with_us(command: list[str]) -> list[str]:
    """Return the command of a process that the kernel kills when the thread that starts it is gone, however it went."""
    return [sys.executable, "-I", "-S", "-c", LIFELINE, str(os.getpid()), *command]


class Server:
    """``orchestrator serve`` at work."""

    def __init__(self, lab: Lab, process: subprocess.Popen[bytes]) -> None:
        self.lab = lab
        self.process = process
        self.url = str(self.wait_for("listening")["address"])

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def log(self) -> list[dict[str, Any]]:
        """Return the lines of its log so far."""
        lines = (self.lab.folder / "err.txt").read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def wait_for(self, event: str, **facts: Any) -> dict[str, Any]:
        """Return the first line of the log with this event and these facts, once it is there."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            for line in self.log():
                if line["event"] == event and facts.items() <= line.items():
                    return line
            said = (self.lab.folder / "err.txt").read_text()
            assert self.process.poll() is None or event in said, f"it ended: {said}"
            assert time.monotonic() < deadline, f"no {event} {facts} in {said}"
            time.sleep(0.01)

    def pool(self) -> dict[str, Any]:
        """Return what ``top`` shows."""
        found: dict[str, Any] = httpx.get(f"{self.url}/v1/pool", timeout=PATIENCE_S).json()
        return found

    def until(self, condition: Any, what: str) -> dict[str, Any]:
        """Return the first view of the pool for which the condition holds."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition(seen := self.pool()):
            assert time.monotonic() < deadline, f"not {what}: {seen}"
            time.sleep(0.01)
        return seen

    def transcribe(self, path: Path | None = None, **fields: Any) -> httpx.Response:
        """Ask for a transcript."""
        with open(path or self.lab.folder / "tone.wav", "rb") as recording:
            return httpx.post(
                f"{self.url}/v1/audio/transcriptions",
                files={"file": ("talk.wav", recording)},
                data=fields,
                timeout=PATIENCE_S,
            )

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        """Stop it in good order; return its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(PATIENCE_S)


@contextmanager
def serving(lab: Lab, *flags: str, env: dict[str, str] | None = None, **serve: Any) -> Iterator[Server]:
    """Serve the models of the lab's file; ``serve`` is its table ``[serve]``. It is ended, whatever happens."""
    process = start(lab, *flags, env=env, **serve)
    try:
        server = Server(lab, process)
        server.wait_for("ready")
        yield server
        if process.poll() is None:
            process.terminate()
        process.wait(PATIENCE_S)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def start(lab: Lab, *flags: str, env: dict[str, str] | None = None, **serve: Any) -> subprocess.Popen[bytes]:
    """Write the file unless there is one, and start the command."""
    if serve or not lab.file.exists():
        table = serve.pop("table", {})
        lab.write(models=serve.pop("models", None) or models(), serve={"workers": 1, **table, **serve})
    before = {name: os.environ.get(name) for name in env or {}}
    os.environ.update(env or {})
    try:
        with (
            open(lab.folder / "out.txt", "wb") as out,
            open(lab.folder / "err.txt", "wb") as err,
        ):
            return subprocess.Popen(
                ends_with_us(lab.command("serve", "--port", "0", "--log-format", "json", *flags)),
                cwd=lab.folder,
                env=lab.environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
