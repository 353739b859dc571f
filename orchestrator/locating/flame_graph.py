"""Memray's own page about a trace: its flame graph of what was not freed, which asks no server for anything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

NO_DEBUGINFOD = {"DEBUGINFOD_URLS": ""}
"""Memray would ask the servers named there for debug information, which nobody has told it to."""
DRAW_TIMEOUT_S = 600.0
"""Of a trace at its bound, on a slow machine; usual ones take seconds."""


def draw_flame_graph(trace: Path, page: Path) -> str:
    """Write the page, in the place of an earlier one; return why there is none, empty when there is."""
    drawn = trace.with_name("flame-graph.html")
    command = [sys.executable, "-m", "memray", "flamegraph", "--leaks", "--no-web", "-f", "-o", str(drawn)]
    try:
        page.unlink(missing_ok=True)
        done = subprocess.run(
            [*command, str(trace)],
            env={**os.environ, **NO_DEBUGINFOD, "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=DRAW_TIMEOUT_S,
            check=False,
        )
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            return f"memray could not draw it: {said[-1] if said else f'exit code {done.returncode}'}"
        page.write_bytes(drawn.read_bytes())
    except subprocess.TimeoutExpired:
        return f"memray had not drawn it within {DRAW_TIMEOUT_S:g} s"
    except OSError as error:
        return f"it cannot be written: {error.strerror}"
    return ""
