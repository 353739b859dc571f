"""Whether a job whose worker died is tried again, and when. Deaths only: what an engine raised is an answer.

The strategies are tenacity's (``stop_after_attempt``, ``wait_exponential`` …), asked without its loop: the
pool's supervisor does the waiting, because nobody may sleep there.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import tenacity
from tenacity.stop import stop_base
from tenacity.wait import wait_base


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and after what pauses a job is tried again after its worker's death.

    ``stop`` and ``wait`` are tenacity strategies; both are shown the number of attempts so far, the seconds
    since the first began and, as ``outcome``, nothing.
    """

    stop: stop_base = field(default_factory=lambda: tenacity.stop_after_attempt(1))
    wait: wait_base = field(default_factory=tenacity.wait_none)

    @classmethod
    def up_to(cls, max_attempts: int) -> Retry:
        """Try at most ``max_attempts`` times, without pauses.

        Raises:
            ValueError: Less than one attempt.
        """
        if type(max_attempts) is not int or max_attempts < 1:
            raise ValueError(f"max_attempts={max_attempts!r}: a whole number, at least 1")
        return cls(stop=tenacity.stop_after_attempt(max_attempts))

    def next_pause_s(self, attempts: int, elapsed_s: float) -> float | None:
        """Return the pause before the next attempt, or None when there is to be none.

        ``attempts`` were made, the first began ``elapsed_s`` ago.
        """
        state = _state(attempts, elapsed_s)
        state.upcoming_sleep = float(self.wait(state))
        if self.stop(state):
            return None
        return max(0.0, state.upcoming_sleep)


def _state(attempts: int, elapsed_s: float) -> tenacity.RetryCallState:
    state = tenacity.RetryCallState(tenacity.Retrying(), fn=None, args=(), kwargs={})
    state.attempt_number = attempts
    state.outcome_timestamp = state.start_time + elapsed_s
    return state
