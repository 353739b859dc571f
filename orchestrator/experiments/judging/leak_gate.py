"""The gate of a run: do its judgements let it pass?

Pure: judgements in, a result per series and one for the run out. What a series is called here:

==============  ====================================================================================
``passed``      its verdict is clean, or its growth stays within the limit
``broken``      it leaks, grows faster than the limit, or crashed (a series that died proves nothing)
``inconclusive``  neither can be said; the table's ``inconclusive`` may turn this into one of the others
==============  ====================================================================================

The gate judges memory; ``descriptors = true`` and ``threads = true`` in its table make it judge those too, and the
worst of the three is the result: a leak of descriptors ends a process as surely, but many engines keep some.
With a limit both rates count, that of the channel that decided and that of RSS: a heap that leaks little
may hold much.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from orchestrator.analysis.judging.decision import CLEAN
from orchestrator.analysis.judging.judged import CountJudgement
from orchestrator.analysis.judging.judgement import Judgement
from orchestrator.config.types import GateConfig
from orchestrator.experiments.judging.readings import FRESH_METHODS
from orchestrator.report import judged_words as words
from orchestrator.report.cells import verdict_words

GateWord = Literal["passed", "broken", "inconclusive"]
About = Literal["memory", "descriptors", "threads"]
"""What a gate looks at."""

_WORSE: tuple[GateWord, ...] = ("passed", "inconclusive", "broken")


class GatedSeries(msgspec.Struct, frozen=True):
    """One series at the gate: its judgement, the result, why in one sentence, and what decided it."""

    judgement: Judgement
    result: GateWord
    reason: str
    about: About = "memory"


class GateResult(msgspec.Struct, frozen=True):
    """The gate of a run. ``result`` is the worst of its series; ``reason`` says so in one sentence."""

    result: GateWord
    reason: str
    series: list[GatedSeries]


def check_gate(gate: GateConfig, judgements: Iterable[Judgement]) -> GateResult:
    """Hold the judgements of a run against its gate."""
    series = [_check(gate, judged) for judged in _gated(gate, judgements)]
    if not series:
        named = ", ".join(gate.methods or ()) or "any method"
        return GateResult(_settled(gate, "inconclusive"), f"no series of {named} in this run", [])
    worst_first: tuple[GateWord, ...] = ("broken", "inconclusive")
    for word in worst_first:
        if count := sum(one.result == word for one in series):
            return GateResult(word, f"{count} of {len(series)} series {word}", series)
    return GateResult("passed", f"all {len(series)} series passed", series)


def _gated(gate: GateConfig, judgements: Iterable[Judgement]) -> Sequence[Judgement]:
    """Return what the gate looks at: the methods named, else those that keep a process, else whatever there is."""
    found = list(judgements)
    if gate.methods is not None:
        return [judged for judged in found if judged.method in gate.methods]
    return [judged for judged in found if judged.method not in FRESH_METHODS] or found


def _check(gate: GateConfig, judged: Judgement) -> GatedSeries:
    if judged.verdict == "crashed":
        return GatedSeries(judged, "broken", judged.sentence)
    if judged.verdict == "unavailable" or judged.tolerance is None:
        word, reason = _undecided(judged, "; ".join(judged.reasons[:1]) or judged.sentence)
    elif gate.max_rate_mb_per_iteration is None:
        word, reason = _by_verdict(judged)
    else:
        word, reason = _by_rate(judged, gate.max_rate_mb_per_iteration)
    found = [GatedSeries(judged, _settled(gate, word), reason)]
    if gate.descriptors:
        found.append(_count(gate, judged, "descriptors", judged.descriptors))
    if gate.threads:
        found.append(_count(gate, judged, "threads", judged.threads))
    return max(found, key=lambda one: _WORSE.index(one.result))


def _count(gate: GateConfig, judged: Judgement, about: About, found: CountJudgement | None) -> GatedSeries:
    """Judge what the table asks for beside memory: only a clean verdict passes, only a leak breaks."""
    if found is None:
        word, reason = _settled(gate, "inconclusive"), f"{about}: not counted throughout"
    elif found.verdict in CLEAN:
        word, reason = "passed", f"{about}: {verdict_words(found.verdict)}"
    else:
        word = "broken" if found.verdict == "leak" else _settled(gate, "inconclusive")
        reason = words.count_words(about, found)
    return GatedSeries(judged, word, reason, about)


def _by_verdict(judged: Judgement) -> tuple[GateWord, str]:
    if judged.verdict in CLEAN:
        return "passed", verdict_words(judged.verdict)
    if judged.verdict == "leak":
        left = f"; {judged.abandoned}" if judged.abandoned else ""
        return "broken", words.short(judged) + left
    return _undecided(judged, words.growth_words(judged) or "no rate")


def _by_rate(judged: Judgement, limit: float) -> tuple[GateWord, str]:
    """Compare both intervals with the limit; a clean verdict passes where the limit is no finer than it."""
    if judged.verdict in CLEAN and judged.tolerance is not None and judged.tolerance <= limit:
        return "passed", verdict_words(judged.verdict)
    bounds = ((judged.ci_low, judged.ci_high), (judged.rss_ci_low, judged.rss_ci_high))
    said = f"{words.growth_words(judged) or 'no rate'}; the limit is {limit:g}"
    if all(high is not None and high <= limit for _, high in bounds):
        return "passed", said
    growing = judged.verdict not in CLEAN
    if growing and any(low is not None and low > limit for low, _ in bounds):
        return "broken", said
    return _undecided(judged, said)


def _undecided(judged: Judgement, why: str) -> tuple[GateWord, str]:
    settle = "".join(f"; {line}" for line in words.settle_lines(judged)[:1])
    said = why if why.startswith(judged.verdict) else f"{verdict_words(judged.verdict)}: {why}"
    return "inconclusive", said + settle


def _settled(gate: GateConfig, word: GateWord) -> GateWord:
    """Return what an inconclusive result counts as under this gate."""
    if word != "inconclusive":
        return word
    meant: dict[str, GateWord] = {"fail": "broken", "pass": "passed", "inconclusive": "inconclusive"}
    return meant[gate.inconclusive]
