"""Call a function again and again in a worker of its own, and judge what the calls keep.

::

    Target  --CallSession-->  readings  --Rounds-->  the last round  --judge_round-->  LeakCheckResult
                 |
                 +-- what the function does to its process (raises, hangs, aborts) is the result too
"""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass, field

import msgspec

from orchestrator.analysis.judging.decision import CLEAN
from orchestrator.errors import (
    EngineUnavailableError,
    JobError,
    JobTimeoutError,
    ProtocolError,
    SpawnError,
    WorkerDiedError,
    WorkerError,
)
from orchestrator.experiments.judging.judgement import ENDS
from orchestrator.experiments.storage.records import Outcome, SeriesEnd
from orchestrator.leakgate.call_session import CallSession, Target
from orchestrator.leakgate.judging import judge_round, slowed
from orchestrator.leakgate.modules import differences
from orchestrator.leakgate.result import RESOURCES, LeakCheckResult
from orchestrator.leakgate.rounds import MOST_GROWTH, Answer, Round, Rounds

__all__ = ["Measured", "Target", "WrongModulesError", "measure"]


class WrongModulesError(Exception):
    """The worker would check other modules than the test run has; ``args[0]`` names both."""


@dataclass(frozen=True)
class Measured:
    """The result, and how the calls ended: with the words of a crash or of an exception."""

    judgement: LeakCheckResult
    end: SeriesEnd


@dataclass
class _Judge:
    """Judges each round and keeps the last word."""

    name: str
    counted: Collection[str]
    memory: bool
    last: LeakCheckResult | None = field(default=None)

    def __call__(self, found: Round) -> Answer:
        judged = judge_round(self.name, found, self.counted, memory=self.memory)
        judged = slowed(self.last, judged) if self.last is not None else judged
        answer = _answer(judged)
        if found.whole or self.last is None or (answer == "growing" and not self._clean_before(found)):
            self.last = judged
        return answer

    def _clean_before(self, cut: Round) -> bool:
        """Whether a whole round was clean and the one that was cut short has kept too little to say otherwise."""
        grown = cut.readings[-1].live - cut.readings[0].live
        return self.last is not None and _answer(self.last) == "clean" and grown < MOST_GROWTH


def _answer(judged: LeakCheckResult) -> Answer:
    blocks = judged.python_blocks
    if judged.verdict == "leak" or judged.leaking_resources or (blocks and blocks.verdict == "leak"):
        return "growing"
    unsettled = [each for each in judged.resources.values() if each.verdict not in CLEAN]
    return "clean" if judged.verdict in CLEAN and not unsettled else "open"


def measure(
    target: Target,
    *,
    iterations: int,
    timeout_s: float,
    max_time_s: float,
    counted: Collection[str] = RESOURCES,
    memory: bool = True,
) -> Measured:
    """Call the target until growth could be seen, and judge the last round of ``iterations`` readings.

    What the function does to its process (raise, hang, abort) is in the result, not raised.

    Raises:
        WrongModulesError: The worker has loaded modules from other files than this process.
    """
    judge = _Judge(target.name, counted, memory)
    session: CallSession | None = None
    try:
        with _open(target, timeout_s) as session:
            rounds = Rounds(session, readings=iterations, max_time_s=max_time_s, judge=judge)
            first = session.run(1)
            if wrong := differences(session.modules):
                raise WrongModulesError("; ".join(wrong))
            rounds.run(first)
            assert judge.last is not None
            end = _end(target, "completed", session.calls)
            session.stop()
            return Measured(judge.last, end)
    except (WorkerError, EngineUnavailableError, JobError) as error:
        end = _explain(target, error, session)
        return Measured(_broken_off(target, end, judge.last), end)


def _open(target: Target, timeout_s: float) -> CallSession:
    """Return a session in which Python's objects are seen: in the C heap, or where that cannot be read, by count."""
    session = CallSession(target, timeout_s=timeout_s, python_malloc="PYTHONMALLOC" not in os.environ)
    if session.heap_off is None:
        return session
    session.close()
    return CallSession(target, timeout_s=timeout_s, python_malloc=False)


# ------------------------------------------------------------------ ends


def _explain(target: Target, error: Exception, session: CallSession | None) -> SeriesEnd:
    """Turn what happened to the worker or in the function into the end of the series."""
    if isinstance(error, SpawnError) and isinstance(error.__cause__, WorkerError):
        return _explain(target, error.__cause__, session)
    if isinstance(error, EngineUnavailableError):
        return _end(target, "unavailable", 0, session, error.what, how_to_get_it=error.how_to_get_it)
    calls = session.calls if session is not None else 0
    if isinstance(error, JobError):
        return _end(target, "failed", calls, session, str(error), stderr_tail=error.remote_traceback)
    if isinstance(error, WorkerDiedError):
        return _end(target, "crashed", calls, session, error.cause, stderr_tail=error.stderr_tail)
    said = session.stderr_tail if session is not None else ""
    if isinstance(error, JobTimeoutError):
        return _end(
            target, "timeout", calls, session, f"no answer within {error.limit_s:g} s", stderr_tail=said
        )
    cause = f"protocol broken: {error.problem}" if isinstance(error, ProtocolError) else str(error)
    return _end(target, "crashed", calls, session, cause, stderr_tail=said)


def _end(
    target: Target,
    outcome: Outcome,
    calls: int,
    session: CallSession | None = None,
    cause: str | None = None,
    *,
    how_to_get_it: str = "",
    stderr_tail: str = "",
) -> SeriesEnd:
    asked = session.asked if session is not None else 0
    where = f" (in calls {calls + 1} to {calls + asked})" if cause and asked > 1 else ""
    return SeriesEnd(
        experiment=target.name,
        series="reuse",
        outcome=outcome,
        iterations=calls,
        iteration=None if outcome == "completed" else calls + 1,
        phase=session.phase if session is not None else "spawn",
        cause=None if cause is None else cause + where,
        how_to_get_it=how_to_get_it,
        stderr_tail=stderr_tail,
    )


def _broken_off(target: Target, end: SeriesEnd, last: LeakCheckResult | None) -> LeakCheckResult:
    """Return the judgement of calls that came to no end, with the readings of the rounds before, if there are."""
    verdict = ENDS[end.outcome]
    if last is not None:
        return msgspec.structs.replace(
            last,
            verdict=verdict,
            outcome=end.outcome,
            sentence=end.sentence,
            reasons=[end.sentence, *last.reasons],
            settle=[],
        )
    return LeakCheckResult(
        experiment=target.name,
        series="reuse",
        method="reuse",
        verdict=verdict,
        outcome=end.outcome,
        sentence=end.sentence,
        boundary="after_infer",
        reasons=[end.sentence],
    )
