"""Which recordings a batch works on: files, folders, globs, a list of paths, or a manifest with more than paths.

Every input gets a *name*, the path of its output below the output folder without the ending: inside a folder
that was given it is the path from there, for a single file its stem. The order is that of the arguments, folders
sorted.
"""

from __future__ import annotations

import csv
import glob
import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from orchestrator.errors import ConfigError, ConfigProblem

MEDIA_ENDINGS = frozenset(
    {
        "3gp",
        "aac",
        "ac3",
        "aif",
        "aifc",
        "aiff",
        "amr",
        "ape",
        "au",
        "avi",
        "caf",
        "flac",
        "flv",
        "m2ts",
        "m4a",
        "m4b",
    }
    | {
        "m4v",
        "mka",
        "mkv",
        "mov",
        "mp2",
        "mp3",
        "mp4",
        "mpeg",
        "mpg",
        "mts",
        "oga",
        "ogg",
        "ogv",
        "opus",
        "ra",
        "ts",
    }
    | {"tta", "vob", "w64", "wav", "weba", "webm", "wma", "wmv", "wv"}
)
"""What is taken from a folder; a file that is named is taken whatever its ending."""
MANIFEST_KEYS = ("audio", "output", "language", "text")


@dataclass(frozen=True, slots=True)
class Input:
    """One recording. With ``text``, that is aligned and nothing is recognised."""

    path: Path
    name: str
    language: str | None = None
    text: str | None = None


def find_inputs(
    arguments: Sequence[str], *, list_file: Path | None = None, manifest: Path | None = None
) -> list[Input]:
    """Return the recordings, each once, with names that differ.

    Args:
        arguments: Files, folders and globs (``**`` for any depth).
        list_file: One path a line; ``-`` is stdin. Relative paths count from the working directory.
        manifest: JSON Lines or CSV with the column ``audio`` and, if wanted, ``output``, ``language`` and ``text``.
            Relative paths count from the manifest.

    Raises:
        ConfigError: Something is missing or cannot be read; all such problems at once.
    """
    problems: list[ConfigProblem] = []
    found: list[Input] = []
    for argument in arguments:
        found += _of_argument(argument, problems)
    if list_file is not None:
        found += [Input(Path(line), _stem(Path(line))) for line in _lines(list_file)]
    if manifest is not None:
        found += _of_manifest(manifest, problems)
    if problems:
        raise ConfigError("inputs", problems)
    return _distinct(found)


def _of_argument(argument: str, problems: list[ConfigProblem]) -> Iterator[Input]:
    path = Path(argument)
    if path.is_dir():
        inside = sorted(each for each in path.rglob("*") if _is_media(each, path))
        if not inside:
            problems.append(
                ConfigProblem(argument, "no recordings in this folder", "name files, or give a glob")
            )
        for each in inside:
            yield Input(each, str(PurePosixPath(each.relative_to(path).with_suffix(""))))
    elif path.exists() or not glob.has_magic(argument):
        yield Input(path, _stem(path))
    else:
        # glob.glob, because Path.glob refuses absolute patterns.
        everything = glob.glob(argument, recursive=True)  # noqa: PTH207
        matches = sorted(Path(match) for match in everything if Path(match).is_file())
        if not matches:
            problems.append(ConfigProblem(argument, "nothing matches this pattern"))
        for match in matches:
            yield Input(match, _stem(match))


def _is_media(path: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return not hidden and path.suffix.lower().removeprefix(".") in MEDIA_ENDINGS and path.is_file()


def _stem(path: Path) -> str:
    return path.stem or path.name


def _lines(list_file: Path) -> list[str]:
    text = sys.stdin.read() if str(list_file) == "-" else _read(list_file)
    return [line for raw in text.splitlines() if (line := raw.strip()) and not line.startswith("#")]


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(str(file), [ConfigProblem("file", error.strerror or str(error))]) from None
    except UnicodeDecodeError as error:
        raise ConfigError(str(file), [ConfigProblem("file", f"is not UTF-8: {error.reason}")]) from None


def _of_manifest(manifest: Path, problems: list[ConfigProblem]) -> Iterator[Input]:
    text = _read(manifest)
    rows = _csv_rows(text) if manifest.suffix.lower() in {".csv", ".tsv"} else _json_rows(text, problems)
    for where, row in rows:
        wrong = [key for key in row if key not in MANIFEST_KEYS]
        audio = row.get("audio")
        if wrong:
            problems.append(
                ConfigProblem(where, f"unknown key {wrong[0]!r}", f"known: {', '.join(MANIFEST_KEYS)}")
            )
        elif not isinstance(audio, str) or not audio:
            problems.append(ConfigProblem(where, "has no 'audio'"))
        else:
            yield _of_row(manifest.parent / audio, row)


def _of_row(path: Path, row: dict[str, Any]) -> Input:
    name = row.get("output") or _stem(path)
    return Input(path, str(name), row.get("language") or None, row.get("text") or None)


def _json_rows(text: str, problems: list[ConfigProblem]) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            yield f"line {number}", msgspec.json.decode(line, type=dict[str, Any])
        except msgspec.MsgspecError as error:
            problems.append(ConfigProblem(f"line {number}", f"is no JSON object: {error}"))


def _csv_rows(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    dialect = csv.excel_tab if "\t" in text.split("\n", 1)[0] else csv.excel
    for number, row in enumerate(csv.DictReader(io.StringIO(text), dialect=dialect), 2):
        yield f"line {number}", {str(key): value for key, value in row.items()}


def _distinct(found: Iterable[Input]) -> list[Input]:
    """Drop repeated recordings; of names that repeat, later ones get the file's ending or its folder too."""
    kept: dict[Path, Input] = {}
    names: set[str] = set()
    for each in found:
        path = each.path.absolute()
        if path in kept:
            continue
        name = _inside(each.name)
        parts = (path.name, *path.parts[-2:0:-1])
        depth = 1
        while name.casefold() in names:
            name = "/".join(reversed(parts[:depth])) if depth <= len(parts) else f"{name}-{depth}"
            depth += 1
        names.add(name.casefold())
        kept[path] = Input(path, name, each.language, each.text)
    return list(kept.values())


def _inside(name: str) -> str:
    """Return a name that stays below the output folder."""
    parts = [part for part in PurePosixPath(name).parts if part not in {"/", "..", "."}]
    return "/".join(parts) or "unnamed"
