"""``orchestrator top``: a live view of a pool or batch that is running."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from orchestrator.inspection import Found, Snapshot

LOOK_EVERY_S = 0.2


def top(
    pid: Annotated[int | None, typer.Argument(help="The process; default: the only one there is.")] = None,
    *,
    once: Annotated[bool, typer.Option("--once", help="Print one view and exit.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object; without --once one per line and view.")
    ] = False,
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between two views.")] = 1.0,
    wait_s: Annotated[
        float | None,
        typer.Option(
            "--wait",
            min=0,
            help="Seconds to wait for a pool to look into; default: until there is one, with --once not at all.",
        ),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(
            "--url", help="The address of an `orchestrator serve`; its key is ORCHESTRATOR_API_KEY."
        ),
    ] = None,
) -> None:
    """Show a running pool: slots, models, memory, jobs, exits by reason, the queue.

    It must run as the same user. It can show every transcribe, align, batch and serve, and a Pool that was created with
    inspect=True. With --url it shows a server, on any machine.
    """
    if url is not None and pid is not None:
        raise typer.BadParameter("give a process or --url, not both")
    with contextlib.suppress(KeyboardInterrupt):
        take = _of_server(url) if url is not None else _of_process(pid, once=once, wait_s=wait_s)
        if once:
            _print_one(take(), as_json=as_json)
            return
        if as_json or not sys.stdout.isatty():
            while True:
                _print_one(take(), as_json=as_json)
                time.sleep(every)
        _live(take, every)


def _of_server(url: str) -> Callable[[], Snapshot]:
    import os

    from orchestrator.inspection.over_http import look_at_url

    return lambda: look_at_url(url, os.environ.get("ORCHESTRATOR_API_KEY"))


def _of_process(pid: int | None, *, once: bool, wait_s: float | None) -> Callable[[], Snapshot]:
    from orchestrator.inspection import look

    chosen = _wait_for_one(pid, (0.0 if once else math.inf) if wait_s is None else wait_s)
    return lambda: look(chosen)


def _wait_for_one(pid: int | None, wait_s: float) -> Found:
    """Return the pool to look into, waiting until there is one.

    Raises:
        OrchestratorError: There was none in time, the process has ended, or there are several and none was named.
    """
    from orchestrator.inspection import find_running
    from orchestrator.inspection.client import choose, is_there

    until_s = time.monotonic() + wait_s
    told = False
    while not is_there(running := find_running(), pid) and lives(pid) and time.monotonic() < until_s:
        if not told:
            whose = "" if pid is None else f" in process {pid}"
            print(f"waiting for a pool to look into{whose}; Ctrl-C ends", file=sys.stderr, flush=True)
            told = True
        time.sleep(LOOK_EVERY_S)
    return choose(running, pid)


def lives(pid: int | None) -> bool:
    """Whether a process lives; True when none was named."""
    import psutil

    return pid is None or psutil.pid_exists(pid)


def _print_one(snapshot: Snapshot, *, as_json: bool) -> None:
    if as_json:
        from orchestrator.cli.terminal.screen import Screen
        from orchestrator.files.writing import to_json

        Screen(sys.stdout).write_json(to_json(snapshot))
        return
    from orchestrator.cli.terminal.drawing import console_on
    from orchestrator.cli.terminal.top_view import PLAIN_WIDTH, drawn

    width = None if sys.stdout.isatty() else PLAIN_WIDTH
    console = console_on(sys.stdout, width=width)
    console.print(drawn(snapshot, console.width))


def _live(take: Callable[[], Snapshot], every: float) -> None:
    from rich.live import Live

    from orchestrator.cli.terminal.drawing import console_on
    from orchestrator.cli.terminal.top_view import drawn
    from orchestrator.errors import ResultsError

    console = console_on(sys.stdout)
    with Live(console=console, screen=True, auto_refresh=False) as live:
        try:
            while True:
                live.update(drawn(take(), console.width), refresh=True)
                time.sleep(every)
        except ResultsError as error:
            gone = str(error)
    print(gone, file=sys.stderr)
