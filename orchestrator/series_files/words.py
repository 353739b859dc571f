"""A finding as a block of lines: the file's name, and the words of every judgement. Pure."""

from __future__ import annotations

from orchestrator.report import judged_words as words
from orchestrator.report.layout import Line, Role
from orchestrator.series_files.finding import Finding


def finding_lines(finding: Finding) -> list[Line]:
    """Return the finding's block: name, verdict, growth, and what stands behind it."""
    role: Role = "bad" if finding.verdict in ("leak", "crashed") else "text"
    lines = [Line(_name(finding), "title"), Line(f"  {words.explanation(finding)}", role)]
    if growth := words.growth_words(finding):
        lines.append(Line(f"  {growth}"))
    return [*lines, *(Line(f"  {each}", _role(each)) for each in words.long(finding))]


def _name(finding: Finding) -> str:
    parts = [finding.file, finding.experiment if finding.series else None, finding.series]
    return "  ".join(part for part in parts if part)


def _role(line: str) -> Role:
    return "bad" if line.startswith(("descriptors: leak", "threads: leak")) else "text"
