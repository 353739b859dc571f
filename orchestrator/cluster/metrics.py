"""How the jobs of a cluster pool ended, and how long they waited and took, as the driver saw it."""

from __future__ import annotations

from collections import Counter, deque

from orchestrator.cluster.state import ClusterJob
from orchestrator.pool.metrics import Histogram

LATENCIES = 1024
OUTCOMES = {
    "JobTimeoutError": "timeout",
    "JobCancelledError": "cancelled",
    "WorkerDiedError": "died",
    "NodeDiedError": "died",
    "JobPoisonedError": "poisoned",
}
"""What a job that ended with an error is counted as; any other error is an ``error``."""


class ClusterMetrics:
    """Counts over the pool's life; latencies of the last 1,024 jobs."""

    def __init__(self) -> None:
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.waits_s: deque[float] = deque(maxlen=LATENCIES)
        self.runs_s: deque[float] = deque(maxlen=LATENCIES)
        self.wait_durations = Histogram()
        self.run_durations = Histogram()

    def note(self, job: ClusterJob, error: BaseException | None, now: float, *, accepted: bool) -> None:
        """Count a job that has ended; one whose caller had given it up is cancelled, whatever came of it."""
        outcome = "result" if error is None else OUTCOMES.get(type(error).__name__, "error")
        self.outcomes[job.payload.task, outcome if accepted else "cancelled"] += 1
        begun = job.first_started_at
        waited_s = (now if begun is None else begun) - job.submitted_at
        self.waits_s.append(waited_s)
        self.wait_durations.add(waited_s)
        if begun is not None:
            self.runs_s.append(now - job.started_at)
            self.run_durations.add(now - job.started_at)
