"""What has changed between two sides, in words: one sentence for all, a few for each method. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from orchestrator.report.cells import number
from orchestrator.report.closing.rows import Kind, kind_of
from orchestrator.report.html.comparison.content import (
    Change,
    ComparisonContent,
    MethodPair,
    MethodRun,
    MetricRow,
)

METRICS: Mapping[str, str] = {
    "growth": "Growth",
    "rss growth": "RSS growth",
    "heap growth": "Heap growth",
    "ttft": "TTFT",
    "speed": "Speed",
    "wer": "WER",
    "cer": "CER",
    "load": "Load",
    "descriptors": "Descriptors",
    "threads": "Threads",
}
UNITS: Mapping[str, str] = {"MB/iteration": "MB/iter", "per iteration": "per iter"}
RESULTS: Mapping[Change, tuple[str, str, str]] = {
    "worse": ("red", "!", "worse"),
    "better": ("green", "✓", "better"),
    "same": ("muted", "=", "not told apart"),
    "unknown": ("muted", "?", "not known"),
}
"""Colour, sign and words of what a difference means."""
EQUAL, TOO_SMALL = "equal", "too small to count"

_GROWTH = ("growth", "rss growth", "heap growth")
_MOST_NAMES = 2
_LISTED = 6
_LARGE = 10_000
"""Numbers from here on are written without decimals."""
_ENDS: frozenset[Kind] = frozenset({"broke off", "not run"})


def kinds(runs: Sequence[MethodRun]) -> list[Kind]:
    """Return what a method counts as in each run of a side."""
    return [kind_of(each.summary.judgement)[0] for each in runs]


def _told(words: str, metrics: Sequence[str], change: Change) -> tuple[str, Callable[[MethodPair], bool]]:
    def holds(pair: MethodPair) -> bool:
        if metrics is _GROWTH and (leak_is_new(pair) or leak_is_gone(pair)):
            return False  # its verdict says it already
        return any(row.metric in metrics and row.change == change for row in pair.rows)

    return words, holds


def leak_is_new(pair: MethodPair) -> bool:
    """Whether all of A are found not to leak, and a run of B does."""
    return set(kinds(pair.first)) == {"no leak"} and "leak" in kinds(pair.second)


def leak_may_be_old(pair: MethodPair) -> bool:
    """Whether a run of B leaks, and A neither leaks nor was found clean: some of its runs were not judged so far."""
    return "leak" not in kinds(pair.first) and "leak" in kinds(pair.second) and not leak_is_new(pair)


def leak_is_gone(pair: MethodPair) -> bool:
    """Whether a run of A leaks, and all of B are found not to."""
    return "leak" in kinds(pair.first) and set(kinds(pair.second)) == {"no leak"}


def breaks_off(pair: MethodPair) -> bool:
    """Whether all of A come to their end, and a run of B does not."""
    return not _ENDS & set(kinds(pair.first)) and bool(_ENDS & set(kinds(pair.second)))


def ends_again(pair: MethodPair) -> bool:
    """Whether a run of A does not come to its end, and all of B do."""
    return bool(_ENDS & set(kinds(pair.first))) and not _ENDS & set(kinds(pair.second))


def judged_otherwise(pair: MethodPair) -> bool:
    """Whether the verdicts differ in a way that none of the above tells."""
    told = (breaks_off, ends_again, leak_is_new, leak_may_be_old, leak_is_gone)
    return not any(holds(pair) for holds in told) and set(kinds(pair.first)) != set(kinds(pair.second))


_CLAUSES: tuple[tuple[str, Callable[[MethodPair], bool]], ...] = (
    ("does not come to its end in", breaks_off),
    ("leaks anew in", leak_is_new),
    ("leaks (A is not known to be clean) in", leak_may_be_old),
    ("no longer leaks in", leak_is_gone),
    ("comes to its end again in", ends_again),
    ("is judged otherwise in", judged_otherwise),
    _told("grows faster in", _GROWTH, "worse"),
    _told("grows more slowly in", _GROWTH, "better"),
    _told("gathers more descriptors or threads in", ("descriptors", "threads"), "worse"),
    _told("gathers fewer descriptors or threads in", ("descriptors", "threads"), "better"),
    _told("is slower in", ("ttft", "speed"), "worse"),
    _told("is faster in", ("ttft", "speed"), "better"),
    _told("loads more slowly in", ("load",), "worse"),
    _told("loads faster in", ("load",), "better"),
    _told("makes more errors in", ("wer", "cer"), "worse"),
    _told("makes fewer errors in", ("wer", "cer"), "better"),
)
"""What can be said of B in the page's first sentence, what matters most first."""


