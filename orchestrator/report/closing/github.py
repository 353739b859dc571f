"""The end of a run for a CI system: Markdown for a job's summary, and annotations. Pure.

A job's summary is what GitHub shows above the log; the syntax of an annotation is that of its workflow commands: a
property may hold neither ``:`` nor ``,`` nor a line's end, a message no line's end, so these are written as ``%3A`` and
the like.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from orchestrator.report import judged_words as words
from orchestrator.report.closing.last_screen import Closing
from orchestrator.report.closing.rows import ClosingRow, headline, merged
from orchestrator.report.closing.sparkline import sparkline

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!|~<>&$])")
_SIGNS = {"leak": "🔴", "no leak": "🟢", "undecided": "🟡", "broke off": "🔴", "not run": "⚪"}
_SPARK = 8


def step_summary(closing: Closing, artifacts: str = "") -> str:
    """Return the last screen as Markdown, ending in an empty line so that another step's text can follow it.

    ``artifacts`` is the address of the page that lists the job's artifacts; with it the charts are a link.
    """
    lines = [
        f"### {escaped(headline(closing.rows))}",
        "",
        "| experiment | method | verdict | lost per iteration | above a fresh process | shape |",
        "| --- | --- | --- | --- | ---: | --- |",
        *(_row(row) for row in merged(closing.rows)),
        "",
    ]
    for each in closing.to_do:
        lines.append(f"- {escaped(each.words)}")
        lines += ["", *(f"      {line}" for line in each.command.splitlines()), ""] if each.command else []
    if closing.to_do:
        lines.append("")
    lines.append(f"Engines: {escaped(closing.engines)}. Took {escaped(closing.took)}.")
    if closing.report:
        lines += ["", f"Charts: {_charts(closing.report, artifacts)}, one file that works offline."]
    return "\n".join(lines) + "\n\n"


def _charts(report: str, artifacts: str) -> str:
    """Return where the charts are: among the artifacts of the job's run, if its workflow keeps them."""
    return f"[{code(report)}](<{artifacts}>)" if artifacts else code(report)


def _row(row: ClosingRow) -> str:
    name = f"{row.experiment} {row.work}".strip()
    said = (name, row.method, f"{_SIGNS[row.kind]} {row.verdict}", row.number, row.above)
    return f"| {' | '.join(escaped(text) for text in said)} | {sparkline(row.readings, row.span, _SPARK)} |"


def escaped(text: str) -> str:
    """Return ``text`` on one line as Markdown shows it literally; nobody is called by an ``@``."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split())).replace("@", "&#64;")


def code(text: str) -> str:
    """Return ``text`` as code, whatever backticks it has."""
    flat = " ".join(text.split())
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", flat)), default=0))
    pad = " " if "`" in flat else ""
    return f"{fence}{pad}{flat}{pad}{fence}"


class AtGate(NamedTuple):
    """What the gate says of one series, and why."""

    result: Literal["passed", "broken", "inconclusive"]
    reason: str


Gate = Mapping[tuple[str, str], AtGate]
"""What the gate looks at, by experiment and series."""


def annotation_lines(rows: Iterable[ClosingRow], file: str, gate: Gate | None = None) -> list[str]:
    """Return a workflow command for each method that leaks, broke off, could not run or is undecided.

    With a ``gate``, an error is what the gate breaks on, whatever its verdict, and nothing else: a leak that it
    accepts, or does not look at, is a warning. ``file`` is the experiments file as the repository knows it; GitHub
    shows the annotation there.
    """
    found = [(row, _at_gate(row, gate)) for row in rows]
    return [
        _annotation(row, file, gate, held)
        for row, held in found
        if row.kind != "no leak" or (held is not None and held.result != "passed")
    ]


def _at_gate(row: ClosingRow, gate: Gate | None) -> AtGate | None:
    judged = row.judgement
    return None if gate is None or judged is None else gate.get((judged.experiment, judged.series))


def _annotation(row: ClosingRow, file: str, gate: Gate | None, held: AtGate | None) -> str:
    bad = row.kind in {"leak", "broke off"}
    if gate is not None:
        bad = held is not None and held.result == "broken"
    level = "error" if bad else "warning"
    title = f"{row.experiment} {row.method}: {row.verdict}"
    properties = ",".join(f"{name}={_property(text)}" for name, text in (("file", file), ("title", title)))
    said = _said(row)
    if gate is not None:
        said += (
            f"\ngate: {held.result}: {held.reason}"
            if held is not None
            else "\ngate: it does not look at this"
        )
    return f"::{level} {properties}::{_message(said)}"


def _said(row: ClosingRow) -> str:
    judged = row.judgement
    if judged is None:
        return f"{row.method} did not run"
    if judged.verdict in {"crashed", "unavailable"}:
        return judged.sentence
    memory, counts = words.short(judged), words.count_lines(judged)
    found = [memory, *counts] if judged.verdict == "leak" else [*counts, memory]
    return "\n".join([*found, *_settling(judged.settle)])


def _settling(settle: Sequence[str]) -> list[str]:
    return [f"to settle it: {what}" for what in settle[:1]]


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
