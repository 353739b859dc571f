"""A finding in plain words, one block of lines a series. Pure."""

from __future__ import annotations

from orchestrator.report import judged_words as words
from orchestrator.report.cells import number
from orchestrator.report.layout import Line, Role
from orchestrator.series_files.finding import Finding

_VERDICTS = {
    "leak": "leak: memory grows with every iteration and is not given back",
    "plateau": "plateau: it grew at first and then came to rest; no leak",
    "flat": "flat: it does not grow beyond what is accepted; no leak",
    "bounded": "bounded: it goes up and down within limits; no leak",
    "slow-growth": "slow growth: it grows, but ever more slowly, by less than is accepted, or otherwise than a leak",
    "inconclusive": "inconclusive: these readings do not decide it",
    "crashed": "crashed: it did not come to its end",
    "unavailable": "unavailable: it could not run",
}


def finding_lines(finding: Finding) -> list[Line]:
    """Return the finding's block: name, verdict, rates, reasons, and what would settle it."""
    role: Role = "bad" if finding.verdict in ("leak", "crashed") else "text"
    lines = [Line(_name(finding), "title"), Line(f"  {_VERDICTS[finding.verdict]}", role)]
    if finding.rate_mb_per_iteration is not None:
        lines += [Line(f"  {_rate(finding)}"), Line(f"  {words.readings_words(finding)}")]
    lines += [Line(f"  {told}") for told in _beside(finding)]
    lines += [Line(f"  {told}", "bad" if "leak" in told else "text") for told in words.count_lines(finding)]
    lines += [Line(f"  because: {reason}") for reason in finding.reasons]
    lines += [Line(f"  to settle it: {what}") for what in finding.settle]
    return lines


def _name(finding: Finding) -> str:
    parts = [finding.file, finding.experiment if finding.series else None, finding.series]
    return "  ".join(part for part in parts if part)


def _rate(finding: Finding) -> str:
    channel = _channel(finding.rate_channel or "")
    interval = _interval(finding.ci_low, finding.ci_high)
    text = f"{_signed(finding.rate_mb_per_iteration or 0.0)} MB per iteration ({channel}{interval})"
    beside = {"rss": finding.rss_rate_mb_per_iteration, "live": finding.heap_rate_mb_per_iteration}
    for name, rate in beside.items():
        if name != finding.rate_channel and rate is not None:
            text += f"; {_channel(name)} {_signed(rate)}"
    if finding.rate_mb_per_hour is not None:
        text += f"; {finding.rate_mb_per_hour:+.2f} MB per hour"
    return text


def _channel(name: str) -> str:
    return words.CHANNELS.get(name, name).removeprefix("the ")


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f", 95 %: {number(low, 3)} to {number(high, 3)}"


def _beside(finding: Finding) -> list[str]:
    """Return what the growth is made of, and how it stands against fresh processes."""
    made, held = words.made_of(finding), finding.against_baseline
    told = [f"made of: {made}" if made else ""]
    told += [words.beyond_words(held), words.level_words(held)] if held else []
    return [each for each in told if each]


def _signed(rate: float) -> str:
    """Return ``+6.930``, ``-0.012``, and ``0.000`` for what rounds to nothing."""
    text = number(rate, 3)
    return f"+{text}" if rate > 0 and float(text) else text
