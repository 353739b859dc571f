"""Everything that a hostile worker would like to reach."""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def victim(folder: Path) -> Generator[dict[str, Any]]:
    """Everything that a hostile worker would like to reach."""
    home = folder / "home"
    (home / ".ssh").mkdir(parents=True)
    key = home / ".ssh" / "id"
    key.write_text("secret")
    for other in ("spare", "doomed"):
        (home / other).write_text(other)
    name = f"orchestrator-test-{os.getpid()}-{time.monotonic_ns()}"
    memfd = os.memfd_create("audio")
    reader, writer = os.pipe()
    with contextlib.ExitStack() as stack:
        for descriptor in (memfd, reader, writer):
            stack.callback(os.close, descriptor)
        stack.callback(Path("/dev/shm", name).unlink, missing_ok=True)
        port = stack.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
        listening = stack.enter_context(socket.socket(socket.AF_UNIX))
        abstract = stack.enter_context(socket.socket(socket.AF_UNIX))
        receiving = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        places = stack.enter_context(tempfile.TemporaryDirectory(dir="/tmp"))
        for end, address in ((listening, f"{places}/s"), (abstract, f"\0{name}"), (receiving, f"{places}/d")):
            end.bind(address)
        listening.listen()
        abstract.listen()
        sibling = subprocess.Popen(
            [sys.executable, "-c", "import time; print(flush=True); time.sleep(600)"], stdout=-1
        )
        stack.callback(sibling.wait)
        stack.callback(sibling.kill)
        assert sibling.stdout is not None
        stack.callback(sibling.stdout.close)
        sibling.stdout.readline()
        yield {
            "host": os.getpid(),
            "sibling": sibling.pid,
            "maps": int(Path(f"/proc/{sibling.pid}/maps").read_text().partition("-")[0], 16),
            "memfd": memfd,
            "pipe": writer,
            "home": str(home),
            "key": str(key),
            "spare": str(home / "spare"),
            "doomed": str(home / "doomed"),
            "name": name,
            "port": port,
            "stream": f"{places}/s",
            "datagram": f"{places}/d",
        }
