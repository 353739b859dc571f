"""One row for a verdict, whichever kind it is of: of arrays, of a run's series, of a file's, of a check. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from orchestrator.notebook.frames import Kind

Field = tuple[str, Kind, str]
"""A column: its name, what it holds, and where the value stands in the verdict, dotted."""

_PER = "mb_per_iteration"


def _count_fields(name: str) -> Sequence[Field]:
    return (
        (f"{name}_verdict", "text", f"{name}.verdict"),
        (f"{name}_per_iteration", "float", f"{name}.rate_per_iteration"),
        (f"{name}_ci_low_per_iteration", "float", f"{name}.ci_low"),
        (f"{name}_ci_high_per_iteration", "float", f"{name}.ci_high"),
        (f"{name}_first", "int", f"{name}.first"),
        (f"{name}_last", "int", f"{name}.last"),
        (f"{name}_reasons", "text", f"{name}.reasons"),
    )


FIELDS: tuple[Field, ...] = (
    ("file", "text", "file"),
    ("experiment", "text", "experiment"),
    ("series", "text", "series"),
    ("method", "text", "method"),
    ("outcome", "text", "outcome"),
    ("boundary", "text", "boundary"),
    ("verdict", "text", "verdict"),
    ("iterations", "int", "iterations"),
    ("warm_up_iterations", "int", "warm_up"),
    ("rate_channel", "text", "rate_channel"),
    (f"rate_{_PER}", "float", f"rate_{_PER}"),
    (f"ci_low_{_PER}", "float", "ci_low"),
    (f"ci_high_{_PER}", "float", "ci_high"),
    (f"tolerance_{_PER}", "float", "tolerance"),
    ("rate_mb_per_hour", "float", "rate_mb_per_hour"),
    ("tolerance_mb_per_hour", "float", "tolerance_mb_per_hour"),
    (f"rss_rate_{_PER}", "float", f"rss_rate_{_PER}"),
    (f"rss_ci_low_{_PER}", "float", "rss_ci_low"),
    (f"rss_ci_high_{_PER}", "float", "rss_ci_high"),
    (f"heap_rate_{_PER}", "float", f"heap_rate_{_PER}"),
    (f"heap_ci_low_{_PER}", "float", "heap_ci_low"),
    (f"heap_ci_high_{_PER}", "float", "heap_ci_high"),
    *(
        (f"{part}_{_PER}", "float", f"composition.{part}")
        for part in ("live_heap", "held_free", "outside_malloc", "shared_memory", "file_pages", "swap")
    ),
    ("above_fresh_mb", "float", "against_baseline.level.above_mb"),
    *(field for name in ("descriptors", "threads") for field in _count_fields(name)),
    ("calls", "int", "calls"),
    ("calls_per_reading", "int", "calls_per_reading"),
    ("smallest_leak_bytes", "float", "smallest_leak_bytes"),
    ("heap_off", "text", "heap_off"),
    ("reasons", "text", "reasons"),
    ("settle", "text", "settle"),
)
"""Every column that a verdict can have. Of a check an iteration is one call."""


def fields_of(kind: type) -> list[Field]:
    """Return the columns of one kind of verdict: those that its class has a field for."""
    return [field for field in FIELDS if hasattr(kind, field[2].partition(".")[0])]


def verdict_row(verdict: object) -> Mapping[str, Any]:
    """Return the verdict as one row of the columns of its kind; lists of sentences are joined by ``; ``."""
    return {name: _value(verdict, place) for name, _, place in fields_of(type(verdict))}


def _value(verdict: object, place: str) -> Any:
    found: Any = verdict
    for name in place.split("."):
        found = getattr(found, name, None)
    return "; ".join(cast("Sequence[str]", found)) if isinstance(found, list | tuple) else found
