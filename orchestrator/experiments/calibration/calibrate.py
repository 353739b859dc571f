"""Make a calibration: the cases first, then the search for the smallest leak before each background.

One run of a rate answers for every set of channels and every length: a series judged after its first 30
iterations is what a run of 30 would have been judged by.
"""

from __future__ import annotations

import datetime as dt
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from orchestrator.analysis.planning.calibration import (
    CHANNEL_SETS,
    Calibration,
    CaseResult,
    Channels,
    FalseAlarms,
    Found,
    RateTried,
    SmallestLeak,
    hold_against,
)
from orchestrator.analysis.planning.smallest_leak import RATES_MB, smallest_always_found
from orchestrator.errors import EngineUnavailableError
from orchestrator.experiments.calibration.bench import Bench, Measured
from orchestrator.experiments.calibration.cases import (
    BACKGROUNDS,
    LEAK_MB,
    Case,
    background_case,
    known_cases,
    with_seed,
)
from orchestrator.experiments.storage.host import host_facts, package_versions
from orchestrator_worker import __version__

Told = Callable[[str], None]
"""Takes a sentence about how far it is."""

_PILOTS = 3
_RATES_A_SEARCH = 9
_ANSWERS = 4
"""Different rates that the searches before one background try together, and how many of them are confirmed; for the
estimate only."""


@dataclass(frozen=True)
class Effort:
    """How much is run. ``lengths`` in iterations, ascending; the longest is that of every series.

    ``case_runs`` are made of every case, ``search_runs`` at every rate of the search, ``confirm_runs`` at the answer
    and without a leak.
    """

    lengths: tuple[int, ...] = (30, 50, 100)
    case_runs: int = 1
    search_runs: int = 3
    confirm_runs: int = 10
    rates_mb: tuple[float, ...] = RATES_MB
    backgrounds: tuple[str, ...] = tuple(BACKGROUNDS)
    quick: bool = False

    @classmethod
    def for_full(cls) -> Effort:
        """Return all of it, each case three times."""
        return cls(case_runs=3)

    @classmethod
    def for_quick(cls) -> Effort:
        """Return a sixth of it: up to 50 iterations, fewer runs, the quiet background alone."""
        return cls(lengths=(30, 50), search_runs=2, confirm_runs=4, backgrounds=("quiet",), quick=True)

    @property
    def iterations(self) -> int:
        """Iterations of every series."""
        return self.lengths[-1]

    @property
    def series(self) -> int:
        """About how many series are run; the search may take a few more or less."""
        searched = _RATES_A_SEARCH * self.search_runs + _ANSWERS * (self.confirm_runs - self.search_runs)
        cases = len(known_cases(self.iterations)) * self.case_runs
        return cases + len(self.backgrounds) * (searched + self.confirm_runs)

    def estimate_s(self, pace_s: float) -> float:
        """Return about how long it takes at a pace of ``pace_s`` seconds a series."""
        return self.series * pace_s


def measure_pace(effort: Effort) -> float:
    """Return how many seconds one series takes on this machine now, from a few of them; blocks meanwhile.

    Raises:
        ResultsError: The folder for temporary files cannot be written.
    """
    cases = [background_case(effort.backgrounds[-1], LEAK_MB, run) for run in range(_PILOTS)]
    with tempfile.TemporaryDirectory(prefix="calibration-") as scratch:
        bench = Bench(Path(scratch), effort.iterations, lambda _name: None)
        bench.measure(cases[:1])  # the first also pays for what is imported
        began = time.monotonic()
        for measured in bench.measure(cases):
            for channels in CHANNEL_SETS:
                for length in effort.lengths:
                    measured.judged(channels, length)
    return (time.monotonic() - began) / _PILOTS


