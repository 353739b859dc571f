"""Collect what a comparison's page shows from the results of both sides. Pure.

Which numbers differ is decided in :mod:`orchestrator.experiments.comparing`; how they are shown, in
:mod:`orchestrator.report.html.comparison`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, cast, get_args

from orchestrator.config.types import MethodName, Series
from orchestrator.experiments.comparing.comparability import Called, unlike
from orchestrator.experiments.comparing.comparison import Comparison, Run, warnings_of
from orchestrator.experiments.comparing.figures import entries_of
from orchestrator.experiments.results.results_file import Results
from orchestrator.report.html.comparison.content import (
    ComparisonContent,
    MethodPair,
    MethodRun,
    MetricRow,
    RunOrigin,
    Unlike,
)
from orchestrator.report.names import method_name
from orchestrator.report.summaries import SeriesSummary

NamedRun = tuple[str, Run]
"""A run with its name as the user typed it."""

_KINDS: Mapping[str, tuple[str, str]] = {
    "host": ("host", "host"),
    "setting": ("settings", "iterations"),
    "step": ("models, samples and steps", "steps"),
    "environment": ("environment", "series"),
    "allocator": ("allocator", "series"),
    "package": ("packages", "packages"),
    "version": ("version of orchestrator", "tool_version"),
    "worker": ("how workers start", "worker_starts"),
    "profile": ("profile", "profile_reason"),
}
"""The kinds of facts by the first word of what differs: in words, and where a run has recorded them."""


_LONGEST = 300
_SIDES = Called("A", "B", "")
"""What the page calls the sides, in its sentences too."""
_Sides = tuple[Sequence[Run], Sequence[Run]]


def comparison_content(
    first: Sequence[NamedRun], second: Sequence[NamedRun], compared: Comparison
) -> ComparisonContent:
    """Put together the page of two sides, each of one run or several.

    Args:
        first: The runs of side A.
        second: The runs of side B.
        compared: What :func:`~orchestrator.experiments.comparing.comparison.compare_runs` says of them.
    """
    sides = [run for _, run in first], [run for _, run in second]
    methods = [_pair(experiment, key, sides, compared) for experiment, key, _, _ in compared.verdicts]
    shared = list(dict.fromkeys(experiment for experiment, _, _, _ in compared.verdicts))
    one, other = sides[0][0], sides[1][0]
    differing = {name: _unlike(one[name], other[name]) for name in shared}
    told = {f"{name}: {each.sentence(_SIDES)}" for name in shared for each in unlike(one[name], other[name])}
    warnings = [*warnings_of(*sides, _SIDES), *_unlike_starts(shared, sides)]
    return ComparisonContent(
        first=[_origin(name, run) for name, run in first],
        second=[_origin(name, run) for name, run in second],
        methods=methods,
        unlike=_grouped(differing),
        alike=_alike(shared, sides),
        warnings=[warning for warning in warnings if warning not in told],
        notes=compared.notes,
        alone=_alone(sides),
    )


def _pair(experiment: str, key: str, sides: _Sides, compared: Comparison) -> MethodPair:
    runs = [[_method_run(run[experiment], key) for run in side] for side in sides]
    rows = [
        MetricRow(
            metric=row.metric,
            unit=row.unit,
            first=row.first,
            second=row.second,
            difference=row.difference,
            low=row.low,
            high=row.high,
            smallest=row.smallest,
            change=row.change,
            first_runs=row.first_runs,
            second_runs=row.second_runs,
        )
        for row in compared.rows
        if (row.experiment, row.series) == (experiment, key)
    ]
    return MethodPair(experiment, _name(key, runs[0][0].summary), runs[0], runs[1], rows)


def _name(key: str, summary: SeriesSummary) -> str:
    method, _, variant = key.partition("@")
    if method not in get_args(MethodName):
        return key
    return method_name(Series(method=cast("MethodName", method), variant=variant or None), summary)


def _method_run(results: Results, key: str) -> MethodRun:
    summary = results.summary[key]
    boundary = summary.leak_rate.boundary if summary.leak_rate else ""
    readings = [
        (int(entry["iteration"]), level)
        for entry in entries_of(results, key)
        if (level := level_mb(entry, boundary)) is not None and isfinite(level)
    ]
    return MethodRun(summary, sorted(readings))


def level_mb(entry: Mapping[str, Any], boundary: str) -> float | None:
    """Return the memory of one iteration in MB as a leak is judged by it: what belongs to no file, else RSS.

    It is read in the last step at ``boundary``; where that has no reading it is the entry's own number. Of a warm
    worker it is the private pages.
    """
    steps = _rows(entry.get("steps"))
    last: Mapping[str, Any] = steps[-1] if steps else {}

    def at(channel: str) -> float | None:
        return _table(last.get(channel)).get(boundary)

    swapped = at("swap_mb") or 0.0
    private = at("uss_mb") if last.get("start") == "warm" else None
    if private is not None:
        return private + swapped
    anonymous = at("rss_anon_mb")
    if anonymous is not None:
        return anonymous + (at("rss_shmem_mb") or 0.0) + swapped
    resident = at("rss_mb")
    return entry.get("memory_mb") if resident is None else resident


def _unlike(first: Results, second: Results) -> list[Unlike]:
    """Return the facts that comparability warns of, and two more that explain numbers without making them unlike."""
    found = [one for each in unlike(first, second) for one in _told(each.what, each.first, each.second)]
    return [*found, *_starts(first, second)]


def _starts(first: Results, second: Results) -> list[Unlike]:
    """Return how workers start and which profile was taken, where it is not the same."""
    found: list[Unlike] = []
    for key in ("worker_starts", "profile_reason"):
        a, b = (each.config.get(key) for each in (first, second))
        if a != b:
            found += _told(key.removesuffix("_reason").replace("_", " "), a, b)
    return found


def _unlike_starts(shared: Sequence[str], sides: _Sides) -> list[str]:
    """Return the same of the further runs of each side against its first, in the sentences of a warning."""
    return [
        f"{name}: run {number} of {letter} is not like run 1: "
        f"{each.what}: {each.first} in run 1, {each.second} in run {number}"
        for letter, side in zip(_SIDES[:2], sides, strict=True)
        for number, run in enumerate(side[1:], 2)
        for name in shared
        for each in _starts(side[0][name], run[name])
    ]


def _told(what: str, first: object, second: object) -> list[Unlike]:
    """Return a fact in words; of one that has parts, those parts that differ."""
    if any(isinstance(each, Mapping) for each in (first, second)):
        a, b = _table(first), _table(second)
        keys = [key for key in dict.fromkeys((*a, *b)) if a.get(key) != b.get(key)]
        return [Unlike(f"{what}: {key}", _words(a.get(key)), _words(b.get(key))) for key in keys]
    return [Unlike(what, _words(first), _words(second))]


def _words(value: object) -> str:
    if isinstance(value, list):
        value = ", ".join(_strings(cast("object", value)))
    words = "not set" if value is None or value == "" else str(value)
    return words if len(words) <= _LONGEST else f"{words[: _LONGEST - 1]}…"


def _grouped(differing: Mapping[str, Sequence[Unlike]]) -> list[Unlike]:
    """Return each fact once, with the experiments that it is said of; without them where it is said of all."""
    where: dict[Unlike, list[str]] = {}
    for name, found in differing.items():
        for each in found:
            where.setdefault(each, []).append(name)
    return [
        Unlike(each.what, each.first, each.second, () if len(names) == len(differing) else tuple(names))
        for each, names in where.items()
    ]


def _alike(shared: Sequence[str], sides: _Sides) -> list[str]:
    """Return the kinds of facts that every run has recorded and of which none differs in any run."""
    runs = [run for side in sides for run in side]
    found = [each for run in runs[1:] for name in shared for each in _unlike(runs[0][name], run[name])]
    kinds = {each.what.partition(" ")[0] for each in found}
    configs = [run[name].config for run in runs for name in shared]
    return [
        words
        for kind, (words, key) in _KINDS.items()
        if configs and kind not in kinds and all(config.get(key) for config in configs)
    ]


def _origin(name: str, run: Run) -> RunOrigin:
    """Return what a run says of itself: of its first experiment, with the models of all."""
    configs = [results.config for results in run.values()]
    if not configs:
        return RunOrigin(name)
    steps = [step for config in configs for step in _rows(config.get("steps"))]
    models: list[Mapping[str, Any]] = []
    for step in steps:
        if (model := _table(step.get("model"))) not in models:
            models.append(model)
    starts = sorted({each for config in configs for each in _strings(config.get("worker_starts"))})
    return RunOrigin(name, {**configs[0], "models": models, "worker_starts": starts or None})


def _alone(sides: _Sides) -> list[str]:
    """Return the methods that a run of one side has and no run of the other."""
    names = [_named(side) for side in sides]
    return [
        f"{name} (side {letter} only)"
        for letter, own, other in (("A", names[0], names[1]), ("B", names[1], names[0]))
        for key, name in own.items()
        if key not in other
    ]


def _named(side: Sequence[Run]) -> dict[tuple[str, str], str]:
    return {
        (experiment, key): f"{experiment} {_name(key, summary)}"
        for run in side
        for experiment, results in run.items()
        for key, summary in results.summary.items()
    }


def _table(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _rows(value: object) -> list[Mapping[str, Any]]:
    return [_table(each) for each in cast("list[object]", value)] if isinstance(value, list) else []


def _strings(value: object) -> list[str]:
    return [str(each) for each in cast("list[object]", value)] if isinstance(value, list) else []
