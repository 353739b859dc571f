"""``orchestrator serve`` with a pipe in the place of its configuration: who waits for it, and what ends that."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest
from lab import PATIENCE_S, Lab, wait_until
from serving_process import HEARD, Server, models, serving, start


def test_a_second_signal_kills_though_the_end_is_held_up(lab: Lab) -> None:
    """A disk that does not answer: here a pipe in the place of the configuration, which nothing comes out of."""
    with serving(lab, models=models()) as server:
        assert server.transcribe().status_code == 200
        lab.file.unlink()
        os.mkfifo(lab.file)
        silent = os.open(lab.file, os.O_RDWR)  # there is a writer, which says nothing
        try:
            server.signal(signal.SIGHUP)
            wait_until(lambda: is_read_by(lab.file, server.process.pid), what="it reads")
            server.signal(signal.SIGTERM)
            server.wait_for("stopping")
            server.signal(signal.SIGTERM)
            assert server.process.wait(PATIENCE_S) == 130
        finally:
            os.close(silent)
        assert server.wait_for("killed")
    assert lab.workers() == []


def test_a_pipe_in_the_place_of_the_file_is_waited_for_at_the_start_and_by_no_reload(lab: Lab) -> None:
    lab.write(models=models(), serve={"workers": 1})
    text = lab.file.read_text()
    lab.file.unlink()
    os.mkfifo(lab.file)
    process = start(lab, "--config", str(lab.file))
    try:
        with open(once_read(lab.file), "w") as pipe:
            pipe.write(text)
        server = Server(lab, process)
        server.wait_for("ready")
        server.signal(signal.SIGHUP)
        assert "schema: missing" in server.wait_for("reload", level="error")["message"]
        assert server.transcribe().json()["text"] == HEARD
        assert server.end() == 0
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_wait_for_a_pipe(lab: Lab, number: signal.Signals) -> None:
    os.mkfifo(lab.file)
    process = start(lab, "--config", str(lab.file))
    try:
        pipe = once_read(lab.file)
        process.send_signal(number)
        assert process.wait(PATIENCE_S) != 0
        os.close(pipe)
    finally:
        process.kill()
        process.wait()


def once_read(pipe: Path) -> int:
    """Open a pipe for writing once somebody opens it for reading; return its descriptor."""
    opened: list[int] = []

    def opens() -> bool:
        with suppress(OSError):
            opened.append(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        return bool(opened)

    wait_until(opens, what="somebody reads it")
    return opened[0]


def is_read_by(path: Path, pid: int) -> bool:
    """Whether a process has a file open."""
    for each in os.listdir(f"/proc/{pid}/fd"):
        with suppress(FileNotFoundError):  # it is closed meanwhile
            if os.readlink(f"/proc/{pid}/fd/{each}") == str(path):
                return True
    return False
