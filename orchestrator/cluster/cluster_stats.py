"""All nodes of a cluster in one view: a :class:`PoolStats` of the whole, and each node's own beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from orchestrator.cluster.dispatcher import Dispatcher
from orchestrator.cluster.state import Node
from orchestrator.pool.metrics import BOUNDS_S, HistogramStats
from orchestrator.pool.stats import ModelStats, PoolStats, SlotStats, latency


class NodeStats(msgspec.Struct, frozen=True, kw_only=True):
    """One node. ``state`` is ``starting ready leaving finished`` or ``lost``; then ``cause`` says of what.

    ``given`` counts jobs that it has now, ``done`` those it has ended. ``models`` are those whose files it has,
    ``loaded`` those in its workers' memory. ``pool`` is its pool's own view, of a node that is gone the last
    one; None when it never answered. ``first_slot`` is the number of its first slot in the whole.
    """

    id: str
    name: str
    state: str
    cause: str
    given: int
    done: int
    models: tuple[str, ...]
    loaded: tuple[str, ...]
    first_slot: int
    pool: PoolStats | None


class ClusterStats(PoolStats, frozen=True, kw_only=True):
    """A pool's statistics where slots of all nodes are counted through, and the nodes.

    Outcomes, waits and durations are the driver's, network included; everything about workers is the sum over nodes. A
    lost node's slots are not there any more, its counts of exits, as they were last seen, are.
    """

    nodes: tuple[NodeStats, ...]


def take_cluster_stats(dispatcher: Dispatcher) -> ClusterStats:
    """Return the present state of the cluster. On the dispatcher's thread, or when that has ended."""
    present = [*dispatcher.nodes.values()]
    past = [*dispatcher.gone]
    pools = [node.last_look for node in [*present, *past] if node.last_look is not None]
    standing = [node for node in [*present, *past] if node.state != "lost"]
    nodes, slots = _slots(standing)
    nodes += [_node(node, -1) for node in past if node.state == "lost"]
    outcomes: dict[str, dict[str, int]] = {}
    for (task, outcome), count in dispatcher.metrics.outcomes.items():
        outcomes.setdefault(task, {})[outcome] = count
    waiting = dispatcher.waiting()
    alive = [node.last_look for node in present if node.last_look is not None]
    return ClusterStats(
        nodes=tuple(nodes),
        slots=slots,
        models=tuple(_models(pools, waiting)),
        leaving=tuple(worker for pool in alive for worker in pool.leaving),
        queue_length=sum(waiting.values()),
        delayed=dispatcher.delayed(),
        running=dispatcher.running(),
        outcomes=outcomes,
        exits=_sum(pool.exits for pool in pools),
        spawns=sum(pool.spawns for pool in pools),
        evictions=sum(pool.evictions for pool in pools),
        retries=sum(pool.retries for pool in pools),
        queue_wait=latency(dispatcher.metrics.waits_s),
        job_duration=latency(dispatcher.metrics.runs_s),
        queue_wait_histogram=dispatcher.metrics.wait_durations.stats(),
        job_duration_histogram=dispatcher.metrics.run_durations.stats(),
        load_duration_histogram=_histogram(pool.load_duration_histogram for pool in pools),
        budget_bytes=sum(pool.budget_bytes for pool in alive),
        reserved_bytes=sum(pool.reserved_bytes for pool in alive),
        overshoot_peak_bytes=max((pool.overshoot_peak_bytes for pool in pools), default=0),
        sampled_by="process" if alive and all(pool.sampled_by == "process" for pool in alive) else "loop",
        missed_readings=sum(pool.missed_readings for pool in pools),
    )


def _slots(nodes: Iterable[Node]) -> tuple[list[NodeStats], tuple[SlotStats, ...]]:
    found: list[NodeStats] = []
    slots: list[SlotStats] = []
    for node in nodes:
        found.append(_node(node, len(slots)))
        if node.last_look is not None:
            first = len(slots)
            slots += [
                msgspec.structs.replace(slot, slot=first + number)
                for number, slot in enumerate(node.last_look.slots)
            ]
    return found, tuple(slots)


def _node(node: Node, first_slot: int) -> NodeStats:
    return NodeStats(
        id=node.id,
        name=node.name,
        state=node.state,
        cause=node.cause,
        given=len(node.jobs),
        done=node.done,
        models=tuple(sorted(node.holds)),
        loaded=tuple(sorted(node.loaded)),
        first_slot=first_slot,
        pool=node.last_look,
    )


def _models(pools: Sequence[PoolStats], waiting: Counter[str]) -> Iterable[ModelStats]:
    by_name: dict[str, list[ModelStats]] = {}
    for pool in pools:
        for model in pool.models:
            by_name.setdefault(model.model, []).append(model)
    for name, found in by_name.items():
        starts = [model.start_s for model in found if model.start_s is not None]
        yield ModelStats(
            model=name,
            waiting=waiting[name],
            workers=sum(model.workers for model in found),
            need_bytes=max(model.need_bytes for model in found),
            learnt=any(model.learnt for model in found),
            start_s=max(starts, default=None),
            exits=_sum(model.exits for model in found),
            out_of_use=next((model.out_of_use for model in found if model.out_of_use), None),
        )


def _sum(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(total)


def _histogram(each: Iterable[HistogramStats]) -> HistogramStats:
    counts, sum_s = [0] * (len(BOUNDS_S) + 1), 0.0
    for one in each:
        counts = [left + right for left, right in zip(counts, one.counts, strict=True)]
        sum_s += one.sum_s
    return HistogramStats(BOUNDS_S, tuple(counts), sum_s)
