"""The rows of the last screen: a method each, with its verdict and one number. Pure.

Fresh processes that do not leak need no row each: they become one row of all experiments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from orchestrator.analysis.judging.decision import CLEAN
from orchestrator.analysis.judging.judgement import Judgement
from orchestrator.config.types import Experiment
from orchestrator.report.cells import number
from orchestrator.report.closing.sparkline import common_span
from orchestrator.report.judged_words import leaking_counts, rate_words
from orchestrator.report.names import method_name
from orchestrator.report.shape import columns_of
from orchestrator.report.summaries import NOT_RUN, SeriesSummary

Kind = Literal["leak", "no leak", "undecided", "broke off", "not run"]
"""What a method counts as: every verdict is one of these, and they add up to all methods."""

FRESH = "fresh processes"
_TASKS = {"asr": "transcribe", "align": "align"}
_COUNTED = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_NO_RISE_MB = 0.5


@dataclass(frozen=True, slots=True)
class ClosingRow:
    """One method of a run.

    Attributes:
        experiment: Name of its experiment; ``all five`` or ``four others`` in the row of fresh processes.
        work: What an iteration does, such as ``transcribe, align``.
        method: What tables call it.
        kind: What it counts as.
        verdict: The word in its row: the kind, ``slow growth`` or ``not possible``.
        number: The one number: what is lost per iteration, or how far memory rose and that it stopped.
        above: How far it stands above a fresh process now; empty where that is not known.
        readings: MB, one an iteration, for the sparkline.
        span: What the sparkline's full height stands for, MB.
        stands_for: How many methods the row stands for.
        judgement: Its judgement; None for a method that did not run, and for several.
        baseline: Whether it is the method of fresh processes.
    """

    experiment: str
    work: str
    method: str
    kind: Kind
    verdict: str
    number: str = ""
    above: str = ""
    readings: Sequence[float] = ()
    span: float = 1.0
    stands_for: int = 1
    judgement: Judgement | None = field(default=None, repr=False)
    baseline: bool = False


def closing_rows(
    experiment: Experiment, summaries: Mapping[str, SeriesSummary], readings: Mapping[str, Sequence[float]]
) -> list[ClosingRow]:
    """Return the rows of one experiment, in the order of its tables' columns; ``readings`` are by series key."""
    span = common_span(list(readings.values()))
    work = ", ".join(dict.fromkeys(_TASKS.get(step.task, step.task) for step in experiment.steps))
    rows: list[ClosingRow] = []
    for series in columns_of(experiment):
        summary = summaries.get(series.key, NOT_RUN)
        judged = summary.judgement
        values = readings.get(series.key, ())
        kind, verdict = kind_of(judged)
        verdict = "not possible" if summary.not_possible else verdict
        rows.append(
            ClosingRow(
                experiment=experiment.name,
                work=work,
                method=method_name(series, summary),
                kind=kind,
                verdict=verdict,
                number=_number(judged, summary, values),
                above=_above(judged),
                readings=values,
                span=span,
                judgement=judged,
                baseline=series.method == "recycle",
            )
        )
    return rows


def kind_of(judged: Judgement | None) -> tuple[Kind, str]:
    """Return what a judgement counts as, and its word; descriptors or threads that leak are a leak, too."""
    if judged is None or judged.verdict == "unavailable":
        return "not run", "not run"
    if judged.verdict == "crashed":
        return "broke off", "broke off"
    if judged.verdict == "leak" or leaking_counts(judged):
        return "leak", "LEAK"
    if judged.verdict in CLEAN:
        return "no leak", "no leak"
    return "undecided", "slow growth" if judged.verdict == "slow-growth" else "undecided"


