"""Which recordings a batch works on: files, folders, globs, a list of paths, or a manifest with more than paths.

Every input gets a *name*, the path of its output below the output folder without the ending: inside a folder
that was given it is the path from there, for a single file its stem. The order is that of the arguments, folders
sorted.
"""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from orchestrator.audio import url_in, url_problem
from orchestrator.batch.manifest import Input, manifest_inputs, read_bytes
from orchestrator.batch.names import free_name, stem_of
from orchestrator.errors import ConfigError, ConfigProblem

_SOUND = (
    "aac ac3 aif aifc aiff amr ape au caf flac m4a m4b mka mp2 mp3 oga ogg opus ra tta w64 wav weba wma wv"
)
_VIDEO = "3gp avi flv m2ts m4v mkv mov mp4 mpeg mpg mts ogv ts vob webm wmv"
MEDIA_ENDINGS = frozenset(_SOUND.split()) | frozenset(_VIDEO.split())
"""What is taken from a folder; a file that is named is taken whatever its ending."""


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
        found += [Input(path, stem_of(path)) for path in _listed(list_file, problems)]
    if manifest is not None:
        found += manifest_inputs(manifest, problems)
    if problems:
        raise ConfigError("inputs", problems)
    return _distinct(found)


def _of_argument(argument: str, problems: list[ConfigProblem]) -> Iterator[Input]:
    if url := url_in(argument):
        problems.append(ConfigProblem(url, *url_problem(url)))
        return
    path = Path(argument)
    if path.is_dir():
        inside = sorted(_media_below(path, problems))
        if not inside:
            problems.append(
                ConfigProblem(argument, "no recordings in this folder", "name files, or give a glob")
            )
        for each in inside:
            yield Input(each, str(PurePosixPath(each.relative_to(path).with_suffix(""))))
    elif path.exists() or not glob.has_magic(argument):
        yield Input(path, stem_of(path))
    else:
        # glob.glob, because Path.glob refuses absolute patterns.
        everything = glob.glob(argument, recursive=True)  # noqa: PTH207
        # By depth: of the ways to a file through links to folders, the shortest is kept.
        files = (Path(match) for match in everything if Path(match).is_file())
        matches = sorted(files, key=lambda path: (len(path.parts), path))
        if not matches:
            problems.append(ConfigProblem(argument, "nothing matches this pattern"))
        for match in matches:
            yield Input(match, stem_of(match))


def _media_below(folder: Path, problems: list[ConfigProblem]) -> Iterator[Path]:
    """Yield the recordings of a folder at any depth; hidden ones and links to folders are left alone."""

    def unreadable(error: OSError) -> None:
        reason = error.strerror or str(error)
        problems.append(
            ConfigProblem(str(error.filename), reason, "make it readable, or name files or a glob")
        )

    for where, folders, files in os.walk(folder, onerror=unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            path = Path(where, name)
            wanted = path.suffix.lower().removeprefix(".") in MEDIA_ENDINGS and not name.startswith(".")
            if wanted and path.is_file():
                yield path


def _listed(list_file: Path, problems: list[ConfigProblem]) -> Iterator[Path]:
    """Yield the paths of a list; names may hold any bytes, as ``find`` prints them."""
    content = sys.stdin.buffer.read() if str(list_file) == "-" else read_bytes(list_file)
    for number, raw in enumerate(content.decode("utf-8-sig", "surrogateescape").split("\n"), 1):
        line = raw.strip()
        if "\0" in line:
            problems.append(
                ConfigProblem(f"{list_file} line {number}", "has a zero byte in it", "one path a line")
            )
        elif url := url_in(line):
            problems.append(ConfigProblem(f"{list_file} line {number}: {url}", *url_problem(url)))
        elif line and not line.startswith("#"):
            yield Path(line)


def _distinct(found: Iterable[Input]) -> list[Input]:
    """Drop repeated recordings, by whatever way they were reached, and give the others names that differ."""
    folders: dict[Path, str] = {}
    kept: dict[Path, Input] = {}
    names: set[str] = set()
    for each in found:
        parent = each.path.parent
        if (
            parent not in folders
        ):  # a link to a recording is one of its own, a link to a folder is no new folder
            folders[parent] = os.path.realpath(parent)
        path = Path(folders[parent], each.path.name)
        if path in kept:
            continue
        name = free_name(each.name, path, names)
        names.add(name.casefold())
        kept[path] = Input(path, name, each.language, each.text)
    return list(kept.values())
