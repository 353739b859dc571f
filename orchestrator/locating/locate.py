"""From work to the answer: run it untraced, run it traced, read the trace, find the sites.

::

    untraced worker ─▶ growth of the live heap ──────────────────────────────┐
    traced worker ──▶ trace file ─▶ reading worker ─▶ live blocks by stack ──┴─▶ Located

Whatever a worker does (crash, hang, refuse), this is reported in the answer and nothing is raised for it.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from orchestrator.analysis.locating.explained import against, explained, measured_untraced, passed_on
from orchestrator.analysis.locating.located import Cost, Located, Measured, Outcome
from orchestrator.analysis.locating.site_growth import FEWEST_BLOCKS
from orchestrator.analysis.locating.sites import find_sites
from orchestrator.analysis.locating.words import size_words
from orchestrator.errors import (
    EngineUnavailableError,
    JobError,
    JobTimeoutError,
    SpawnError,
    WorkerDiedError,
    WorkerError,
)
from orchestrator.locating.reading import read_in_a_worker
from orchestrator.locating.replay import Capture
from orchestrator.locating.rounds import Rounds, RoundsRun, Work
from orchestrator.locating.schedule import Schedule
from orchestrator.locating.tracers import Tracer

Progress = Callable[[str], None]
"""Told what begins, in a few words."""


def locate(
    work: Work,
    schedule: Schedule,
    tracer: Tracer,
    *,
    measured: Measured | None = None,
    name: str = "",
    flame_graph: Path | None = None,
    progress: Progress = lambda _: None,
) -> Located:
    """Return where the work leaks; blocks until all is done.

    Args:
        work: What is run, once untraced and once traced.
        schedule: How often.
        tracer: Which tracer.
        measured: The leak of an earlier run; without it that of the untraced worker counts.
        name: What the answer calls it; by default the experiment's name.
        flame_graph: Where the tracer's own page about the trace goes, if it makes one; the trace itself is removed.
        progress: Told what begins.
    """
    one = _One(work, schedule, tracer, name or work.experiment.name, progress)
    with tempfile.TemporaryDirectory(prefix="orchestrator-locate-") as folder:
        trace = Path(folder) / "trace.bin"
        found = one.run(trace, measured)
        if flame_graph is not None and found.cost is not None:
            progress(f"{found.name} {found.method}: the flame graph")
            if problem := tracer.draw(trace, flame_graph):
                found = msgspec.structs.replace(found, notes=[*found.notes, f"no flame graph: {problem}"])
    return found


class _One:
    def __init__(self, work: Work, schedule: Schedule, tracer: Tracer, name: str, progress: Progress) -> None:
        self._work = work
        self._schedule = schedule
        self._tracer = tracer
        self._progress = progress
        self._answer = Located(
            name=name,
            method=work.series.key,
            outcome="inconclusive",
            tracer=tracer.name,
            warm_up=max(1, schedule.warm_up),
        )

    def run(self, trace: Path, measured: Measured | None) -> Located:
        began = time.perf_counter()
        self._progress(f"{self._answer.name} {self._answer.method}: untraced")
        untraced = RoundsRun(self._work, self._schedule)
        if (end := self._attempt(untraced, "untraced")) is not None:
            return end
        plain = untraced.rounds
        self._progress(f"{self._answer.name} {self._answer.method}: traced by {self._tracer.name}")
        traced = RoundsRun(
            self._work, self._schedule, per_block=plain.per_block, tracing=(self._tracer, trace)
        )
        if (end := self._attempt(traced, "traced")) is not None:
            return end
        self._progress(f"{self._answer.name} {self._answer.method}: reading the trace")
        try:
            capture = read_in_a_worker(
                self._tracer.reader, trace, traced.rounds, chunks="mallinfo2" in plain.heap_source
            )
        except (WorkerError, JobError, EngineUnavailableError) as error:
            return self._ended(error, traced.rounds, "reading the trace")
        return self._judge(capture, plain, traced.rounds, measured, time.perf_counter() - began)

    def _attempt(self, attempt: RoundsRun, how: str) -> Located | None:
        """Run it; return the answer if that is the worker's end."""
        try:
            attempt.run()
        except (WorkerError, JobError, EngineUnavailableError) as error:
            return self._ended(error, attempt.rounds, f"{how}, in phase {attempt.rounds.phase}")
        return None

    def _ended(self, error: Exception, rounds: Rounds, where: str) -> Located:
        if isinstance(error, SpawnError) and isinstance(error.__cause__, WorkerError):
            error = error.__cause__
        outcome, cause, how = _outcome_of(error)
        done = sum(rounds.iterations)
        return msgspec.structs.replace(
            self._answer,
            outcome=outcome,
            cause=f"{cause} ({where}, after {done} iterations)",
            how_to_get_it=how,
            stderr_tail=_tail_of(error) or rounds.stderr_tail,
        )

    def _judge(
        self, capture: Capture, plain: Rounds, traced: Rounds, measured: Measured | None, seconds: float
    ) -> Located:
        blocks = traced.iterations[: max(0, capture.boundaries - 2)]
        leaks, others = find_sites(capture.stacks, blocks) if blocks else ([], [])
        like = against(measured, _measure(plain))
        mb, percent = explained(leaks, like)
        iterations = 1 + sum(traced.iterations)
        cost = Cost(
            seconds,
            traced.trace_bytes,
            traced.trace_bytes / iterations,
            traced.seconds / plain.seconds if plain.seconds > 0 else None,
        )
        return msgspec.structs.replace(
            self._answer,
            outcome=_verdict(len(blocks), leaks=bool(leaks)),
            tracer=max(self._tracer.name, traced.tracer, key=len),  # where it is traced more may be known
            iterations=blocks,
            sites=leaks,
            others=others,
            measured=like,
            explained_mb=mb,
            passed_on_mb=passed_on(others),
            explained_percent=percent,
            cause="" if len(blocks) >= FEWEST_BLOCKS else _too_few(len(blocks)),
            notes=[*_notes(capture, plain, traced, self._schedule), *self._tracer.notes],
            cost=cost,
        )


