"""What a calibration found: known leaks, pools and caches against what was said of them.

The types that ``results/calibration.json`` keeps and every report shows, and how one verdict is held against
the truth. Which cases there are and how they are run is left to ``orchestrator.experiments.calibration``,
the search for the smallest leak to ``smallest_leak``.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from orchestrator.analysis.judging.decision import CLEAN
from orchestrator.analysis.judging.judgement import Judgement

CALIBRATION_SCHEMA = 1

Channels = Literal["rss", "rss,heap"]
"""``rss``: only what is read from outside (RSS, RssAnon, swap). ``rss,heap``: the allocator's view too."""

CHANNEL_SETS: tuple[Channels, Channels] = ("rss", "rss,heap")

Truth = Literal["leak", "no leak", "held"]
"""``held``: the program frees everything, but its allocator keeps it: memory grows and nothing is lost."""

Call = Literal["right", "missed", "false alarm", "undecided"]
"""``missed``: called clean though it grows. ``false alarm``: called a leak though nothing is lost."""


Trust = Literal["trusted", "open", "wrong", "beyond"]
"""``trusted``: right in every run. ``open``: never wrong, not always decided. ``wrong``: called wrongly at least once.
``beyond``: not right in every run, but so short a record cannot tell it."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What one set of channels says of a case. MB per iteration; None where there is no number or bound.

    ``rate_channel`` is the channel that decided, ``error_mb_per_iteration`` the rate found less the true one.
    ``calls`` counts how all runs of the case were called; the rest is of the first.
    """

    channels: Channels
    verdict: str
    call: Call
    rate_mb_per_iteration: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    error_mb_per_iteration: float | None = None
    rate_channel: str | None = None
    calls: dict[Call, int] = {}


class CaseResult(msgspec.Struct, frozen=True, kw_only=True):
    """One case with a known truth. ``what`` says in words what the engine did; ``sentence`` how the series ended.

    ``beyond`` says why nobody can know it from so short a record; empty where it can be known.
    """

    name: str
    what: str
    method: str
    truth: Truth
    true_rate_mb_per_iteration: float
    iterations: int
    sentence: str
    found: list[Found]
    beyond: str = ""

    def trust(self, channels: Channels) -> Trust:
        """Return whether the verdict on such a process can be trusted here, by these channels."""
        found = next((each for each in self.found if each.channels == channels), None)
        if found is None:
            return "open"
        calls = found.calls or {found.call: 1}
        if calls.get("missed") or calls.get("false alarm"):
            return "beyond" if self.beyond else "wrong"
        if calls.get("undecided"):
            return "beyond" if self.beyond else "open"
        return "trusted"


class RateTried(msgspec.Struct, frozen=True):
    """How often a leak of one rate was found."""

    mb_per_iteration: float
    found: int
    runs: int


class SmallestLeak(msgspec.Struct, frozen=True, kw_only=True):
    """The smallest rate tried that was found in all of ``runs`` runs, and every rate tried on the way.

    ``mb_per_iteration`` is None when even the largest rate tried was missed at least once.
    """

    background: str
    channels: Channels
    iterations: int
    mb_per_iteration: float | None
    runs: int
    tried: list[RateTried]


class FalseAlarms(msgspec.Struct, frozen=True):
    """Runs without a leak that were called one. ``where``: ``cases``, or a background of the search."""

    where: str
    channels: Channels
    count: int
    runs: int


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """A whole calibration. ``backgrounds`` says in words what each background of the search does besides leaking.

    ``host`` has what the host tells of itself, ``seconds`` is how long it took, ``heap`` where the allocator's view
    came from or why there was none.
    """

    created_at: str
    seconds: float
    quick: bool
    host: dict[str, Any]
    packages: dict[str, str | None]
    tool_version: str
    heap: str | None
    backgrounds: dict[str, str]
    cases: list[CaseResult]
    smallest: list[SmallestLeak]
    false_alarms: list[FalseAlarms]
    schema: int = CALIBRATION_SCHEMA

    @property
    def sound(self) -> bool:
        """Whether, with the heap channel, no case was called a leak that is none, or clean that is not."""
        return all(case.trust("rss,heap") != "wrong" for case in self.cases)


def hold_against(truth: Truth, true_rate: float, channels: Channels, judged: Judgement) -> Found:
    """Say what ``judged``, made from ``channels``, is worth beside the truth; ``true_rate`` in MB per iteration."""
    rate = judged.rate_mb_per_iteration
    return Found(
        channels=channels,
        verdict=judged.verdict,
        call=call_of(truth, channels, judged.verdict),
        rate_mb_per_iteration=rate,
        ci_low=judged.ci_low,
        ci_high=judged.ci_high,
        error_mb_per_iteration=None if rate is None else rate - true_rate,
        rate_channel=judged.rate_channel,
    )


def call_of(truth: Truth, channels: Channels, verdict: str) -> Call:
    """Hold a verdict against the truth.

    Memory that the allocator holds is right to be called anything but clean, and a leak only by RSS alone,
    which sees that it grows and cannot see why.
    """
    if verdict == "leak":
        lost = truth == "leak" or (truth == "held" and channels == "rss")
        return "right" if lost else "false alarm"
    if verdict in CLEAN:
        return "right" if truth == "no leak" else "missed"
    held = truth == "held" and channels == "rss,heap" and verdict in ("inconclusive", "slow-growth")
    return "right" if held else "undecided"
