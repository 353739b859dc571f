"""What a plan reckons with for workers that are forked from a template, read from results of the method warm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.analysis.planning.recycling import WorkerFigures
from orchestrator.experiments.judging.model_summary import mean


def warm_figures(entries: Sequence[Mapping[str, Any]], role: str) -> WorkerFigures | None:
    """Return the figures of one forked worker, without what it shares; None where no job of it was measured.

    It does one job, so that nothing grows from job to job. ``start_s`` is the time of a fork, from order to ready.
    """
    own = [
        (entry, step)
        for entry in entries
        for step in entry["steps"]
        if step["model"] == role and step.get("start") == "warm" and _at_end(step, "uss_mb") is not None
    ]
    job_s = mean([step["infer_s"] for _, step in own if step.get("infer_s") is not None])
    starts = [
        step["spawn_s"] + (step.get("load_s") or 0.0) for _, step in own if step.get("spawn_s") is not None
    ]
    if not own or not job_s or not starts:
        return None
    sizes = [float(_at_end(step, "uss_mb") or 0.0) for _, step in own]
    base_mb = max(sizes)
    peak_mb = max(_peak_mb(entry, step) for entry, step in own)
    return WorkerFigures(
        rate_high_mb=0.0,
        base_mb=base_mb,
        peak_above_base_mb=max(0.0, peak_mb - base_mb),
        start_s=mean(starts) or 0.0,
        job_s=job_s,
    )


def _peak_mb(entry: Mapping[str, Any], step: Mapping[str, Any]) -> float:
    """Return the private peak: the iteration's, if that has one step, else the step's own less what it shared."""
    high = _at_end(step, "vm_hwm_mb")
    if len(entry["steps"]) == 1 or high is None:
        return float(entry["peak_mb"])
    return float(high - ((_at_end(step, "rss_mb") or 0.0) - (_at_end(step, "uss_mb") or 0.0)))


def _at_end(step: Mapping[str, Any], channel: str) -> float | None:
    value: float | None = step.get(channel, {}).get("after_infer")
    return value
