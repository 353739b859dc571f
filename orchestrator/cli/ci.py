"""What ``run`` leaves for a CI system beside its exit code: GitHub's job summary, and annotations."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO
from urllib.parse import quote

from orchestrator.cli.closing import shown
from orchestrator.report.closing.github import AtGate, annotation_lines, step_summary
from orchestrator.report.closing.last_screen import Closing
from orchestrator.report.closing.rows import ClosingRow

if TYPE_CHECKING:
    from orchestrator.experiments.judging.leak_gate import GateResult

SUMMARY = "GITHUB_STEP_SUMMARY"
_WORKSPACE = "GITHUB_WORKSPACE"
_RUN = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")


def add_step_summary(closing: Closing, environ: Mapping[str, str]) -> None:
    """Append the end of the run to the job's summary, where there is one. A summary that cannot be written is said."""
    place = environ.get(SUMMARY, "")
    if not place:
        return
    try:
        with Path(place).open("a", encoding="utf-8", errors="replace") as summary:
            summary.write(step_summary(closing, artifacts_url(environ)))
    except (OSError, ValueError) as error:
        print(f"no job summary: {SUMMARY}={place}: {error}", file=sys.stderr)


def artifacts_url(environ: Mapping[str, str]) -> str:
    """Return the page that lists the artifacts of this job's run; empty outside GitHub."""
    server, repository, run = (environ.get(name, "") for name in _RUN)
    if not (server.startswith(("https://", "http://")) and repository and run.isdecimal()):
        return ""
    return f"{quote(server, safe=':/')}/{quote(repository, safe='/')}/actions/runs/{run}#artifacts"


def annotate(
    rows: Sequence[ClosingRow],
    file: str,
    stream: TextIO,
    environ: Mapping[str, str],
    gate: GateResult | None = None,
) -> None:
    """Print an annotation for each method that is not clean, on the experiments file.

    With a gate that decides the exit code, an error stands for what it breaks on.
    """
    held = None
    if gate is not None:
        held = {
            (one.judgement.experiment, one.judgement.series): AtGate(one.result, one.reason)
            for one in gate.series
        }
    for line in annotation_lines(rows, in_workspace(file, environ), held):
        print(line, file=stream, flush=True)


def in_workspace(file: str, environ: Mapping[str, str]) -> str:
    """Return the path of a file as the repository knows it; as it is typed here outside one."""
    workspace = environ.get(_WORKSPACE, "")
    whole = Path(os.path.abspath(file))  # noqa: PTH100 - Path.absolute() would keep ".."
    if workspace and whole.is_relative_to(workspace):
        return whole.relative_to(workspace).as_posix()
    return shown(whole)
