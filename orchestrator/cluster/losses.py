"""What a node's loss means: for its jobs, and for the node itself. Decides; moves nothing.

A job that was at work when its node was lost has had an attempt, as with the death of a worker. One that had only
been sent there has had none, and moves on. The news of its start may have died with the node, so it may begin twice:
``docs/scaling.md`` promises no more than that it ends once. It does not move for ever, because a job may be what kills
the nodes.
"""

from __future__ import annotations

from collections import deque

from orchestrator.cluster.state import ClusterJob, Node
from orchestrator.errors import Attempt, JobPoisonedError, NodeDiedError
from orchestrator.pool.core.states import JobState
from orchestrator.pool.retries import Retry

MOST_MOVES = 16
NODE_DIED = "node-died"
MOST_LOSSES = 3
"""Actors of one node that may be lost within ``LOSS_PERIOD_S``; then the node is left alone for so long."""
LOSS_PERIOD_S = 60.0


class Losses:
    """Counts losses and judges them."""

    def __init__(self, retry: Retry) -> None:
        self._retry = retry
        self._lost_at: dict[str, deque[float]] = {}
        self._causes: dict[str, str] = {}
        self._names: dict[str, str] = {}

    def note(self, node: Node, now: float) -> None:
        """Count the loss of a node's actor."""
        self._lost_at.setdefault(node.id, deque(maxlen=MOST_LOSSES)).append(now)
        self._causes[node.id] = node.cause
        self._names[node.id] = node.name

    def may_begin(self, node_id: str, now: float) -> bool:
        """Whether an actor may be started on a node: not if they have died there one after the other."""
        lost_at = self._lost_at.get(node_id)
        return lost_at is None or len(lost_at) < MOST_LOSSES or now - lost_at[0] > LOSS_PERIOD_S

    def why_no_node(self) -> str:
        """Return what the nodes were lost of that are left alone now; empty when there is none."""
        worn_out = [node_id for node_id, lost_at in self._lost_at.items() if len(lost_at) == MOST_LOSSES]
        return "; ".join(f"{self._names[node_id]}: {self._causes[node_id]}" for node_id in worn_out)

    def judge(
        self, job: ClusterJob, node: Node, cause: str, now: float
    ) -> float | NodeDiedError | JobPoisonedError:
        """Return the seconds until a job of a lost node goes elsewhere, or what it ends with."""
        if job.state is not JobState.RUNNING:
            job.moves += 1
            return 0.0 if job.moves < MOST_MOVES else NodeDiedError(node.name, cause, phase="wait")
        attempt = Attempt(
            len(job.attempts) + 1,
            cause=f"the loss of node {node.name} ({cause})",
            reason=NODE_DIED,
            run_s=now - job.started_at,
            stderr_tail="",
            slot=-1,
            generation=0,
            pid=None,
        )
        job.attempts = (*job.attempts, attempt)
        assert job.first_started_at is not None
        pause_s = self._retry.next_pause_s(len(job.attempts), now - job.first_started_at)
        if pause_s is not None:
            return pause_s
        return JobPoisonedError(job.attempts) if len(job.attempts) > 1 else NodeDiedError(node.name, cause)
