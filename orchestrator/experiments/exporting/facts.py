"""What a run is, as it is handed on with its numbers: host, versions, state; nobody's folders are in it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any, cast

from orchestrator.experiments.results.results_config import HOST_SUMMARY, without_folders
from orchestrator.experiments.results.results_file import Results as ResultFile
from orchestrator.experiments.storage.manifest import Manifest

_BETWEEN_PATHS = re.compile(r"([:;\s]+)")
_LISTS_OF_FOLDERS = ("LD_LIBRARY_PATH",)


def facts_of_run(manifest: Manifest) -> dict[str, Any]:
    """Return the facts of a run, as built-in types that JSON can hold. Files in them are base names."""
    return {
        "run_id": manifest.run_id,
        "created_at": manifest.created_at,
        "state": manifest.state,
        "profile": manifest.profile,
        "profile_reason": without_folders(manifest.profile_reason),
        "tool_version": manifest.tool_version,
        "heap_source": manifest.heap,
        "host": _host(manifest.host),
        "packages": _texts(manifest.packages),
        "warnings": [without_folders(each) for each in manifest.warnings],
    }


def facts_of_file(results: ResultFile) -> dict[str, Any]:
    """Return the same of a result file by itself; a file does not tell the state of its run.

    A file comes from elsewhere: what is not of the kind that we write there is None, or left out.
    """
    config: Mapping[str, Any] = results.config
    reason = _text(config.get("profile_reason"))
    warnings = config.get("warnings")
    return {
        "run_id": _text(config.get("run_id")),
        "created_at": _text(config.get("created_at")),
        "state": None,
        "profile": results.profile,
        "profile_reason": None if reason is None else without_folders(reason),
        "tool_version": _text(config.get("tool_version")),
        "heap_source": _text(config.get("heap_source")),
        "host": _host(config.get("host")),
        "packages": _texts(config.get("packages")),
        "warnings": [
            without_folders(each)
            for each in (cast("Sequence[object]", warnings) if isinstance(warnings, list) else ())
            if isinstance(each, str)
        ],
    }


def _host(said: object) -> dict[str, Any]:
    """Return the summary of a host: texts and numbers, and the environment without anybody's folders."""
    known = _mapping(said)
    facts = {key: value for key in HOST_SUMMARY if isinstance(value := known.get(key), str | int | float)}
    environment = {name: _variable(name, value) for name, value in _texts(known.get("environment")).items()}
    return {key: environment if key == "environment" else facts.get(key) for key in HOST_SUMMARY}


def _variable(name: str, value: str) -> str:
    """Return the value of a variable with base names for paths; of a list of folders, how many there are."""
    if name in _LISTS_OF_FOLDERS:
        count = len([each for each in re.split("[:;]", value) if each])
        return f"{count} folder{'' if count == 1 else 's'}"
    parts = _BETWEEN_PATHS.split(value)
    return "".join(PurePath(part).name if "/" in part else part for part in parts)


def _mapping(said: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", said) if isinstance(said, Mapping) else {}


def _texts(said: object) -> dict[str, str]:
    return {key: value for key, value in _mapping(said).items() if isinstance(value, str) and value}


def _text(said: object) -> str | None:
    return said if isinstance(said, str) else None
