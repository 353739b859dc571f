"""``results/calibration.json``: the calibration beside the results, and whether it fits a run.

A calibration speaks for the host it was made on. What it says of a run is doubtful when that host was another
one, when much time lies between the two, or when another version judged.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from orchestrator.analysis.planning.calibration import CALIBRATION_SCHEMA, Calibration
from orchestrator.errors import ResultsError
from orchestrator.experiments.storage.upgrades import Chain, upgrade
from orchestrator.files.reading import read_regular
from orchestrator.files.untrusted import UNREADABLE
from orchestrator.files.writing import to_readable_json, write_atomically

CALIBRATION_NAME = "calibration.json"
CALIBRATION_UPGRADES: Chain = {}
"""Steps from older schemas, by the version they start from; schema 1 is the first."""
OLD_AFTER_DAYS = 30
_DECISIVE = (
    "kernel",
    "machine",
    "cpu_model",
    "cores",
    "cgroup_cpus",
    "memory_total_bytes",
    "cgroup_memory_bytes",
    "libc",
    "python",
    "page_size_bytes",
    "transparent_hugepages",
    "environment",
)
"""Facts of a host that may change what is found on it."""


class CalibrationStamp(msgspec.Struct, frozen=True):
    """Which calibration there was when a run began; kept in its manifest."""

    created_at: str
    host_fingerprint: str
    tool_version: str
    quick: bool


def read_calibration(results: Path) -> Calibration | None:
    """Return the calibration of a results folder; None when there is none.

    Raises:
        ResultsError: It is unreadable, damaged, or of a newer schema.
    """
    path = results / CALIBRATION_NAME
    try:
        document = msgspec.json.decode(read_regular(path), type=dict[str, Any])
        upgraded = upgrade(
            document,
            document.get("schema"),
            current=CALIBRATION_SCHEMA,
            chain=CALIBRATION_UPGRADES,
            where=str(path),
        )
        return msgspec.convert(upgraded, type=Calibration)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ResultsError(f"cannot read {path}: {error.strerror}") from error
    except UNREADABLE as error:
        raise ResultsError(
            f"{path}: damaged, or no calibration of ours ({error}); calibrate again"
        ) from error


def write_calibration(results: Path, calibration: Calibration) -> Path:
    """Write it, replacing an older one in one stroke; return where.

    Raises:
        ResultsError: It cannot be written; an older one is untouched.
    """
    path = results / CALIBRATION_NAME
    write_atomically(path, to_readable_json(calibration))
    return path


def stamp_of(results: Path) -> CalibrationStamp | None:
    """Return which calibration there is; None without one, or with one that cannot be read: no run fails by that."""
    try:
        found = read_calibration(results)
    except ResultsError:
        return None
    if found is None:
        return None
    return CalibrationStamp(found.created_at, host_fingerprint(found.host), found.tool_version, found.quick)


def host_fingerprint(host: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the facts that may change what is found on a host."""
    decisive = {key: host.get(key) for key in _DECISIVE}
    return hashlib.sha256(msgspec.json.encode(decisive, order="deterministic")).hexdigest()


def doubts(
    calibration: Calibration, *, run_host: Mapping[str, Any], run_at: str, run_version: str
) -> list[str]:
    """Return why ``calibration`` may not speak for a run: its host, its age, its version. Empty when it does."""
    found = [
        f"the calibration was made on another host: {key.removesuffix('_bytes').replace('_', ' ')} "
        f"{_brief(calibration.host.get(key))} there, {_brief(run_host.get(key))} in this run"
        for key in _DECISIVE
        if calibration.host.get(key) != run_host.get(key)
    ]
    days = _days_between(calibration.created_at, run_at)
    if days is not None and abs(days) > OLD_AFTER_DAYS:
        when = "before" if days > 0 else "after"
        found.append(f"the calibration was made {abs(days):.0f} days {when} this run: calibrate again")
    if calibration.tool_version != run_version:
        found.append(
            f"the calibration was made by version {calibration.tool_version}, this run by {run_version}"
        )
    return found


def _days_between(first: str, second: str) -> float | None:
    try:
        passed = dt.datetime.fromisoformat(second) - dt.datetime.fromisoformat(first)
    except (ValueError, TypeError):
        return None
    return passed.total_seconds() / 86_400


def _brief(value: object) -> str:
    text = "not set" if value is None or value == {} else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