def calibrate(effort: Effort, tell: Told = lambda _sentence: None) -> Calibration:
    """Run everything and return what was found; blocks for about ``effort.estimate_s(pace)`` seconds.

    Raises:
        EngineUnavailableError: Not one case came to its end; says what happened.
        ResultsError: The folder for temporary files cannot be written.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="calibration-") as scratch:
        cases, heap = _run_cases(Path(scratch), effort, tell)
        made = len(cases) * effort.case_runs
        left_s = (time.monotonic() - began) / made * (effort.series - made)
        tell(f"cases done; about {left_s:.0f} s left for the smallest leak")
        smallest: list[SmallestLeak] = []
        alarms = [_alarms_of_cases(cases, channels) for channels in CHANNEL_SETS]
        for background in effort.backgrounds:
            trials = _Trials(Bench(Path(scratch), effort.iterations, lambda _name: None), background, tell)
            smallest += _search(trials, background, effort)
            alarms += _alarms_of_background(trials, background, effort)
    return Calibration(
        created_at=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        seconds=round(time.monotonic() - began, 1),
        quick=effort.quick,
        host=host_facts(),
        packages=package_versions(),
        tool_version=__version__,
        heap=heap,
        backgrounds={name: BACKGROUNDS[name][0] for name in effort.backgrounds},
        cases=cases,
        smallest=smallest,
        false_alarms=alarms,
    )


# ------------------------------------------------------------------ known cases


def _run_cases(scratch: Path, effort: Effort, tell: Told) -> tuple[list[CaseResult], str | None]:
    cases = known_cases(effort.iterations)
    runs = [with_seed(case, seed) for case in cases for seed in range(effort.case_runs)]
    done = iter(range(1, len(runs) + 1))
    bench = Bench(scratch, effort.iterations, lambda name: tell(f"case {next(done)} of {len(runs)}: {name}"))
    measured = bench.measure(runs)
    if not any(each.completed for each in measured):
        raise EngineUnavailableError(
            f"no case of the calibration came to its end; the first: {measured[0].sentence}",
            "see that this Python can start workers: orchestrator engines",
        )
    each = effort.case_runs
    results = [
        _case_result(case, measured[at * each : (at + 1) * each], effort.iterations)
        for at, case in enumerate(cases)
    ]
    return results, bench.heap


def _case_result(case: Case, measured: Sequence[Measured], iterations: int) -> CaseResult:
    return CaseResult(
        name=case.name,
        what=case.what,
        method=case.method,
        truth=case.truth,
        true_rate_mb_per_iteration=case.true_rate_mb,
        iterations=iterations,
        sentence=measured[0].sentence,
        found=[_found(case, measured, channels) for channels in CHANNEL_SETS],
        beyond=case.beyond,
    )


def _found(case: Case, measured: Sequence[Measured], channels: Channels) -> Found:
    every = [hold_against(case.truth, case.true_rate_mb, channels, one.judged(channels)) for one in measured]
    return msgspec.structs.replace(every[0], calls=dict(Counter(one.call for one in every)))


def _alarms_of_cases(cases: Sequence[CaseResult], channels: Channels) -> FalseAlarms:
    """Count over the cases that lose nothing; one that only looks so from outside is not counted there."""
    own = [
        (case, found)
        for case in cases
        for found in case.found
        if found.channels == channels
        and (case.truth == "no leak" or (case.truth, channels) == ("held", "rss,heap"))
    ]
    return FalseAlarms("cases", channels, sum(found.call == "false alarm" for _, found in own), len(own))


# ------------------------------------------------------------------ the smallest leak


class _Trials:
    """The runs of every rate before one background, made when first asked for."""

    def __init__(self, bench: Bench, background: str, tell: Told) -> None:
        self._bench = bench
        self._background = background
        self._tell = tell
        self._runs: dict[float, list[Measured]] = defaultdict(list)
        self._leaks: dict[tuple[float, int, Channels, int], bool] = {}

    def count(self, rate_mb: float, runs: int, channels: Channels, iterations: int) -> int:
        """Return in how many of the first ``runs`` runs of a rate a leak was found."""
        self.make(rate_mb, runs)
        return sum(self._leak(rate_mb, run, channels, iterations) for run in range(runs))

    def alarm(self, run: int, channels: Channels, lengths: Sequence[int]) -> bool:
        """Return whether a run without a leak was called one after any of ``lengths`` iterations; it must be made."""
        return any(self._leak(0.0, run, channels, length) for length in lengths)

    def tried(self, channels: Channels, iterations: int) -> Iterator[RateTried]:
        """Yield every rate tried so far, the smallest first, as these channels see it after so many iterations."""
        for rate_mb in sorted(rate for rate in self._runs if rate > 0):
            runs = len(self._runs[rate_mb])
            yield RateTried(rate_mb, self.count(rate_mb, runs, channels, iterations), runs)

    def make(self, rate_mb: float, runs: int) -> None:
        """See to it that there are ``runs`` runs of a rate; 0 MB: without a leak."""
        known = self._runs[rate_mb]
        if len(known) < runs:
            what = f"a leak of {rate_mb:g} MB per iteration" if rate_mb else "no leak"
            self._tell(f"{self._background} process, {what}: run {len(known) + 1} to {runs}")
            cases = [background_case(self._background, rate_mb, run) for run in range(len(known), runs)]
            known += self._bench.measure(cases)

    def _leak(self, rate_mb: float, run: int, channels: Channels, iterations: int) -> bool:
        key = (rate_mb, run, channels, iterations)
        if key not in self._leaks:
            judged = self._runs[rate_mb][run].judged(channels, iterations)
            self._leaks[key] = judged.verdict == "leak"
        return self._leaks[key]


def _search(trials: _Trials, background: str, effort: Effort) -> list[SmallestLeak]:
    answers: dict[tuple[Channels, int], float | None] = {
        (channels, length): _smallest(trials, channels, length, effort)
        for channels in CHANNEL_SETS
        for length in effort.lengths
    }
    return [
        SmallestLeak(
            background=background,
            channels=channels,
            iterations=length,
            mb_per_iteration=rate_mb,
            runs=effort.confirm_runs,
            tried=list(trials.tried(channels, length)),
        )
        for (channels, length), rate_mb in answers.items()
    ]


def _smallest(trials: _Trials, channels: Channels, length: int, effort: Effort) -> float | None:
    def count(rate_mb: float, runs: int) -> int:
        return trials.count(rate_mb, runs, channels, length)

    return smallest_always_found(
        effort.rates_mb, count, search_runs=effort.search_runs, confirm_runs=effort.confirm_runs
    )


def _alarms_of_background(trials: _Trials, background: str, effort: Effort) -> list[FalseAlarms]:
    """Count runs without a leak in which one was seen after any of the lengths."""
    runs = effort.confirm_runs
    trials.make(0.0, runs)
    return [
        FalseAlarms(
            background,
            channels,
            sum(trials.alarm(run, channels, effort.lengths) for run in range(runs)),
            runs,
        )
        for channels in CHANNEL_SETS
    ]
