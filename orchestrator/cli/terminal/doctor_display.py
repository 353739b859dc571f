"""An examination for people: tables with colours on a terminal, plain lines when piped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TextIO

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from orchestrator.cli.terminal.screen import Screen
from orchestrator.doctor import Examination, Finding
from orchestrator.doctor.finding import State

MARKS: dict[State, str] = {"ok": "ok", "note": "note", "problem": "PROBLEM"}
_STYLES: dict[State, str] = {"ok": "green", "note": "yellow", "problem": "bold red"}


def show(examination: Examination, stream: TextIO) -> None:
    """Write what was found: the machine, the profile asked for, the others, and what it comes to."""
    screen = Screen(stream)
    for title, findings in _parts(examination):
        if screen.is_terminal:
            screen.console.print(_table(title, findings))
        else:
            for line in _plain(title, findings):
                screen.write_text(line)
    for words in _conclusion(examination):
        screen.write_text(words)


def _parts(examination: Examination) -> Iterator[tuple[str, list[Finding]]]:
    yield "This machine", examination.shared
    for profile in examination.profiles:
        state = "ready" if profile.ready else "not ready"
        yield f"Profile {profile.name}: {state}", profile.findings


def _table(title: str, findings: Iterable[Finding]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", expand=True)
    table.add_column("", no_wrap=True)
    table.add_column("what", no_wrap=True)
    table.add_column("found", ratio=1, overflow="fold")
    for finding in findings:
        found = Text(finding.found)
        if finding.hint and finding.state != "ok":
            found.append(f"\n→ {finding.hint}", style="cyan")
        mark = Text(MARKS[finding.state], _STYLES[finding.state])
        table.add_row(mark, f"{finding.area}: {finding.subject}", found)
    return table


def _plain(title: str, findings: Iterable[Finding]) -> Iterator[str]:
    yield title
    rows = [(MARKS[one.state], f"{one.area}: {one.subject}", one) for one in findings]
    width = max((cell_len(name) for _, name, _ in rows), default=0)
    for mark, name, finding in rows:
        yield f"  {mark:<8}{name}{' ' * (width - cell_len(name))}  {finding.found}"
        if finding.hint and finding.state != "ok":
            for line in finding.hint.splitlines():
                yield f"  {'':<8}  to mend it: {line}"
    yield ""


def _conclusion(examination: Examination) -> Iterator[str]:
    chosen = examination.profiles[0]
    problems = sum(one.state == "problem" for one in [*examination.shared, *chosen.findings])
    if examination.ready:
        yield f"ready: profile {chosen.name} can run everything ({examination.reason})"
    else:
        counted = "1 problem" if problems == 1 else f"{problems} problems"
        yield f"not ready: profile {chosen.name} has {counted} ({examination.reason})"
