"""Which model grows: what each model of an iteration leaves behind, checked against the whole growth. Pure.

Only where models are loaded and unloaded in one process (``recreate``), and only of its iterations after the warm-up
of the whole series. The live heap is the better witness: what one model's unload frees may stay resident until the
next one's load, so that RSS books it on the wrong one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import msgspec

from orchestrator.analysis.judging.tolerance import LIVE_FLOOR_MB, RSS_FLOOR_MB, live_tolerance_mb
from orchestrator.analysis.planning.net_change import FEWEST, load_and_job, mean_change
from orchestrator.analysis.planning.net_change_words import jobs_sentence, models_sentence
from orchestrator.experiments.judging.readings import MB, memory_series
from orchestrator.experiments.storage.records import IterationRecord, Reading, StepRecord
from orchestrator.report.lever_summaries import Channel, ModelChange, NetChanges

_FLOORS: dict[Channel, float] = {"live": LIVE_FLOOR_MB, "rss": RSS_FLOOR_MB}


def net_changes(
    iterations: Sequence[IterationRecord],
    labels: Mapping[str, str],
    *,
    warm_up: int,
    tolerance_mb: float | None,
) -> list[NetChanges]:
    """Return the net changes by channel, the live heap first; none where no step was read before and after.

    Args:
        iterations: Of one series, in order.
        labels: What tables call the models, by role.
        warm_up: Iterations to leave out; fewer where too few would be left, and the first one always.
        tolerance_mb: Accepted growth of the process per iteration.
    """
    # The first iteration loads code and fills caches of the process: never a model's own.
    left_out = max(1, min(warm_up, len(iterations) - 2 * FEWEST))
    used = iterations[left_out:]
    found = (_of_channel(channel, used, tolerance_mb or 0.1) for channel in _FLOORS)
    return [msgspec.structs.replace(one, sentence=_sentence(one, labels)) for one in found if one is not None]


def _sentence(found: NetChanges, labels: Mapping[str, str]) -> str:
    what = "the live heap" if found.channel == "live" else "RSS"
    means = {labels.get(role, role): one.per_iteration for role, one in found.models.items()}
    grows = [labels.get(role, role) for role, one in found.models.items() if one.finding == "grows"]
    splits = {
        labels.get(role, role): one.split for role, one in found.models.items() if one.split is not None
    }
    parts = [models_sentence(what, means, grows, found.sum, found.total)] if len(means) > 1 else []
    return "; ".join([*parts, *(jobs_sentence(what, name, split) for name, split in splits.items())])


def _of_channel(
    channel: Channel, iterations: Sequence[IterationRecord], tolerance_mb: float
) -> NetChanges | None:
    roles = list(dict.fromkeys(step.model for record in iterations for step in record.steps))
    changes: dict[str, list[float]] = {role: [] for role in roles}
    jobs: dict[str, list[int]] = {role: [] for role in roles}
    for record in iterations:
        for role in roles:
            own = [step for step in record.steps if step.model == role]
            parts = [_change(channel, step) for step in own]
            known = [part for part in parts if part is not None]
            # A gap in one model would be booked on the others when the parts are added up.
            if not own or len(known) < len(own):
                return None
            changes[role].append(sum(known))
            jobs[role].append(sum(step.jobs for step in own))
    total = _total(channel, iterations) if iterations else None
    limit = live_tolerance_mb(tolerance_mb) if channel == "live" else tolerance_mb
    models: dict[str, ModelChange] = {}
    for role in roles:
        mean = mean_change(changes[role], floor_mb=_FLOORS[channel])
        if mean is None:
            return None
        models[role] = ModelChange(
            per_iteration=mean,
            finding="grows"
            if mean.low > 0 and mean.high > limit / 2
            else "nothing"
            if mean.high < limit
            else "open",
            jobs=sum(jobs[role]) / len(jobs[role]),
            split=load_and_job(changes[role], jobs[role], floor_mb=_FLOORS[channel]),
        )
    if total is None or not models:
        return None
    whole = sum(one.per_iteration.rate for one in models.values())
    return NetChanges(
        channel=channel,
        models=models,
        sum=whole,
        total=total,
        between=total - whole,
        iterations=len(iterations),
    )


def _change(channel: Channel, step: StepRecord) -> float | None:
    before = _size(channel, step.readings.get("before_load"))
    after = _size(channel, step.readings.get("after_unload"))
    return None if before is None or after is None else (after - before) / MB


def _total(channel: Channel, iterations: Sequence[IterationRecord]) -> float | None:
    """Return the growth of the process per iteration, from before the first load to after the last unload."""
    sizes = [
        _size(channel, iterations[0].steps[0].readings.get("before_load")),
        *(_size(channel, record.steps[-1].readings.get("after_unload")) for record in iterations),
    ]
    known = [size / MB for size in sizes if size is not None]
    if len(known) < len(sizes):
        return None
    mean = mean_change([later - earlier for earlier, later in pairwise(known)], floor_mb=_FLOORS[channel])
    return None if mean is None else mean.rate


def _size(channel: Channel, reading: Reading | None) -> float | None:
    if reading is None:
        return None
    if channel == "live":
        return reading.heap_live
    series = memory_series([reading])
    return None if series is None else float(series.leak_series[0]) * MB
