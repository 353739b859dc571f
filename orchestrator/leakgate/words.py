"""What a leak check found, as the message of a failed test. Pure."""

from __future__ import annotations

from orchestrator.analysis.judging.judgement import Judgement
from orchestrator.experiments.storage.records import SeriesEnd
from orchestrator.report.html.verdicts import amounts
from orchestrator.report.judged_words import count_lines, made_of, readings_words

_LAST_LINES = 25


def message(name: str, judged: Judgement, end: SeriesEnd, limit_mb: float | None = None) -> str:
    """Return the message: the verdict line, rates with intervals, reasons, composition, what would settle it.

    ``limit_mb`` is the growth per iteration that was let through. A function that raised, or whose process died, has
    the last words of it.
    """
    if judged.verdict in ("crashed", "unavailable"):
        return "\n".join([f"leak_check({name}): {judged.sentence}", *_last_words(end), *_remedy(end)])
    limit = "" if limit_mb is None else f"; let through: {limit_mb:g} MB per iteration"
    lines = [f"leak_check({name}): {judged.verdict}{limit}"]
    if said := amounts(judged):
        lines.append(f"  {said}")
    lines.append(f"  {readings_words(judged)}")
    lines += [f"  because: {each}" for each in judged.reasons]
    if parts := made_of(judged):
        lines.append(f"  made of: {parts}")
    lines += [f"  {each}" for each in count_lines(judged)]
    lines += [f"  to settle it: {each}" for each in judged.settle]
    return "\n".join(lines)


def _last_words(end: SeriesEnd) -> list[str]:
    said = end.last_words.rstrip().splitlines()
    left_out = [f"  ({len(said) - _LAST_LINES} lines before)"] if len(said) > _LAST_LINES else []
    return [*left_out, *(f"  {line}" for line in said[-_LAST_LINES:])]


def _remedy(end: SeriesEnd) -> list[str]:
    return [f"  to get it: {end.remedy}"] if end.remedy else []
