"""Where the numbers come from: host, system, versions, threads, allocator, swap, files, configuration. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

from orchestrator.report.html.content import ReportContent
from orchestrator.report.html.markup import Html, bullets, element, facts, folded, joined, table, text

_GIB = 1024.0**3
_HASH_SHOWN = 16
_STARTS = {
    "exec": "exec: each a new interpreter",
    "fork": "fork: copied from a fork server",
    "warm": "warm: copied from a template with its model loaded",
}


def provenance_part(content: ReportContent) -> Html:
    """Return the section; what a manifest of another version does not have is left out."""
    known = content.facts
    host = dict(mapping(known.get("host")))
    environment = mapping(host.pop("environment", None))
    packages = mapping(known.get("packages"))
    run: dict[str, Any] = {
        "run": content.run_id,
        "began": content.created_at,
        "state": content.state,
        "made by": f"orchestrator {content.tool_version}",
        "profile": content.profile_reason,
        "heap channel": known.get("heap") or _heap(content),
        "worker processes": "; ".join(_STARTS.get(each, each) for each in content.worker_starts)
        or "not known",
        "schema": known.get("schema"),
    }
    parts = [
        facts(run),
        element("h3", text("Host")),
        facts({_words(key): _value(key, value) for key, value in host.items()}),
        element("h3", text("Allocator and thread environment")),
        facts(environment)
        if environment
        else element("p", text("None of the variables that matter is set.")),
        element("h3", text("Threads")),
        _threads(content),
        element("h3", text("Versions")),
        facts({name: version or "not installed" for name, version in packages.items()}),
        element("h3", text("Samples")),
        _samples(_rows(known.get("samples"))),
        element("h3", text("Files")),
        _files(_rows(known.get("files"))),
        *_warnings(known.get("warnings")),
        folded("Effective configuration (JSON)", _json(known.get("plan"))),
        folded("Manifest (JSON)", _json({key: value for key, value in known.items() if key != "plan"})),
    ]
    whole = folded("Host, versions, threads, samples, files and configuration", joined(parts))
    return element(
        "section", joined([element("h2", text("Machine and provenance")), whole]), id_="provenance"
    )


def _heap(content: ReportContent) -> str:
    judged = [each.judgement for one in content.experiments for each in one.series if each.points]
    reasons = sorted({each.heap_off for each in judged if each.heap_off})
    if reasons:
        return f"off: {', '.join(reasons)}"
    return "on" if any(each.heap_rate_mb_per_iteration is not None for each in judged) else "not known"


def _threads(content: ReportContent) -> Html:
    models = {step.model.name: step.model for one in content.experiments for step in one.experiment.steps}
    rows = [
        [
            text(role),
            text(model.label),
            text(model.engine),
            text("the engine's own choice" if model.threads is None else model.threads),
            text(model.context_length),
            text(model.threads_note or None),
        ]
        for role, model in models.items()
    ]
    return table(["Model", "Label", "Engine", "Threads", "Context", "Note"], rows)


def _samples(samples: Sequence[Mapping[str, Any]]) -> Html:
    rows = [
        [
            text(sample.get("name")),
            text(sample.get("audio")),
            text(f"{sample.get('seconds', 0):.2f}"),
            text(sample.get("state")),
            text(sample.get("conversion") or "none"),
            _hash(sample.get("sha256")),
        ]
        for sample in samples
    ]
    return table(["Sample", "Audio", "Seconds", "State", "Conversion", "SHA-256 of the PCM"], rows)


def _files(files: Sequence[Mapping[str, Any]]) -> Html:
    headings = [key for key in files[0] if key != "path"] if files else []
    rows = [
        [
            text(file.get("path")),
            *(_hash(file.get(key)) if key == "sha256" else text(file.get(key)) for key in headings),
        ]
        for file in files
    ]
    return table(["File", *(_words(key) for key in headings)], rows)


def _hash(value: object) -> Html:
    if value is None:
        return text(None)
    return element("code", text(str(value)[:_HASH_SHOWN] + "…"), title=str(value))


def _warnings(found: object) -> list[Html]:
    warnings = [str(each) for each in cast("list[object]", found)] if isinstance(found, list) else []
    return [element("h3", text("Warnings")), bullets(warnings)] if warnings else []


def _value(key: str, value: object) -> object:
    if key.endswith("_bytes") and isinstance(value, int):
        return f"{value / _GIB:.2f} GiB" if value >= _GIB / 100 else f"{value} bytes"
    return "not known" if value is None else value


def _words(key: str) -> str:
    return key.removesuffix("_bytes").replace("_", " ")


def _json(value: object) -> Html:
    return element("pre", text(msgspec.json.format(msgspec.json.encode(value)).decode()))


def mapping(value: object) -> Mapping[str, Any]:
    """Return ``value`` where it is a mapping, else an empty one: a manifest may be of another version, or damaged."""
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _rows(value: object) -> list[Mapping[str, Any]]:
    if not isinstance(value, list):
        return []
    return [mapping(row) for row in cast("list[object]", value)]
