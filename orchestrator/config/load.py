"""Read a file from disk and return a checked ``ExperimentsFile``, or raise with everything that is wrong with it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from orchestrator.config.checks import problems_of_meaning
from orchestrator.config.engine_names import engine_names
from orchestrator.config.types import SCHEMA_VERSION, ExperimentsFile
from orchestrator.config.walk import problems_of_shape
from orchestrator.config.wording import excerpt
from orchestrator.errors import ConfigError, ConfigProblem, reason_of
from orchestrator.files.reading import read_named

_PLACE = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)$")


def load_file(path: Path | str, *, waits: bool = True) -> ExperimentsFile:
    """Read, check and decode an experiments.toml.

    Looks at nothing but this file and the names of installed engines; model files and samples may be missing.

    Args:
        path: The file, or a pipe, which is read to its end.
        waits: For the writer of a named pipe; otherwise a pipe without one is an empty file.

    Raises:
        ConfigError: With every problem of shape and of meaning, or the one reason why it cannot be read.
    """
    document = _decode(_read(Path(path), waits=waits), str(path))
    if problem := _other_schema(document):
        raise ConfigError(str(path), [problem])
    problems = [*problems_of_shape(document), *problems_of_meaning(document, engine_names())]
    if problems:
        raise ConfigError(str(path), problems)
    try:
        return msgspec.convert(document, ExperimentsFile)
    except msgspec.ValidationError as error:  # the walk should have said it, and better
        raise ConfigError(str(path), [ConfigProblem("$", str(error))]) from error


def _read(path: Path, *, waits: bool) -> str:
    try:
        return read_named(path, waits=waits).decode("utf-8-sig")
    except FileNotFoundError:
        hint = "give its path, or make one with `orchestrator init`"
        problem = ConfigProblem("$", "there is no such file", hint)
    except IsADirectoryError:
        problem = ConfigProblem(
            "$", "this is a folder", f"give the file in it, e.g. {path / 'experiments.toml'}"
        )
    except UnicodeDecodeError as error:
        said = f"not UTF-8: byte {error.object[error.start]:#04x} at offset {error.start}"
        problem = ConfigProblem("$", said, "save it as UTF-8")
    except (OSError, ValueError) as error:
        problem = ConfigProblem("$", f"cannot be read: {reason_of(error)}")
    raise ConfigError(str(path), [problem])


def _decode(text: str, file: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        problem = ConfigProblem("$", "nested too deeply")
    except ValueError as error:  # TOMLDecodeError is one; numbers of thousands of digits are plain ones
        message = str(error)
        place = _PLACE.search(message)
        said = f"not TOML: {_PLACE.sub('', message)}"
        problem = ConfigProblem(_line_and_column(place, text), said)
    raise ConfigError(file, [problem])


def _line_and_column(place: re.Match[str] | None, text: str) -> str:
    if place is None:
        return "$"
    if place[1] is not None:
        return f"line {place[1]}, column {place[2]}"
    lines = text.split("\n")
    return f"line {len(lines)}, column {len(lines[-1]) + 1}"


def _other_schema(document: dict[str, Any]) -> ConfigProblem | None:
    """Report another version of the format, and nothing else: all other checks follow the rules of this one."""
    schema = document.get("schema", SCHEMA_VERSION)
    if not isinstance(schema, int) or isinstance(schema, bool) or schema == SCHEMA_VERSION:
        return None
    said = f"schema {excerpt(schema)} is not known here; this version reads schema {SCHEMA_VERSION}"
    hint = "write the file for schema 1, or install a newer orchestrator"
    return ConfigProblem("$.schema", said, hint)
