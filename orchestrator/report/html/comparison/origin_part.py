"""What differs in the set-up of two sides, the numbers of each run, and where they come from. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from orchestrator.report.cells import number
from orchestrator.report.closing.rows import kind_of
from orchestrator.report.html.comparison.content import (
    ComparisonContent,
    MethodPair,
    MethodRun,
    RunOrigin,
    Unlike,
)
from orchestrator.report.html.comparison.words import METRICS, amount, unit_of
from orchestrator.report.html.markup import Html, bullets, element, facts, folded, joined, table, text

_GIB = 1024.0**3
_HASH_SHOWN = 16
_NOT_KNOWN = "not known"


def run_names(origins: Sequence[RunOrigin]) -> list[str]:
    """Return what each run of a side is called: as the user typed it, with a number where that is not enough."""
    names = [origin.name for origin in origins]
    return [
        f"{name}, run {names[: at + 1].count(name)}" if names.count(name) > 1 else name
        for at, name in enumerate(names)
    ]


def setup_part(content: ComparisonContent) -> Html:
    """Return what is not the same on both sides and so may explain a difference; and what is."""
    parts = [element("h2", text("What differs in the set-up"))]
    if not content.unlike and not content.warnings:
        parts.append(element("p", text("Nothing that is known of: both sides were measured alike.")))
    if content.unlike:
        parts.append(table(["What", "A", "B"], [_unlike(each) for each in content.unlike], "unlike"))
    if content.warnings:
        parts.append(bullets(content.warnings))
    if content.unlike or content.warnings:
        parts.append(
            element("p", text("Each of these may be the cause of a difference above."), class_="note")
        )
    if content.alike:
        parts.append(
            element("p", text(f"The same on both sides: {', '.join(content.alike)}."), class_="note")
        )
    return element("section", joined(parts), id_="set-up")


def _unlike(each: Unlike) -> list[Html]:
    facts_of_host = each.what.startswith("host ")  # other names are those of experiments.toml
    what = text(each.what.replace("_", " ") if facts_of_host else each.what)
    if each.where:
        where = element("span", text(", ".join(each.where)), class_="unit")
        what = joined([what, where], " ")
    return [what, text(each.first), text(each.second)]


def details_part(content: ComparisonContent) -> Html:
    """Return, folded, the numbers of every run, and its memory from first to last."""
    if not content.methods:
        return Html("")
    shown = [joined([element("h3", text(pair.name)), *_numbers(pair, content)]) for pair in content.methods]
    whole = folded("The numbers of each run, method by method", joined(shown))
    return element("section", joined([element("h2", text("Each run")), whole]), id_="runs")


def _numbers(pair: MethodPair, content: ComparisonContent) -> list[Html]:
    memory = [
        *_memory("A", pair.first, content.first),
        *_memory("B", pair.second, content.second),
    ]
    headings = ["Run", "Verdict", "Iterations", "First RSS (MB)", "Last RSS (MB)", "Highest RSS (MB)"]
    shown = [table(headings, memory, "numbers")]
    rows = [
        [
            joined(
                [
                    text(METRICS.get(row.metric, row.metric)),
                    element("span", text(unit_of(row)), class_="unit"),
                ],
                " ",
            ),
            text(", ".join(amount(row, value) for value in row.first_runs)),
            text(", ".join(amount(row, value) for value in row.second_runs)),
            text(amount(row, row.smallest)),
        ]
        for row in pair.rows
    ]
    if rows:
        shown.append(
            table(["Number", "A, each run", "B, each run", "Smallest that counts"], rows, "numbers runs")
        )
    return shown


def _memory(letter: str, runs: Sequence[MethodRun], origins: Sequence[RunOrigin]) -> list[list[Html]]:
    rows: list[list[Html]] = []
    for name, run in zip(run_names(origins), runs, strict=True):
        summary = run.summary
        planned = summary.iterations_planned
        done = summary.iterations
        short = f"{done or 0} of {planned}" if planned and planned != done else done
        rows.append(
            [
                text(f"{letter}: {name}"),
                text(kind_of(summary.judgement)[1]),
                text(short),
                text(number(summary.initial_memory_mb)),
                text(number(summary.final_memory_mb)),
                text(number(summary.max_peak_mb)),
            ]
        )
    return rows


def provenance_part(content: ComparisonContent) -> Html:
    """Return, folded, where the numbers of each run come from; what a run does not tell is left out."""
    runs = [
        folded(f"{letter}: {name}", _origin(origin))
        for letter, origins in (("A", content.first), ("B", content.second))
        for name, origin in zip(run_names(origins), origins, strict=True)
    ]
    return element("section", joined([element("h2", text("Provenance")), *runs]), id_="provenance")


def _origin(origin: RunOrigin) -> Html:
    known = origin.facts
    host = dict(_mapping(known.get("host")))
    environment = _mapping(host.pop("environment", None))
    version = known.get("tool_version")
    run: dict[str, object] = {
        "run": known.get("run_id"),
        "began": known.get("created_at"),
        "made by": f"orchestrator {version}" if version else None,
        "profile": known.get("profile_reason"),
        "worker processes": known.get("worker_starts"),
        "heap channel": known.get("heap_source"),
    }
    parts = [
        facts({name: _NOT_KNOWN if value is None else value for name, value in run.items()}),
        element("h3", text("Host")),
        facts(
            {key.removesuffix("_bytes").replace("_", " "): _size(key, value) for key, value in host.items()}
        ),
        element("h3", text("Allocator and thread environment")),
        facts(environment)
        if environment
        else element("p", text("None of the variables that matter is set.")),
        element("h3", text("Models")),
        _models(known.get("models")),
        element("h3", text("Versions")),
        facts(_mapping(known.get("packages"))),
    ]
    return joined(parts)


def _models(models: object) -> Html:
    rows = (
        [
            [
                text(model.get("role")),
                text(model.get("engine")),
                text(model.get("file")),
                _hash(model.get("file_sha256")),
                text("the engine's own choice" if model.get("threads") is None else model.get("threads")),
            ]
            for model in (_mapping(each) for each in cast("list[object]", models) if models)
        ]
        if isinstance(models, list)
        else []
    )
    return table(["Model", "Engine", "File", "SHA-256", "Threads"], rows)


def _hash(value: object) -> Html:
    if value is None:
        return text(None)
    return element("code", text(f"{str(value)[:_HASH_SHOWN]}…"), title=str(value))


def _size(key: str, value: object) -> object:
    if key.endswith("_bytes") and isinstance(value, int):
        return f"{value / _GIB:.2f} GiB"
    return _NOT_KNOWN if value is None else value


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}
