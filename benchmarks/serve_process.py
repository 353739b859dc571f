"""``orchestrator serve`` as a child process, for the programs that load it; and what it has left at its end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

START_TIMEOUT_S = 300.0


class ServeProcess:
    """A server that is ready. ``url`` is where."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self.log = log
        self.seen = psutil.Process(process.pid)
        self.url = str(self._until("listening")["address"])
        self._until("ready")

    @property
    def port(self) -> int:
        """Of its address."""
        return int(self.url.rpartition(":")[2])

    def lines(self) -> list[dict[str, Any]]:
        """Return its log."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def tree_bytes(self) -> int:
        """Return the RSS of the server and of everything that it has started."""
        total = 0
        for each in (self.seen, *self.seen.children(recursive=True)):
            try:
                total += each.memory_info().rss
            except psutil.Error:
                continue
        return total

    def _until(self, event: str) -> dict[str, Any]:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self.process.poll() is None:
            for line in self.lines():
                if line.get("event") == event:
                    return line
            time.sleep(0.02)
        raise SystemExit(f"the server did not start: {self.log.read_text()}")


@contextmanager
def serving(experiments: str) -> Iterator[ServeProcess]:
    """Start a server on the text of an experiments.toml; it is gone at the end."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "experiments.toml").write_text(experiments)
        log = folder / "log"
        with open(log, "wb") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-m", "orchestrator", "serve", "--port", "0", "--log-format", "json"],
                cwd=folder,
                env={**os.environ, "XDG_CACHE_HOME": str(folder / "cache")},
                stderr=stderr,
            )
        try:
            yield ServeProcess(process, log)
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def files_of(server: ServeProcess) -> int:
    """Return how many files of requests there are."""
    return sum(path.is_file() for path in (server.log.parent / "cache").rglob("*"))
