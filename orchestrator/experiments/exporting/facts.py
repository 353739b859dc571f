"""What a run is, as it is handed on with its numbers: host, versions, state; nobody's folders are in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.experiments.results.results_config import HOST_SUMMARY
from orchestrator.experiments.results.results_file import Results as ResultFile
from orchestrator.experiments.storage.manifest import Manifest


def facts_of_run(manifest: Manifest) -> dict[str, Any]:
    """Return the facts of a run, as built-in types that JSON can hold."""
    return {
        "run_id": manifest.run_id,
        "created_at": manifest.created_at,
        "state": manifest.state,
        "profile": manifest.profile,
        "profile_reason": manifest.profile_reason,
        "tool_version": manifest.tool_version,
        "heap_source": manifest.heap,
        "host": {key: manifest.host.get(key) for key in HOST_SUMMARY},
        "packages": {name: version for name, version in manifest.packages.items() if version},
        "warnings": list(manifest.warnings),
    }


def facts_of_file(results: ResultFile) -> dict[str, Any]:
    """Return the same of a result file by itself; a file does not tell the state of its run."""
    config: Mapping[str, Any] = results.config
    same = (
        "run_id",
        "created_at",
        "profile_reason",
        "tool_version",
        "heap_source",
        "host",
        "packages",
        "warnings",
    )
    return {"state": None, "profile": results.profile, **{key: config.get(key) for key in same}}