def sentence(content: ComparisonContent) -> str:
    """Return the page's first sentence: what B does otherwise than A."""
    total = len(content.methods)
    said = [
        f"{words} {_where(found, total)}"
        for words, holds in _CLAUSES
        if (found := [pair for pair in content.methods if holds(pair)])
    ]
    if said:
        return f"B {_listed(said)}"
    if not total:
        return "Nothing can be told apart: no method is on both sides"
    if 1 in (len(content.first), len(content.second)) and len(content.first) != len(content.second):
        return "Nothing can be told apart: a side of one run against several tells of no difference"
    if not any(row.change == "same" for pair in content.methods for row in pair.rows):
        return "Nothing can be told apart: both sides have too few numbers for that"
    if min(len(content.first), len(content.second)) == 1:
        return (
            "Nothing told apart: growth and errors show no difference; one run a side says nothing of speed"
        )
    return "Nothing told apart: no difference between A and B is shown"


def _where(found: Sequence[MethodPair], total: int) -> str:
    if len(found) > _MOST_NAMES:
        return f"{len(found)} of {total} methods"
    return _listed([pair.name for pair in found])


def _listed(words: Sequence[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def counted(content: ComparisonContent) -> list[str]:
    """Return how many numbers are worse and better, and which; how many are not told apart, or not known."""
    rows = [(pair, row) for pair in content.methods for row in pair.rows]
    lines = [
        _those(word, [each for each in rows if each[1].change == change], len(rows))
        for word, change in (("Worse", "worse"), ("Better", "better"))
    ]
    counts = {change: sum(row.change == change for _, row in rows) for change in ("same", "unknown")}
    left = [f"{counts['same']} not told apart"] if counts["same"] else []
    left += [f"{counts['unknown']} not known"] if counts["unknown"] else []
    last = f"{'; '.join(left)} (of {len(rows)} numbers)" if left else ""
    return [line for line in (*lines, last) if line]


def _those(word: str, found: Sequence[tuple[MethodPair, MetricRow]], total: int) -> str:
    if not found:
        return ""
    names: dict[str, list[str]] = {}
    for pair, row in found:
        names.setdefault(pair.name, []).append(METRICS.get(row.metric, row.metric))
    listed = [f"{name}: {', '.join(metrics)}" for name, metrics in names.items()]
    more = f"; {len(listed) - _LISTED} more methods" if len(listed) > _LISTED else ""
    return f"{word}: {len(found)} of {total} ({'; '.join(listed[:_LISTED])}{more})"


def change_of_verdict(pair: MethodPair) -> str:
    """Return what became of a method's verdict, in a few words."""
    first, second = kinds(pair.first), kinds(pair.second)
    for words, holds in (
        ("B does not come to its end", breaks_off),
        ("A new leak", leak_is_new),
        ("B leaks; A is not known to be clean", leak_may_be_old),
        ("The leak is gone", leak_is_gone),
        ("B comes to its end again", ends_again),
    ):
        if holds(pair):
            return words
    if set(first) == set(second) and len(set(first)) == 1:
        return {"leak": "Both leak", "no leak": "Neither leaks", "undecided": "Both are undecided"}.get(
            first[0], "Neither came to its end"
        )
    return f"A {_counts(first)}, B {_counts(second)}"


def _counts(found: Sequence[Kind]) -> str:
    counts = {kind: found.count(kind) for kind in dict.fromkeys(found)}
    if len(counts) == 1:
        return str(found[0])
    return _listed([f"{kind} in {count} of {len(found)}" for kind, count in counts.items()])


def digits_of(row: MetricRow) -> int:
    """Return with how many decimals the numbers of a row are written, as on the terminal."""
    return 3 if row.unit in ("MB/iteration", "s") else 2


def amount(row: MetricRow, value: float | None, *, signed: bool = False) -> str:
    """Return a number of a row; ``signed``: with a plus, too."""
    large = value is not None and abs(value) >= _LARGE
    written = f"{value:,.0f}" if large else number(value, digits_of(row))
    if signed and value is not None and value > 0 and written.strip("0."):
        written = f"+{written}"
    return written.replace("-", "\N{MINUS SIGN}")


def result_words(row: MetricRow) -> str:
    """Return what a difference means, with its sign; one that is shown may still be too small to count."""
    _, sign, words = RESULTS[row.change]
    if row.change == "same" and row.low is not None and row.high is not None:
        if row.low == row.high == 0:
            words = EQUAL
        elif row.low > 0 or row.high < 0:
            words = TOO_SMALL
    return f"{sign} {words}"


def unit_of(row: MetricRow) -> str:
    """Return the unit as it stands in the table."""
    return UNITS.get(row.unit, row.unit)
