"""A calibration in words: tables for the terminal, one sentence for everywhere else. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from orchestrator.analysis.planning.calibration import (
    CHANNEL_SETS,
    Calibration,
    CaseResult,
    Channels,
    FalseAlarms,
    Found,
    SmallestLeak,
    Trust,
)
from orchestrator.report.cells import UNKNOWN, number
from orchestrator.report.layout import BLANK, Line, Row, table, title_block

CHANNEL_WORDS: dict[Channels, str] = {"rss": "RSS alone", "rss,heap": "RSS and heap"}
NOT_CALIBRATED = "This machine is not calibrated: orchestrator calibrate says how small a leak it finds."
CASE_COLUMNS = ("Truth", "True rate", "Verdict", "Found rate (95 %)", "Error", "Is")
_BAD = ("missed", "false alarm")
_TRUTHS = {"leak": "leak", "no leak": "no leak", "held": "held, not lost"}


def calibration_lines(calibration: Calibration, width: int | None = None) -> list[Line]:
    """Return everything: the cases by RSS alone and with the heap, false alarms, the smallest leaks."""
    effort = " (quick)" if calibration.quick else ""
    lines = title_block(f"Calibration{effort}: what is found against what is true, MB per iteration", width)
    for channels in CHANNEL_SETS:
        lines += [BLANK, Line(heading(calibration, channels), "title")]
        lines += table("Case", CASE_COLUMNS, _case_rows(calibration, channels), width)
        lines += [Line(sentence, "bad") for sentence in mistakes(calibration, channels)]
        lines += [Line(sentence, "note") for sentence in trust_sentences(calibration, channels)]
    lines += [
        BLANK,
        Line("False alarms", "title"),
        *(Line(f"  {each}") for each in alarm_sentences(calibration)),
    ]
    lines += [BLANK, Line("Smallest leak found in every run", "title")]
    lines += table("Process, channels", length_headings(calibration), _smallest_rows(calibration), width)
    lines += [Line(sentence, "note") for sentence in meaning(calibration)]
    return lines


def summary(calibration: Calibration) -> str:
    """Return the calibration in a sentence: what it finds in its longest runs, and false alarms."""
    longest = max((each.iterations for each in calibration.smallest), default=0)
    background = next(iter(calibration.backgrounds), "")
    found = [
        f"{rate_of(each)} MB per iteration by {CHANNEL_WORDS[each.channels]}"
        for each in calibration.smallest
        if each.iterations == longest and each.background == background
    ]
    alarms = sum(each.count for each in calibration.false_alarms)
    runs = sum(each.runs for each in calibration.false_alarms)
    return (
        f"Calibration of {calibration.created_at[:10]}: the smallest leak that was found every time in {longest} "
        f"iterations of a {background} process: {', '.join(found)}; false alarms: {alarms} of {runs}"
    )


def heading(calibration: Calibration, channels: Channels) -> str:
    """Return what a table of cases is about."""
    off = f", which was {calibration.heap}" if channels == "rss,heap" and not _heap_on(calibration) else ""
    iterations = max((case.iterations for case in calibration.cases), default=0)
    return f"By {CHANNEL_WORDS[channels]}{off}, {iterations} iterations"


def case_cells(case: CaseResult, found: Found) -> tuple[str, ...]:
    """Return the cells of ``CASE_COLUMNS``."""
    rate = number(found.rate_mb_per_iteration, 3)
    if found.ci_low is not None and found.ci_high is not None:
        rate += f" ({number(found.ci_low, 3)} to {number(found.ci_high, 3)})"
    return (
        _TRUTHS[case.truth],
        number(case.true_rate_mb_per_iteration, 3),
        found.verdict,
        rate,
        number(found.error_mb_per_iteration, 3),
        found.call,
    )


def cases_by(calibration: Calibration, channels: Channels) -> Iterable[tuple[CaseResult, Found]]:
    """Yield every case with what these channels say of it."""
    for case in calibration.cases:
        yield from ((case, found) for found in case.found if found.channels == channels)


def mistakes(calibration: Calibration, channels: Channels) -> list[str]:
    """Return a sentence for every case that was called wrongly."""
    return [
        f"{found.call}: {case.name} ({case.what}) was called {found.verdict}"
        for case, found in cases_by(calibration, channels)
        if found.call in _BAD and not case.beyond
    ]


def trust_sentences(calibration: Calibration, channels: Channels) -> list[str]:
    """Return for which kinds of process a verdict of this machine can be trusted, and for which not."""
    words: dict[Trust, str] = {
        "trusted": "Verdicts made here can be trusted for",
        "open": "Not always decided here, though never wrongly",
        "wrong": "Do not trust a verdict made here for",
        "beyond": "Cannot be known from so short a record",
    }
    said: list[str] = []
    for trust, opening in words.items():
        names = [
            f"{case.name} ({case.beyond})" if trust == "beyond" else case.name
            for case in calibration.cases
            if case.trust(channels) == trust
        ]
        if names:
            said.append(f"{opening}: {', '.join(names)}.")
    return said


def alarm_sentences(calibration: Calibration) -> list[str]:
    """Return how many series without a leak were called one, by channels."""
    return [
        f"{CHANNEL_WORDS[channels]}: {', '.join(_alarm(each) for each in own)}"
        for channels in CHANNEL_SETS
        if (own := [each for each in calibration.false_alarms if each.channels == channels])
    ]


def length_headings(calibration: Calibration) -> tuple[str, ...]:
    """Return the column headings of the table of smallest leaks."""
    return tuple(f"{length} iterations" for length in _lengths(calibration))


def smallest_rows(calibration: Calibration) -> list[tuple[str, tuple[str, ...]]]:
    """Return the rows of the table of smallest leaks: background and channels, and a rate for every length."""
    return [
        (f"{background}, {CHANNEL_WORDS[channels]}", _rates(calibration, background, channels))
        for background in calibration.backgrounds
        for channels in CHANNEL_SETS
    ]


def rate_of(found: SmallestLeak) -> str:
    """Return the smallest rate, or that none was small enough to miss the largest one tried."""
    if found.mb_per_iteration is not None:
        return f"{found.mb_per_iteration:g}"
    largest = max((each.mb_per_iteration for each in found.tried), default=None)
    return UNKNOWN if largest is None else f"above {largest:g}"


def meaning(calibration: Calibration) -> list[str]:
    """Return what the smallest leak means, and what the backgrounds are."""
    runs = max((each.runs for each in calibration.smallest), default=0)
    said = [
        f"MB per iteration; the smallest rate tried that was called a leak in all of {runs} runs. Growth up to the "
        "tolerance is accepted by design: 0.1 MB, of the live heap 0.02 MB."
    ]
    return said + [f"{name} process: {words}." for name, words in calibration.backgrounds.items()]


def _heap_on(calibration: Calibration) -> bool:
    return calibration.heap is not None and not calibration.heap.startswith(("off", "switched"))


def _alarm(each: FalseAlarms) -> str:
    what = "cases" if each.where == "cases" else f"runs of a {each.where} process"
    return f"{each.count} of {each.runs} {what}"


def _case_rows(calibration: Calibration, channels: Channels) -> list[Row]:
    return [Row(case.name, case_cells(case, found)) for case, found in cases_by(calibration, channels)]


def _smallest_rows(calibration: Calibration) -> list[Row]:
    return [Row(name, cells) for name, cells in smallest_rows(calibration)]


def _lengths(calibration: Calibration) -> Sequence[int]:
    return sorted({each.iterations for each in calibration.smallest})


def _rates(calibration: Calibration, background: str, channels: Channels) -> tuple[str, ...]:
    own = {
        each.iterations: each
        for each in calibration.smallest
        if (each.background, each.channels) == (background, channels)
    }
    return tuple(rate_of(own[length]) if length in own else UNKNOWN for length in _lengths(calibration))
