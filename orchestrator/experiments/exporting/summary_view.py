"""What a notebook shows of a run: how many methods leak, the report's table with its curves, and where it was run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from orchestrator.config.model import BoundModel
from orchestrator.config.types import Experiment, Series, Step
from orchestrator.experiments.exporting.rows import series_key
from orchestrator.experiments.judging.judgement import METHODS
from orchestrator.experiments.results.results_file import Results as ResultFile
from orchestrator.notebook.fragment import fragment, paragraph
from orchestrator.report.closing.rows import ClosingRow, headline
from orchestrator.report.html.summary_part import methods_table

_STATES = {"running": "under way, or killed", "interrupted": "interrupted", "finished": "finished"}
_NOTHING = "Nothing has been measured yet"


def summary_html(rows: Sequence[ClosingRow], facts: Mapping[str, Any]) -> str:
    """Return the rows as HTML that stands by itself."""
    said = paragraph(headline_of(rows), "said")
    return fragment(said, methods_table(rows, links=False) if rows else "", paragraph(origin(facts), "note"))


def headline_of(rows: Sequence[ClosingRow]) -> str:
    """Return how many methods leak, in one line."""
    return headline(rows) if rows else _NOTHING


def origin(facts: Mapping[str, Any]) -> str:
    """Return which run it is, how far it came, and on what machine, in one sentence."""
    state = _STATES.get(str(facts.get("state")), "")
    host = facts.get("host")
    machine = cast("Mapping[str, Any]", host).get("cpu_model") if isinstance(host, Mapping) else None
    said = [
        f"Run {facts.get('run_id')}",
        f"begun {facts.get('created_at')}",
        state,
        f"profile {facts.get('profile')}",
        f"on {str(machine)[:80]}" if machine else "",
    ]
    return ", ".join(part for part in said if part)


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
