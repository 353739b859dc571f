"""May two results of one experiment be compared, and what must the reader know? Pure.

Another model or another task measures something else: refused. Another host, setting, sample, library or
package may explain a difference: told as a warning.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

import msgspec

from orchestrator.experiments.results.results_file import Results
from orchestrator.report.summaries import SeriesSummary

_MODEL = ("engine", "file", "file_sha256", "language", "format")
_MODEL_NAMES = ("role", "label", "threads_note")
"""What a model is called, and a remark: no setting. Every other key that both files have is compared."""
_SETTINGS = (
    "iterations",
    "recycle_after",
    "jobs_per_load",
    "sample_interval_ms",
    "timeout_s",
    "heap",
    "heap_source",
)
_SAMPLE = ("sha256", "reference")


class Called(NamedTuple):
    """What the sentences call two results, and what they add where one of several runs of a side is meant."""

    first: str = "the first"
    second: str = "the second"
    side: str = " side"


CALLED = Called()


class Unlike(NamedTuple):
    """One fact of two results that is not the same: what it is, and its value in each."""

    what: str
    first: Any
    second: Any

    def sentence(self, called: Called) -> str:
        """Return it as a refusal or a warning says it."""
        return (
            f"{self.what}: {_brief(self.first)} in {called.first}, {_brief(self.second)} in {called.second}"
        )


class Comparability(msgspec.Struct, frozen=True):
    """``refusals``: why not at all. ``warnings``: what may explain a difference. Sentences."""

    refusals: list[str]
    warnings: list[str]


def comparability(first: Results, second: Results, called: Called = CALLED) -> Comparability:
    """Hold the configurations of two results of the same experiment against each other."""
    refusals = _refusals(first, second, called)
    told = _told(first, second, called, with_steps=not refusals)
    return Comparability(
        refusals, [each if isinstance(each, str) else each.sentence(called) for each in told]
    )


def unlike(first: Results, second: Results) -> list[Unlike]:
    """Return those facts that :func:`comparability` warns of which can stand beside each other."""
    told = _told(first, second, CALLED, with_steps=not _refusals(first, second, CALLED))
    return [each for each in told if isinstance(each, Unlike)]


def _refusals(first: Results, second: Results, called: Called) -> list[str]:
    refusals = _step_refusals(first.config, second.config, called)
    shared = [key for key in first.summary if key in second.summary]
    if shared and all(not same_unloading(first, second, key) for key in shared):
        refusals += [_other_unloading(first, second, key, called) for key in shared]
    if not shared:
        refusals.append(
            f"no method in common: {_names(first)} in {called.first}, {_names(second)} in {called.second}"
        )
    return refusals


def _told(first: Results, second: Results, called: Called, *, with_steps: bool) -> list[Unlike | str]:
    """Return what a reader must know: facts beside each other, and sentences about what has no such form."""
    a, b = first.config, second.config
    shared = [key for key in first.summary if key in second.summary]
    return [
        *_differing("host", _table(a.get("host")), _table(b.get("host"))),
        *_differing("setting", *({key: each.get(key) for key in _SETTINGS} for each in (a, b))),
        *(_step_warnings(a, b) if with_steps else []),
        *_series_warnings(first, second, called),
        *(
            _other_unloading(first, second, key, called)
            for key in shared
            if not same_unloading(first, second, key)
        ),
        *_early_end_warnings(first, second, called),
        *_differing("package", _table(a.get("packages")), _table(b.get("packages"))),
        *_differing(
            "version", {"orchestrator": a.get("tool_version")}, {"orchestrator": b.get("tool_version")}
        ),
    ]


def same_unloading(first: Results, second: Results, key: str) -> bool:
    """Whether a method's models were destroyed in both, or abandoned in both: else it measured two things."""
    return set(first.summary[key].abandoned) == set(second.summary[key].abandoned)