def _measure(plain: Rounds) -> Measured | None:
    live = [each.heap_live for each in plain.readings if each.heap_live is not None]
    resident = [each.rss_anon for each in plain.readings if each.rss_anon is not None]
    complete = len(live) == len(plain.readings)
    return measured_untraced(live, resident, plain.iterations) if complete else None


def _verdict(blocks: int, *, leaks: bool) -> Outcome:
    if blocks < FEWEST_BLOCKS:
        return "inconclusive"
    return "located" if leaks else "nothing"


def _too_few(blocks: int) -> str:
    return f"{blocks} blocks of iterations in the trace, and no fewer than {FEWEST_BLOCKS} tell a leak"


def _notes(capture: Capture, plain: Rounds, traced: Rounds, schedule: Schedule) -> list[str]:
    notes: list[str] = []
    if capture.boundaries < len(traced.marks) or traced.bounded:
        size = size_words(schedule.most_trace_bytes)
        notes.append(
            f"the trace reached its bound of {size}: {max(0, capture.boundaries - 2)} of {schedule.blocks} blocks "
            "are in it; fewer iterations a block (--iterations) or a larger bound (--max-trace) would hold them"
        )
    if plain.heap_source.startswith("off"):
        notes.append(f"the live heap cannot be read here: {plain.heap_source}")
    return notes


def _outcome_of(error: Exception) -> tuple[Outcome, str, str]:
    if isinstance(error, EngineUnavailableError):
        return "unavailable", error.what, error.how_to_get_it
    if isinstance(error, JobTimeoutError):
        return "timeout", f"no answer within {error.limit_s:g} s", ""
    if isinstance(error, WorkerDiedError):
        return "crashed", error.cause, ""
    if isinstance(error, JobError):
        return "failed", str(error), ""
    return "crashed", str(error), ""


def _tail_of(error: Exception) -> str:
    if isinstance(error, WorkerDiedError):
        return error.stderr_tail
    return error.remote_traceback if isinstance(error, JobError) else ""