def merged(rows: Sequence[ClosingRow]) -> list[ClosingRow]:
    """Return the rows with those of fresh processes that do not leak in one, at the end.

    An experiment that could not run has one row.
    """
    rows = [
        one for name in dict.fromkeys(row.experiment for row in rows) for one in _of_experiment(name, rows)
    ]
    fresh = [row for row in rows if row.baseline and row.kind == "no leak" and "@" not in row.method]
    if not fresh:
        return list(rows)
    names = list(dict.fromkeys(row.experiment for row in fresh))
    every = len({row.experiment for row in rows}) == len(names)
    one = fresh[0]
    if len(names) > 1:
        count = _COUNTED[len(names) - 2] if len(names) <= len(_COUNTED) + 1 else str(len(names))
        if len(names) == 2:
            name = "both" if every else ", ".join(names)
        else:  # not all names in a row: the column would leave no room for those of methods
            name = f"all {count}" if every else f"{count} others"
        one = ClosingRow(name, "", FRESH, "no leak", "no leak", stands_for=len(fresh), baseline=True)
    kept = [row for row in rows if row not in fresh]
    return [*kept, replace(one, method=FRESH, readings=(), number="", above="")]


def _of_experiment(name: str, rows: Sequence[ClosingRow]) -> list[ClosingRow]:
    """Return the rows of an experiment; a single one where none of its methods could run."""
    own = [row for row in rows if row.experiment == name]
    if len(own) > 1 and all(row.kind == "not run" for row in own):
        return [replace(own[0], method=f"all {len(own)} methods", stands_for=len(own), baseline=False)]
    return own


def headline(rows: Sequence[ClosingRow]) -> str:
    """Return ``5 of 12 methods leak · 7 do not · 0 undecided``, and what broke off or did not run, if any did."""
    count = {kind: sum(row.stands_for for row in rows if row.kind == kind) for kind in _KINDS}
    total = sum(count.values())
    methods = "1 method" if total == 1 else f"{total} methods"
    if count["not run"] == total:
        return f"none of {methods} could run"
    leak = "leaks" if count["leak"] == 1 else "leak"
    do_not = "does not" if count["no leak"] == 1 else "do not"
    said = [
        f"{count['leak']} of {methods} {leak}",
        f"{count['no leak']} {do_not}",
        f"{count['undecided']} undecided",
        *(f"{count[kind]} {word}" for kind, word in _ENDINGS.items() if count[kind]),
    ]
    return " · ".join(said)


_KINDS: tuple[Kind, ...] = ("leak", "no leak", "undecided", "broke off", "not run")
_ENDINGS: Mapping[Kind, str] = {"broke off": "broke off", "not run": "did not run"}


def _number(judged: Judgement | None, summary: SeriesSummary, readings: Sequence[float]) -> str:
    """Return the one number: of what leaks, else of the channel that decided; that is what the verdict speaks of."""
    if judged is None or judged.verdict == "unavailable":
        return ""
    if judged.verdict == "crashed":
        done = summary.iterations or 0
        return (
            f"after {done} of {summary.iterations_planned}" if summary.iterations_planned else f"after {done}"
        )
    rate, low, high = judged.rate_mb_per_iteration, judged.ci_low, judged.ci_high
    if judged.verdict != "leak" and (counts := leaking_counts(judged)):
        return _lost_counts(judged, counts[0])
    if judged.verdict in CLEAN:
        return _at_rest(judged, readings)
    if rate is None:
        return ""
    if judged.verdict == "inconclusive" and low is not None and high is not None:
        return f"{rate_words(low)} to {rate_words(high)} MB"
    return f"{rate_words(rate)} MB" if rate >= _LEAST_MB else f"{1024 * 1024 * rate:.0f} bytes"


_LEAST_MB = 0.001


def _lost_counts(judged: Judgement, name: str) -> str:
    found = getattr(judged, name)
    return f"{number(found.rate_per_iteration)} {name}"


def _at_rest(judged: Judgement, readings: Sequence[float]) -> str:
    """Return what a series that does not leak has done: risen and stopped, moved within a range, or neither."""
    if not readings:
        return ""
    rise, within = readings[-1] - readings[0], max(readings) - min(readings)
    if judged.verdict == "bounded" and within >= _NO_RISE_MB:
        return f"moves within {within:.0f} MB"
    if rise >= _NO_RISE_MB:
        return f"rose {rise:.0f} MB, {'stopped' if judged.verdict == 'plateau' else 'accepted'}"
    return f"fell by {-rise:.0f} MB" if rise <= -_NO_RISE_MB else "stands still"


def _above(judged: Judgement | None) -> str:
    held = judged.against_baseline if judged else None
    if held is None or held.level is None:
        return ""
    above = round(held.level.above_mb)
    return f"{above:+d} MB" if above else "0 MB"
