"""Decide whether a running series is settled, so that it can stop early.

Rules, each with its reason:

- Only with the heap channel. The errors of RSS alone come from slow warm-ups, pools and files; they do not average out
  over repeated judgements.
- Only if three judgements in a row gave the same answer, while the record grew by half: a verdict that changes with ten
  more iterations is not settled.
- A leak needs three fifths of the planned iterations, no growth three tenths. A cache that fills and is emptied looks
  like a leak until it is emptied for the first time. The planned number is the measure, because the user considers it
  long enough: a longer cycle misleads the whole record as well, a shorter one must not mislead the early end alone.
- A leak must have kept what it grew by. A series that once fell back may be a cache, whatever its slope is.

An early "clean" cannot see a leak that begins later; this is the price of stopping early.

``benchmarks/bench_verdicts.py --early`` says what the rule saves and costs on labelled series. Fewer iterations for
a leak save little more and take slow warm-ups and sawteeth for leaks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal

import numpy as np

from orchestrator.analysis.judging.decision import CLEAN
from orchestrator.analysis.judging.memory_series import MemorySeries
from orchestrator.analysis.judging.verdict import Verdict, judge

LOOKS = (12, 15, 19, 24, 30, 38, 47, 59, 74, 92)
"""Iterations after which to look: every quarter more."""

_AGREEING = 3
_LEAK_SHARE = 0.59  # so that iteration 59 of 100 and 30 of 50 are looks that count
_CLEAN_SHARE = 0.3
_FEWEST = 24
_KEPT_SHARE = 0.5
_ENDS = 3  # readings whose median is the level at either end
PLANNED = 100
"""Iterations that count as planned if no number is given."""

Answer = Literal["leak", "clean", "open"]


@dataclass(frozen=True, slots=True)
class Settlement:
    """Whether a series may stop.

    Attributes:
        settled: Whether the answer is settled.
        answer: ``leak``, ``clean`` or ``open`` at the last look.
        iterations: Iterations judged at the last look; 0 before the first.
        verdict: The verdict of the last look, None before the first.
        reason: Why it is settled or not, in plain words.
    """

    settled: bool
    answer: Answer
    iterations: int
    verdict: Verdict | None
    reason: str


def is_look(iterations: int) -> bool:
    """Tell whether to look after so many iterations: at ``LOOKS``, then every quarter more."""
    look = LOOKS[-1]
    while look < iterations:
        look += max(1, look // 4)
    return iterations in LOOKS or (iterations > LOOKS[-1] and look == iterations)


def answer_of(verdict: Verdict) -> Answer:
    """Fold a verdict into leak, clean or open."""
    if verdict.verdict == "leak":
        return "leak"
    return "clean" if verdict.verdict in CLEAN else "open"


def settled(series: MemorySeries, planned: int = PLANNED) -> Settlement:
    """Say whether the record so far is settled.

    Looks at the record at the last three of the looks that it reaches, so call it when
    ``is_look(len(series))``. Costs at most three verdicts.

    Args:
        series: All readings so far.
        planned: How many iterations the whole record was meant to have.
    """
    size = len(series)
    if series.live is None or series.held is None or series.rss_anon is None:
        return Settlement(False, "open", size, None, "never settled early without the heap channel")
    looks = [look for look in range(size, 0, -1) if is_look(look)][:_AGREEING]
    if not looks:
        return Settlement(False, "open", 0, None, f"not looked at before {LOOKS[0]} iterations")
    latest = judge(series.first(looks[0]))
    seen: list[tuple[int, Answer]] = [(looks[0], answer_of(latest))]
    if seen[0][1] != "open" and looks[0] >= fewest_iterations(seen[0][1], planned):
        seen.extend((look, answer_of(judge(series.first(look)))) for look in looks[1:])
    done, reason = agrees(seen, planned)
    if done and seen[0][1] == "leak" and not has_kept(series.first(looks[0]), latest):
        done, reason = False, "it fell back at least once: growth that is given back may be a cache"
    return Settlement(done, seen[0][1], looks[0], latest, reason)


def has_kept(series: MemorySeries, verdict: Verdict) -> bool:
    """Tell whether the channel that decided still holds at least half of what its rate adds up to."""
    channels = {
        "live": series.live,
        "nonmalloc": series.nonmalloc,
        "rss_anon": series.leak_series,
        "rss": series.rss,
    }
    values = channels.get(verdict.rate_channel)
    if values is None or values.size <= _ENDS:
        return False
    rise = float(np.median(values[-_ENDS:])) - float(np.median(values[:_ENDS]))
    return rise >= _KEPT_SHARE * verdict.rate_mb_per_iteration * (values.size - _ENDS)


def fewest_iterations(answer: Answer, planned: int = PLANNED) -> int:
    """Return before how many of the ``planned`` iterations an answer is never settled."""
    return max(_FEWEST, ceil((_LEAK_SHARE if answer == "leak" else _CLEAN_SHARE) * planned))


def agrees(seen: Sequence[tuple[int, Answer]], planned: int = PLANNED) -> tuple[bool, str]:
    """Tell whether answers settle a series, and why.

    Args:
        seen: Iterations and answer of the last looks, the latest first.
        planned: How many iterations the whole record was meant to have.
    """
    iterations, answer = seen[0]
    if answer == "open":
        return False, "the verdict is still open"
    fewest = fewest_iterations(answer, planned)
    if iterations < fewest:
        return False, f"{answer} is not settled before {fewest} of {planned} iterations"
    if len(seen) < _AGREEING:
        return False, "too few looks so far"
    for look, other in seen[1:_AGREEING]:
        if other != answer:
            return False, f"the answer was {other} at iteration {look}"
    return True, f"{answer} at {_AGREEING} looks in a row"
