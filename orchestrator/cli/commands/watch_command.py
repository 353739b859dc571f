"""``orchestrator watch``: the memory of a running process, recorded until stopped, then judged."""

from __future__ import annotations

import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from orchestrator.errors import ResultsError

if TYPE_CHECKING:
    from orchestrator.series_files.recording import Recording, Watched


def watch(
    pid: Annotated[int, typer.Argument(min=1, help="The process to watch.")],
    every: Annotated[float, typer.Option(min=0.01, help="Seconds between two readings.")] = 10.0,
    out: Annotated[
        Path | None, typer.Option(help="Keep the readings in this new CSV file; analyze reads it.")
    ] = None,
    for_s: Annotated[
        float | None, typer.Option("--for", min=0.01, help="Seconds to watch; default: until stopped.")
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(
            min=1e-9, help="Accepted growth, MB per hour; default: 0.1, or 0.1 % of RSS if that is more."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The verdict as one JSON object.")] = False,
) -> None:
    """Record the memory of process PID until Ctrl-C or its end, then print the verdict and MB per hour.

    Growth is judged per hour, independent of the interval between readings. RSS, its anonymous and shared parts and
    swap are read; the process is not changed.
    """
    from orchestrator.cli.terminal.screen import Screen
    from orchestrator.files.writing import to_json
    from orchestrator.series_files.finding import judge_measured
    from orchestrator.series_files.recording import Recording, Watched
    from orchestrator.series_files.words import finding_lines

    process = Watched(pid)
    name = str(out) if out else f"process {pid} ({process.name})"
    with _opened(out) as file:
        recording = Recording(name, file)
        ended = _record(process, recording, every, for_s)
    print(f"{ended}; {len(recording)} readings" + (f" in {out}" if out else ""), file=sys.stderr)
    finding = judge_measured(recording.series(), tolerance=tolerance)
    screen = Screen(sys.stdout)
    if as_json:
        screen.write_json(to_json(finding))
    else:
        screen.write(finding_lines(finding))


def _record(process: Watched, recording: Recording, every: float, for_s: float | None) -> str:
    import time

    from orchestrator.series_files.recording import record

    if sys.stderr.isatty():
        print(f"watching process {process.pid} ({process.name}); Ctrl-C stops and judges", file=sys.stderr)
    with _stopped_by_signals():
        try:
            return record(process.read, process.wait, time.monotonic, recording, every_s=every, for_s=for_s)
        except KeyboardInterrupt:  # the usual way to stop, not a failure
            return "stopped"


@contextmanager
def _opened(path: Path | None) -> Generator[TextIO | None]:
    """Open a new file; one that is there may be somebody's measurement and is left alone."""
    if path is None:
        yield None
        return
    try:
        file = path.open("x", encoding="utf-8", newline="")
    except FileExistsError:
        raise ResultsError(f"{path} is there already; name a new file, or remove it") from None
    except OSError as error:
        raise ResultsError(f"cannot write {path}: {error.strerror}") from error
    with file:
        yield file


@contextmanager
def _stopped_by_signals() -> Generator[None]:
    """Let Ctrl-C and SIGTERM stop; in the background of a script too, where a shell has SIGINT ignored."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {name: signal.signal(name, stop) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
