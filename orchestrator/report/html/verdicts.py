"""Judgements in words, the same on the page and in the Markdown summary. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.analysis.judging.decision import CLEAN
from orchestrator.analysis.judging.judged import AgainstBaseline, CountJudgement
from orchestrator.analysis.judging.judgement import Judgement
from orchestrator.report.html.content import ExperimentContent, SeriesContent
from orchestrator.report.judged_words import CHANNELS, leaking_counts, level_words, worth_telling

_MEANINGS: dict[str, str] = {
    "leak": "leaks",
    "slow-growth": "grows, but not as a leak does",
    "plateau": "does not leak",
    "flat": "does not leak",
    "bounded": "does not leak",
    "inconclusive": "is not settled",
}


def significant(value: float | None) -> str:
    """Return a rate with about three significant digits, ``6.93`` or ``0.119``; never finer than thousandths."""
    return "–" if value is None else _written(value, _decimals(value))


def rate(value: float | None, low: float | None, high: float | None) -> str:
    """Return ``6.93 (6.81 to 7.05)``; without the brackets where there is no interval."""
    if value is None or low is None or high is None:
        return significant(value)
    decimals = _decimals(value)
    return f"{_written(value, decimals)} ({_written(low, decimals)} to {_written(high, decimals)})"


def _decimals(value: float) -> int:
    size = abs(value)
    return 3 if size < 1 else 2 if size < 10 else 1 if size < 100 else 0


def _written(value: float, decimals: int) -> str:
    written = f"{value:.{decimals}f}"
    return written.removeprefix("-") if float(written) == 0 else written


def deciding_rate(judgement: Judgement) -> str:
    """Return the rate of the channel that decided, with its interval."""
    return rate(judgement.rate_mb_per_iteration, judgement.ci_low, judgement.ci_high)


def rss_rate(judgement: Judgement) -> str:
    """Return the rate of RSS with its interval."""
    return rate(judgement.rss_rate_mb_per_iteration, judgement.rss_ci_low, judgement.rss_ci_high)


def heap_rate(judgement: Judgement) -> str:
    """Return the rate of the live heap with its interval, or why there is none."""
    if judgement.heap_rate_mb_per_iteration is None and judgement.heap_off:
        return f"off ({judgement.heap_off})"
    return rate(judgement.heap_rate_mb_per_iteration, judgement.heap_ci_low, judgement.heap_ci_high)


def meaning(name: str, judgement: Judgement) -> str:
    """Return what the judgement says of the series called ``name``, without numbers."""
    if judgement.verdict == "unavailable":
        return f"{name} did not run: {judgement.sentence.removeprefix('unavailable: ')}"
    if judgement.verdict == "crashed":
        return f"{name} broke off: {judgement.sentence}"
    open_ = " and ".join(leaking_counts(judgement))
    if not open_:
        return f"{name} {_MEANINGS[judgement.verdict]}"
    clean = judgement.verdict in CLEAN
    memory = "does not leak memory, but" if clean else f"{_MEANINGS[judgement.verdict]}, and"
    return f"{name} {memory} leaks {open_}"


def amounts(judgement: Judgement) -> str:
    """Return the rates as sentences: what decided, RSS beside it, fresh processes; empty without an interval."""
    if judgement.rate_channel is None or judgement.ci_low is None:
        return ""
    channel = judgement.rate_channel
    verb = "grows" if (judgement.rate_mb_per_iteration or 0.0) > 0 else "changes"
    said = f"{CHANNELS[channel]} {verb} by {deciding_rate(judgement)} MB per iteration"
    if channel != "rss" and judgement.rss_ci_low is not None:
        said += f", RSS by {rss_rate(judgement)}"
    held = judgement.against_baseline
    sentences = [f"{said[0].upper()}{said[1:]} (95 % intervals).", *(_against(held) if held else [])]
    return " ".join(sentences)


def _against(held: AgainstBaseline) -> list[str]:
    """Return what fresh processes do by themselves, what is beyond it, and how far above them the method stands."""
    name = held.rate_channel
    found = held.channels[name]
    said: list[str] = []
    if found.beyond_mb_per_iteration is not None:
        theirs = rate(found.fresh_mb_per_iteration, found.fresh_ci_low, found.fresh_ci_high)
        said.append(
            f"With fresh processes {CHANNELS[name]} grows by {theirs}: {beyond_rate(held, name)} beyond them."
        )
    level = level_words(held)
    return [*said, f"{level}."] if level else said


def beyond_rate(held: AgainstBaseline | None, channel: str) -> str:
    """Return the growth of a channel beyond that of fresh processes, with its interval; a dash without one."""
    found = held.channels.get(channel) if held else None
    if found is None:
        return "–"
    return rate(found.beyond_mb_per_iteration, found.beyond_ci_low, found.beyond_ci_high)


def above_fresh(held: AgainstBaseline | None) -> str:
    """Return ``185 (184 to 186)``: MB above a fresh process at the end; a dash where that is not known."""
    level = held.level if held else None
    return "–" if level is None else rate(level.above_mb, level.ci_low, level.ci_high)


def count(found: CountJudgement | None) -> str:
    """Return ``12 → 61 (leak)``; the word only where it is worth one."""
    if found is None:
        return "–"
    return f"{found.first} → {found.last}" + (f" ({found.verdict})" if worth_telling(found) else "")


_GROUPS: tuple[tuple[str, frozenset[str]], ...] = (
    ("Leak", frozenset({"leak"})),
    ("Slow growth", frozenset({"slow-growth"})),
    ("Broke off", frozenset({"crashed"})),
    ("Not settled", frozenset({"inconclusive"})),
    ("Did not run", frozenset({"unavailable"})),
    ("No leak", CLEAN),
)


def headlines(experiments: Sequence[ExperimentContent]) -> list[str]:
    """Return the whole run in a few lines: what leaks, what broke off, what is open, what does not leak."""
    every = [(content.experiment.name, series) for content in experiments for series in content.series]
    if not every:
        return ["Nothing has been measured yet."]
    lines = [
        _headline(words, [each for each in every if each[1].judgement.verdict in verdicts], len(every))
        for words, verdicts in _GROUPS
    ]
    for counted in ("descriptors", "threads"):
        found = [each for each in every if counted in leaking_counts(each[1].judgement)]
        lines.append(_headline(f"{counted.capitalize()} leak", found, len(every)))
    return [line for line in lines if line]


def _headline(words: str, found: Sequence[tuple[str, SeriesContent]], total: int) -> str:
    """Return how many there are, and which by experiment; empty where there are none."""
    names: dict[str, list[str]] = {}
    for experiment, series in found:
        names.setdefault(experiment, []).append(series.name)
    where = "; ".join(f"{experiment}: {', '.join(each)}" for experiment, each in names.items())
    return f"{words}: {len(found)} of {total} ({where})" if found else ""
