"""Which node gets a job, and how much a node gets ahead of time. Pure: sees numbers, touches nothing.

A job goes to a node that holds its model. Among these, first to one with a free worker, then to one that has the
model in memory, then to the least burdened. A node is given a little more than it has workers, so that none of them
waits for the network: a quarter of a second of work, as its jobs have been so far.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Protocol, TypeVar

AHEAD_S = 0.25
"""Seconds of work that a node has waiting for each worker."""
LEAST_AHEAD = 2
"""Jobs for each worker, the one it does included, however long they take."""
MOST_AHEAD = 64
SMOOTHING = 0.1


class Candidate(Protocol):
    """What routing looks at."""

    @property
    def workers(self) -> int:
        """Slots of the node."""
        ...

    @property
    def holds(self) -> frozenset[str]:
        """Models whose files it has."""
        ...

    @property
    def loaded(self) -> frozenset[str]:
        """Models in its workers' memory."""
        ...

    @property
    def given(self) -> Mapping[int, int]:
        """Jobs it has, by priority."""
        ...

    @property
    def mean_s(self) -> float | None:
        """How long its jobs take, smoothed; None before the first."""
        ...


N = TypeVar("N", bound=Candidate)


def choose(nodes: Iterable[N], model: str, priority: int) -> N | None:
    """Return the node for a job, None when all that could take it have enough."""
    able = [node for node in nodes if model in node.holds and has_room(node, priority)]
    return min(able, key=lambda node: _burden(node, model), default=None)


def has_room(node: Candidate, priority: int) -> bool:
    """Whether a node takes one more job; those of lower priority do not count, it can wait before them."""
    ahead = sum(count for rank, count in node.given.items() if rank >= priority)
    return ahead < limit(node.workers, node.mean_s)


def limit(workers: int, mean_s: float | None) -> int:
    """Return how many jobs a node is given at a time, the running ones included."""
    if mean_s is None:
        return workers * LEAST_AHEAD
    wanted = MOST_AHEAD if mean_s <= 0 else 1 + math.ceil(AHEAD_S / mean_s)
    return workers * max(LEAST_AHEAD, min(MOST_AHEAD, wanted))


def smoothed(mean_s: float | None, duration_s: float) -> float:
    """Return the running mean with one more duration."""
    return duration_s if mean_s is None else mean_s + SMOOTHING * (duration_s - mean_s)


def _burden(node: Candidate, model: str) -> tuple[bool, bool, float]:
    given = sum(node.given.values())
    return given >= node.workers, model not in node.loaded, given / node.workers
