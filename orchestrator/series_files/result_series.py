"""Our own results: a series per method, read at the method's own boundary with every channel there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from orchestrator.analysis.series import FloatArray
from orchestrator.errors import ResultsError
from orchestrator.experiments.judging.judgement import ENDS, METHODS
from orchestrator.experiments.judging.readings import boundaries
from orchestrator.experiments.results.results_file import Results
from orchestrator.process.memory import file_key
from orchestrator.series_files.measured import CHANNELS, Ending, FreshProcesses, MeasuredSeries

_Entries = Sequence[Mapping[str, Any]]
_BASELINE = "recycle"
_SINCE_THE_FORK = ("heap_live_mb", "heap_held_mb")


def result_series(results: Results, file: str) -> list[MeasuredSeries]:
    """Return the series of one experiment's results; a method that never ran is one without readings.

    Raises:
        ResultsError: A part of it has not the form of ours.
    """
    try:
        return [_series(results, key, file) for key in results.summary]
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        raise ResultsError(f"{file}: not a result file of ours ({type(error).__name__}: {error})") from error


def _series(results: Results, key: str, file: str) -> MeasuredSeries:
    summary = results.summary[key]
    outcome = summary.outcome or "completed"
    own, *others = boundaries(METHODS[summary.method])
    # A baseline whose library does not live through an unload is read before it.
    boundary = next((where for where in (own, *others) if _read(results, key, where)), own)
    read = _read(results, key, boundary)
    if not read and summary.method == "recycle":  # its library does not live through an unload
        boundary = "after_infer"
        read = _read(results, key, boundary)
    made = _measured(read, boundary, file, key)
    return replace(
        made,
        experiment=str(results.config.get("experiment", "")) or None,
        ending=_ending(outcome),
        fresh=_fresh(results, key, boundary, file),
        notes=() if outcome == "completed" else (summary.sentence or outcome,),
    )


def _read(results: Results, key: str, boundary: str) -> list[Mapping[str, Any]]:
    entries = [entry for entry in results.iterations if _key(entry) == key]
    entries.sort(key=lambda entry: int(entry["iteration"]))
    return [entry for entry in entries if _cell(entry, "rss_mb", boundary) is not None]


def _measured(read: _Entries, boundary: str, file: str, key: str) -> MeasuredSeries:
    off = next((step["heap_off"] for entry in read for step in entry["steps"] if step.get("heap_off")), None)
    found = {name: _channel(read, file_key(field), boundary) for name, field in CHANNELS.items()}
    known: dict[str, Any] = {name: values for name, values in found.items() if values is not None}
    return replace(MeasuredSeries(file=file, series=key, rss=np.empty(0), heap_off=off), **known)


def _fresh(results: Results, key: str, boundary: str, file: str) -> FreshProcesses | None:
    """Return the baseline of the series ``key``, read where that is read: its variant's own, else the plain one."""
    method, _, variant = key.partition("@")
    if method == _BASELINE:
        return None
    candidates = (f"{_BASELINE}@{variant}", _BASELINE) if variant else (_BASELINE,)
    baseline = next((each for each in candidates if each in results.summary), None)
    if baseline is None:
        return None
    read = _read(results, baseline, boundary)
    lives = [int(entry.get("life", 1)) for entry in read]
    readings = _measured(read, boundary, file, baseline)
    return FreshProcesses(readings, lives, boundary, int(results.config.get("recycle_after", 1)))


def _ending(outcome: str) -> Ending | None:
    end = ENDS.get(outcome)
    return end if end in ("crashed", "unavailable") else None


def _key(entry: Mapping[str, Any]) -> str:
    variant = entry.get("variant")
    return f"{entry['method']}@{variant}" if variant else str(entry["method"])


def _cell(entry: Mapping[str, Any], channel: str, boundary: str) -> float | None:
    """Return the last step's reading, which is where a method is read; of a warm worker what is not its template's."""
    if not entry["steps"]:
        return None
    step = entry["steps"][-1]
    read: float | None = step.get(channel, {}).get(boundary)
    if step.get("start") != "warm" or read is None:
        return read
    private: float | None = step.get("uss_mb", {}).get(boundary)
    if private is None:
        return read
    if channel in _SINCE_THE_FORK:
        return max(0.0, read - float(step[channel].get("before_load") or 0.0))
    return {"rss_mb": private, "rss_anon_mb": private, "rss_shmem_mb": 0.0}.get(channel, read)


def _channel(entries: _Entries, channel: str, boundary: str) -> FloatArray | None:
    """Return a channel that every reading has; one that is missing anywhere is not there."""
    sizes = [size for entry in entries if (size := _cell(entry, channel, boundary)) is not None]
    return np.array(sizes, dtype=np.float64) if sizes and len(sizes) == len(entries) else None