def _other_unloading(first: Results, second: Results, key: str, called: Called) -> str:
    ways = ["abandoned" if each.summary[key].abandoned else "destroyed" for each in (first, second)]
    return (
        f"method {key}: models are {ways[0]} in {called.first} and {ways[1]} in {called.second}, not compared"
    )


def _step_refusals(a: Mapping[str, Any], b: Mapping[str, Any], called: Called) -> list[str]:
    steps = list(a.get("steps", [])), list(b.get("steps", []))
    if len(steps[0]) != len(steps[1]):
        return [f"{called.first} has {len(steps[0])} steps, {called.second} {len(steps[1])}"]
    found: list[str] = []
    for number, (one, other) in enumerate(zip(*steps, strict=True), start=1):
        if one["task"] != other["task"]:
            tasks = one["task"], other["task"]
            found.append(f"step {number}: task {tasks[0]} in {called.first}, {tasks[1]} in {called.second}")
        models = ({key: step["model"].get(key) for key in _MODEL} for step in (one, other))
        found += [each.sentence(called) for each in _differing(f"step {number}: model", *models)]
    return found


def _step_warnings(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Unlike]:
    found: list[Unlike] = []
    for number, (one, other) in enumerate(zip(a["steps"], b["steps"], strict=True), start=1):
        models = one["model"], other["model"]
        keys = [key for key in models[0] if key in models[1] and key not in (*_MODEL, *_MODEL_NAMES)]
        settings = ({key: model[key] for key in keys} for model in models)
        found += _differing(f"step {number}: model", *settings)
        samples = (_table(step.get("sample")) for step in (one, other))
        found += _differing(
            f"step {number}: sample", *({key: sample.get(key) for key in _SAMPLE} for sample in samples)
        )
        said = ({key: step.get(key) for key in ("text", "options")} for step in (one, other))
        found += _differing(f"step {number}:", *said)
    return found


def _series_warnings(first: Results, second: Results, called: Called) -> list[Unlike | str]:
    found = [
        f"method {key}: only in {which}, not compared"
        for which, own, other in ((called.first, first, second), (called.second, second, first))
        for key in own.summary
        if key not in other.summary
    ]
    environments = [
        {_key(series): series.get("env", {}) for series in each.config.get("series", [])}
        for each in (first, second)
    ]
    shared = [key for key in environments[0] if key in environments[1]]
    allocators = [
        {_key(series): series.get("allocator") for series in each.config.get("series", [])}
        for each in (first, second)
    ]
    return [
        *found,
        *_differing("environment of", *({key: env[key] for key in shared} for env in environments)),
        *_differing("allocator of", *({key: each[key] for key in shared} for each in allocators)),
    ]


def _early_end_warnings(first: Results, second: Results, called: Called) -> list[str]:
    """How a run may stop matters only where it did: a method that ended early has not seen what came later."""
    found: list[str] = []
    for key in (key for key in first.summary if key in second.summary):
        ends = [each.summary[key] for each in (first, second)]
        counts = [end.iterations for end in ends]
        if counts[0] != counts[1] and any(end.stopped == "settled" for end in ends):
            said = f" in {called.first}, ".join(_end(end) for end in ends)
            found.append(
                f"method {key}: {said} in {called.second}: growth that begins later is seen by one of them only"
            )
    return found


def _end(summary: SeriesSummary) -> str:
    settled = f"settled as {summary.settled_as} after " if summary.stopped == "settled" else ""
    return f"{settled}{summary.iterations} iterations"


def _key(series: Mapping[str, Any]) -> str:
    return f"{series['method']}@{series['variant']}" if series.get("variant") else str(series["method"])


def _names(results: Results) -> str:
    return ", ".join(results.summary) or "none"


def _table(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _differing(what: str, a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Unlike]:
    return [
        Unlike(f"{what} {key}", a.get(key), b.get(key))
        for key in dict.fromkeys((*a, *b))
        if a.get(key) != b.get(key)
    ]


def _brief(value: object) -> str:
    text = "not set" if value is None or value == {} else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
