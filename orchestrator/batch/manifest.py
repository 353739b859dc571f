"""A manifest: recordings with more than their paths, as JSON Lines, CSV or TSV. And what an input is."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from orchestrator.audio import url_in, url_problem
from orchestrator.batch.names import stem_of
from orchestrator.errors import ConfigError, ConfigProblem
from orchestrator.files.untrusted import UNREADABLE

KEYS = ("audio", "output", "language", "text")


@dataclass(frozen=True, slots=True)
class Input:
    """One recording. With ``text``, it is aligned and not transcribed."""

    path: Path
    name: str
    language: str | None = None
    text: str | None = None


def manifest_inputs(manifest: Path, problems: list[ConfigProblem]) -> Iterator[Input]:
    """Yield a manifest's recordings; what is wrong with its lines goes to ``problems``.

    Raises:
        ConfigError: It cannot be read at all.
    """
    text = _text_of(manifest)
    rows = _csv_rows(text) if manifest.suffix.lower() in {".csv", ".tsv"} else _json_rows(text)
    for number, row in rows:
        wrong = row if isinstance(row, ConfigProblem) else _problem_of(row)
        if wrong is not None:
            problems.append(ConfigProblem(f"{manifest} line {number}", wrong.problem, wrong.hint))
        elif isinstance(row, dict):
            path = manifest.parent / row["audio"]
            name = row.get("output") or stem_of(path)
            yield Input(path, name, row.get("language") or None, row.get("text") or None)


def read_bytes(file: Path) -> bytes:
    """Return what a list or a manifest holds.

    Raises:
        ConfigError: It cannot be read.
    """
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigError(str(file), [ConfigProblem("file", error.strerror or str(error))]) from None


def _text_of(file: Path) -> str:
    try:
        return read_bytes(file).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(str(file), [ConfigProblem("file", f"is not UTF-8: {error.reason}")]) from None


def _problem_of(row: dict[str, Any]) -> ConfigProblem | None:
    if isinstance(audio := row.get("audio"), str) and (url := url_in(audio)):
        problem, hint = url_problem(url)
        return ConfigProblem("", f"{url} {problem}", hint)
    unknown = [key for key in row if key not in KEYS]
    if unknown:
        return ConfigProblem("", f"unknown key {unknown[0]!r}", f"known: {', '.join(KEYS)}")
    if not row.get("audio"):
        return ConfigProblem("", "has no 'audio'")
    for key, value in row.items():
        if value is not None and not isinstance(value, str):
            return ConfigProblem("", f"{key!r} is {value!r}, not text")
    if "\0" in row["audio"]:
        return ConfigProblem("", "'audio' has a zero byte in it")
    return None


def _json_rows(text: str) -> Iterator[tuple[int, dict[str, Any] | ConfigProblem]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            yield number, msgspec.json.decode(line, type=dict[str, Any])
        except UNREADABLE as error:
            yield number, ConfigProblem("", f"is no JSON object: {error}")


def _csv_rows(text: str) -> Iterator[tuple[int, dict[str, Any] | ConfigProblem]]:
    dialect = csv.excel_tab if "\t" in text.split("\n", 1)[0] else csv.excel
    reader = csv.DictReader(io.StringIO(text, newline=""), dialect=dialect)
    try:
        for row in reader:
            if None in row:
                yield reader.line_num, ConfigProblem("", "has more columns than the first line names")
            else:
                yield reader.line_num, dict(row)
    except csv.Error as error:
        yield reader.line_num, ConfigProblem("", f"cannot be read: {error}")
