"""Say when a running series is settled, so that it can stop early.

Only with the heap channel: the mistakes of RSS alone are not noise that more looks average out, but
slow warm-ups, pools and files. And only when the same answer came at three looks in a row, over which
the record grew by half: a verdict that flips with ten more iterations is not settled. A leak needs
more iterations than rest does, because a cache that fills and empties rises like a leak until it
empties for the first time. An early "clean" can never see a leak that begins later; whoever
stops early accepts that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from orchestrator.analysis.decision import CLEAN
from orchestrator.analysis.memory_series import MemorySeries
from orchestrator.analysis.verdict import Verdict, judge

LOOKS = (12, 15, 19, 24, 30, 38, 47, 59, 74, 92)
"""Iterations after which to look: every quarter more."""

_AGREEING = 3
_LEAK_FROM = 47
_CLEAN_FROM = 38

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


def settled(series: MemorySeries) -> Settlement:
    """Say whether the record so far is settled.

    Looks at the record at the last three of the looks that it reaches, so call it when
    ``is_look(len(series))``. Costs at most three verdicts.
    """
    size = len(series)
    if series.live is None or series.held is None or series.rss_anon is None:
        return Settlement(False, "open", size, None, "never settled early without the heap channel")
    looks = [look for look in range(size, 0, -1) if is_look(look)][:_AGREEING]
    if not looks:
        return Settlement(False, "open", 0, None, f"not looked at before {LOOKS[0]} iterations")
    latest = judge(series.first(looks[0]))
    seen: list[tuple[int, Answer]] = [(looks[0], answer_of(latest))]
    if seen[0][1] != "open" and looks[0] >= fewest_iterations(seen[0][1]):
        seen.extend((look, answer_of(judge(series.first(look)))) for look in looks[1:])
    done, reason = agrees(seen)
    return Settlement(done, seen[0][1], looks[0], latest, reason)


def fewest_iterations(answer: Answer) -> int:
    """Return before how many iterations an answer is never settled."""
    return _LEAK_FROM if answer == "leak" else _CLEAN_FROM


def agrees(seen: Sequence[tuple[int, Answer]]) -> tuple[bool, str]:
    """Tell whether answers settle a series, and why.

    Args:
        seen: Iterations and answer of the last looks, the latest first.
    """
    iterations, answer = seen[0]
    if answer == "open":
        return False, "the verdict is still open"
    if iterations < fewest_iterations(answer):
        return False, f"{answer} is not settled before {fewest_iterations(answer)} iterations"
    if len(seen) < _AGREEING:
        return False, "too few looks so far"
    for look, other in seen[1:_AGREEING]:
        if other != answer:
            return False, f"the answer was {other} at iteration {look}"
    return True, f"{answer} at {_AGREEING} looks in a row"
