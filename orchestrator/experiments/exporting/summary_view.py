"""What a notebook shows of a run: how many methods leak, the report's table with its curves, and where it was run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

from orchestrator.config.model import BoundModel
from orchestrator.config.types import Experiment, Series, Step
from orchestrator.experiments.exporting.rows import series_key
from orchestrator.experiments.judging.judgement import METHODS
from orchestrator.experiments.results.results_file import Results as ResultFile
from orchestrator.notebook.fragment import fragment, paragraph
from orchestrator.report.closing.rows import ClosingRow, headline
from orchestrator.report.html.summary_part import NOTHING, methods_table
from orchestrator.report.summaries import SeriesSummary

_STATES = {"running": "under way, or killed", "interrupted": "interrupted", "finished": "finished"}


def summary_html(rows: Sequence[ClosingRow], not_yet: int, facts: Mapping[str, Any]) -> str:
    """Return the rows as HTML that stands by itself; ``not_yet``: methods that the run has not come to."""
    said = paragraph(headline_of(rows, not_yet), "said")
    return fragment(said, methods_table(rows, links=False) if rows else "", paragraph(origin(facts), "note"))


def headline_of(rows: Sequence[ClosingRow], not_yet: int) -> str:
    """Return how many methods leak, in one line, and how many the run has not come to."""
    if not rows:
        return NOTHING
    return f"{headline(rows)} · {not_yet} not yet" if not_yet else headline(rows)


def reached(experiment: Experiment, summaries: Mapping[str, SeriesSummary]) -> Experiment:
    """Return the experiment with those series only that the run has come to."""
    return msgspec.structs.replace(
        experiment, series=[each for each in experiment.series if each.key in summaries]
    )


def origin(facts: Mapping[str, Any]) -> str:
    """Return which run it is, how far it came, and on what machine, in one sentence."""
    state = _STATES.get(str(facts.get("state")), "")
    host = facts.get("host")
    machine = cast("Mapping[str, Any]", host).get("cpu_model") if isinstance(host, Mapping) else None
    said = [
        f"run {facts['run_id']}" if facts.get("run_id") else "",
        f"begun {facts['created_at']}" if facts.get("created_at") else "",
        state,
        f"profile {facts['profile']}" if facts.get("profile") else "",
        f"on {machine[:80]}" if isinstance(machine, str) else "",
    ]
    known = ", ".join(part for part in said if part)
    return known[:1].upper() + known[1:]


def experiment_of(results: ResultFile) -> Experiment:
    """Return what a result file tells of its experiment: enough for tables, not for a run."""
    config = results.config
    steps = cast("list[Mapping[str, Any]]", config.get("steps") or [])
    return Experiment(
        name=str(config.get("experiment", "")),
        title=str(config.get("title", "")),
        series=[_series(key) for key in results.summary],
        iterations=int(config.get("iterations") or 0),
        recycle_after=int(config.get("recycle_after") or 1),
        sample_interval_ms=int(config.get("sample_interval_ms") or 20),
        heap=bool(config.get("heap", True)),
        timeout_s=float(config.get("timeout_s") or 0.0),
        output="",
        steps=[
            Step(task=str(each["task"]), model=_model(each["model"]), sample=None, text=None)
            for each in steps
        ],
    )


def memory_by_series(results: ResultFile) -> dict[str, list[float]]:
    """Return the memory of each series by iteration, MB, as a result file has it."""
    found: dict[str, list[float]] = {}
    for entry in sorted(results.iterations, key=lambda entry: int(entry["iteration"])):
        found.setdefault(series_key(entry), []).append(float(entry["memory_mb"]))
    return found


def _series(key: str) -> Series:
    method, _, variant = key.partition("@")
    return Series(METHODS[method], variant or None)


def _model(said: Mapping[str, Any]) -> BoundModel:
    role = str(said.get("role", "model"))
    return BoundModel(name=role, label=str(said.get("label", role)), engine=str(said.get("engine", "")))
