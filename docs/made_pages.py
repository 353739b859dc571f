"""Parts of the reference that are made while the site is built: the command line and the keys of experiments.toml.

A page has ``<!-- made: NAME -->`` where such a part goes. What they say is the help of the commands and the
descriptions of the schema, so that there is one place where each is written. (Typer carries a Click of its own, which
Sphinx's extension for Click does not know.) Links to a folder of ``examples/``, right on a forge, lead to the page
that shows its files. Links to a file of ``reports/`` open it as it is, beside the pages, instead of downloading it.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer.main
from sphinx.application import Sphinx

from orchestrator.cli.app import app
from orchestrator.config.schema import json_schema

_EXAMPLE = re.compile(r"\]\((?:\.\./)+examples/(\w+)/?\)")
_REPORT = re.compile(r"\[([^\]]+)\]\((reports/\w+\.\w+)\)")
_MARK = re.compile(r"<!-- made: (\w+) -->")
_TABLES = {
    "ExperimentsFile": "",
    "RunDefaults": "defaults",
    "ProfileConfig": "profiles.PROFILE",
    "ModelConfig": "profiles.PROFILE.models.NAME",
    "SampleConfig": "profiles.PROFILE.samples.NAME",
    "ExperimentConfig": "experiment",
    "StepConfig": "experiment.steps",
    "VariantConfig": "experiment.variants.NAME",
    "RecycleConfig": "recycle",
    "GateConfig": "gate",
    "ServeConfig": "serve",
    "ServeKey": "serve.keys.NAME",
}
"""Types of the schema by the table each describes; the two of arrays have double brackets."""
_ARRAYS = ("experiment", "experiment.steps")


def setup(sphinx: Sphinx) -> dict[str, bool]:
    """Register with Sphinx: each page is looked through as it is read."""
    sphinx.connect("source-read", _put_in)
    sphinx.connect("build-finished", _copy_reports)
    return {"parallel_read_safe": True}


def commands() -> str:
    """Return every command with its arguments and options, as its ``--help`` has them."""
    return "\n".join(line for name in command_names() for line in _command(name))


def command_names() -> list[str]:
    """Return the commands, in the order of ``orchestrator --help``."""
    return list(_root().commands)


def configuration() -> str:
    """Return the keys of experiments.toml, those outside any table first."""
    schema = json_schema()
    definitions = schema["$defs"] | {"ExperimentsFile": schema}
    return "\n".join(line for name in _TABLES for line in _table(name, definitions[name]))


_PARTS: dict[str, Callable[[], str]] = {"commands": commands, "configuration": configuration}


def _put_in(_sphinx: Sphinx, _page: str, source: list[str]) -> None:
    linked = _EXAMPLE.sub(r"](/howto/examples.md#\1)", source[0])
    linked = _REPORT.sub(r'<a href="\2">\1</a>', linked)
    source[0] = _MARK.sub(lambda mark: _PARTS[mark[1]](), linked)


def _copy_reports(sphinx: Sphinx, failed: Exception | None) -> None:
    if failed is None and sphinx.builder.format == "html":
        shutil.copytree(Path(sphinx.srcdir) / "reports", Path(sphinx.outdir) / "reports", dirs_exist_ok=True)


def _root() -> Any:
    return typer.main.get_command(app)


def _command(name: str) -> Iterator[str]:
    command = _root().commands[name]
    context = command.make_context(name, [], resilient_parsing=True)
    usage = " ".join(command.collect_usage_pieces(context))
    yield from (f"## `orchestrator {name}`", "", f"`orchestrator {name} {usage}`", "")
    yield from (_sentences(command.help), "")
    records = [record for record in (each.get_help_record(context) for each in command.params) if record]
    if records:
        yield from ("| | |", "| --- | --- |")
        yield from (f"| {_code(how)} | {_cell(what)} |" for how, what in records)
        yield ""


def _table(name: str, definition: dict[str, Any]) -> Iterator[str]:
    table = _TABLES[name]
    heading = f"`[[{table}]]`" if table in _ARRAYS else f"`[{table}]`" if table else "Outside any table"
    yield from (f"## {heading}", "")
    yield from (_sentences(definition["description"]), "")
    needed = definition.get("required", ())
    yield from ("| key | value | |", "| --- | --- | --- |")
    for key, value in definition["properties"].items():
        must = "**needed**; " if key in needed else ""
        yield f"| `{key}` | {_cell(_kind(value))} | {must}{_cell(value.get('description', ''))} |"
    yield ""


def _kind(value: dict[str, Any]) -> str:
    """Return in a word or two what a key takes."""
    if "$ref" in value:
        return "table"
    if "enum" in value:
        return " or ".join(f"`{json.dumps(each)}`" for each in value["enum"])
    if "anyOf" in value:
        return " or ".join(dict.fromkeys(_kind(each) for each in value["anyOf"]))
    kind: str = value.get("type", "any value")
    return {"object": "table", "array": "list", "string": "text", "boolean": "true or false"}.get(kind, kind)


def _sentences(text: str | None) -> str:
    """Return a docstring as Markdown: code has one backtick there, and a line break means nothing."""
    plain = re.sub(r"``([^`]*)``", r"`\1`", text or "")
    return "\n\n".join(" ".join(part.split()) for part in re.split(r"\n\s*\n|\f|\x08", plain))


def _code(text: str) -> str:
    return f"`{text}`".replace("|", "\\|")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")
