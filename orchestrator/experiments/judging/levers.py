"""What the series of an experiment show together: variants, the split by load, the trim at the end. Pure.

Here: which series is held against which, and which of their figures count. What the figures mean is decided in
:mod:`orchestrator.analysis.planning.levers`; the result is the key ``levers`` of a summary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from orchestrator.analysis.judging.judgement import Judgement
from orchestrator.analysis.judging.tolerance import live_tolerance_mb
from orchestrator.analysis.planning.lever_words import (
    cost_sentence,
    split_sentence,
    trim_sentence,
    variant_sentence,
)
from orchestrator.analysis.planning.levers import Side, TrimEffect, split_growth, variant_effect
from orchestrator.analysis.planning.net_change import Interval
from orchestrator.config.types import Experiment, Series
from orchestrator.experiments.judging.model_summary import mean
from orchestrator.experiments.judging.readings import FRESH_METHODS, MB, boundary_readings, own_boundary
from orchestrator.experiments.storage.records import IterationRecord, SeriesRecords
from orchestrator.report.lever_summaries import LeverSummary, LoadSplitSummary, TrimSummary, VariantSummary
from orchestrator.report.names import method_name
from orchestrator.report.summaries import SeriesSummary

Summaries = Mapping[str, SeriesSummary]
_CHANNELS: tuple[tuple[Literal["live", "rss"], Literal["heap", "rss"]], ...] = (
    ("live", "heap"),
    ("rss", "rss"),
)
_NOT_GIVEN_BACK = ("live", "nonmalloc")
"""Channels that a heap trim leaves as they are."""
_KEEP_A_MODEL = ("restart", "reuse")


def levers(
    experiment: Experiment, records: Mapping[str, SeriesRecords], summaries: Summaries
) -> dict[str, LeverSummary]:
    """Return what the levers show, by series key."""
    known = [series for series in experiment.series if series.key in records and series.key in summaries]
    return {
        series.key: LeverSummary(
            variant=_variant(series, known, records, summaries),
            load_split=_load_split(series, known, summaries),
            # The last process of these is as fresh as all others: what a trim gives back there is no growth.
            trim=None if series.method in FRESH_METHODS else _trim(series, records[series.key], summaries),
        )
        for series in known
    }


def setting_of(variant: Series, plain: Series) -> str:
    """Return what a variant sets, such as ``MALLOC_ARENA_MAX=1 and jemalloc``."""
    changed = [f"{name}={value}" for name, value in variant.env.items() if plain.env.get(name, None) != value]
    allocator = [variant.allocator.rpartition("/")[2]] if variant.allocator else []
    return " and ".join([*changed, *allocator]) or str(variant.variant)


def _variant(
    series: Series,
    known: Sequence[Series],
    records: Mapping[str, SeriesRecords],
    summaries: Summaries,
) -> VariantSummary | None:
    plain = next((one for one in known if one.variant is None and one.method == series.method), None)
    if series.variant is None or plain is None:
        return None
    sides = [_side(records[one.key], summaries[one.key]) for one in (plain, series)]
    if sides[0] is None or sides[1] is None:
        return None
    found = variant_effect(sides[0], sides[1])
    setting = setting_of(series, plain)
    return VariantSummary(
        **msgspec.structs.asdict(found),
        against=plain.key,
        setting=setting,
        sentence=variant_sentence(setting, found, replaced=series.allocator is not None),
        cost=cost_sentence(found),
    )


def _side(records: SeriesRecords, summary: SeriesSummary) -> Side | None:
    judged = summary.judgement
    rss = _rate(judged, "rss")
    if judged is None or rss is None or judged.tolerance is None:
        return None
    return Side(
        rss=rss,
        heap=_rate(judged, "heap"),
        times_s=_times_s(records.iterations),
        peak_mb=summary.max_peak_mb,
        tolerance=judged.tolerance,
        machine_load=mean([one.machine_load for one in records.iterations if one.machine_load is not None]),
    )


def _rate(judged: Judgement | None, channel: Literal["rss", "heap"]) -> Interval | None:
    if judged is None:
        return None
    ends = {
        "rss": (judged.rss_ci_low, judged.rss_rate_mb_per_iteration, judged.rss_ci_high),
        "heap": (judged.heap_ci_low, judged.heap_rate_mb_per_iteration, judged.heap_ci_high),
    }
    low, rate, high = ends[channel]
    return None if rate is None or low is None or high is None else Interval(low, rate, high)


def _times_s(iterations: Sequence[IterationRecord]) -> list[float]:
    """Return seconds of load and infer of every iteration but the first, which is cold."""
    return [
        sum(
            value
            for step in record.steps
            for value in (step.phases.load_s, step.phases.infer_s)
            if value is not None
        )
        for record in iterations
        if record.iteration > 1
    ]


def _load_split(series: Series, known: Sequence[Series], summaries: Summaries) -> list[LoadSplitSummary]:
    kept = next(
        (
            one
            for method in _KEEP_A_MODEL
            for one in known
            if one.method == method and one.variant == series.variant
        ),
        None,
    )
    if series.method != "recreate" or kept is None or summaries[series.key].abandoned:
        return []
    name = method_name(kept, summaries[kept.key])
    found: list[LoadSplitSummary] = []
    for channel, key in _CHANNELS:
        judged = summaries[series.key].judgement
        rates = _rate(judged, key), _rate(summaries[kept.key].judgement, key)
        tolerance = judged.tolerance if judged else None
        if rates[0] is None or rates[1] is None or tolerance is None:
            continue
        limit = live_tolerance_mb(tolerance) if channel == "live" else tolerance
        split = split_growth(rates[0], rates[1], channel=channel, tolerance=limit)
        sentence = split_sentence(split, kept=name)
        found.append(LoadSplitSummary(**msgspec.structs.asdict(split), against=kept.key, sentence=sentence))
    return found


def _trim(series: Series, records: SeriesRecords, summaries: Summaries) -> TrimSummary | None:
    released = summaries[series.key].trim_released_mb
    before = records.end.before_trim if records.end else None
    readings = boundary_readings(records.iterations, own_boundary(series.method))
    if released is None or before is None or before.rss_anon is None or not readings:
        return None
    first = readings[0].rss_anon
    if first is None:
        return None
    judged = summaries[series.key].judgement
    leak = None
    if judged is not None and judged.verdict == "leak":
        in_use = judged.rate_channel in _NOT_GIVEN_BACK
        leak = judged.rate_mb_per_iteration if in_use else judged.heap_rate_mb_per_iteration
    found = TrimEffect(released, (before.rss_anon - first) / MB, leak)
    return TrimSummary(**msgspec.structs.asdict(found), share=found.share, sentence=trim_sentence(found))
