"""What ``orchestrator init`` puts into a folder: experiments.toml, the samples, and what belongs beside them.

A wheel carries these files inside the package, in ``orchestrator/template``; a checkout has them at its top
level.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import orchestrator
from orchestrator.config.schema import schema_text
from orchestrator.errors import ConfigError, ConfigProblem

TEMPLATE_NAMES = (
    "experiments.toml",
    "samples/jfk.wav",
    "samples/jfk.txt",
    "samples/phone-en.wav",
    "samples/phone-en.txt",
    "samples/samples.json",
    "models/README.md",
    "results/README.md",
)
"""Files of a new folder, as paths in it. pyproject.toml puts each of them into the wheel."""

SCHEMA_NAME = "experiments.schema.json"
"""The schema of experiments.toml, which a new folder gets beside it: editors find it by the first line of the file."""

_CHECKOUT_LINE = f"#:schema docs/{SCHEMA_NAME}\n".encode()
_OWN_LINE = f"#:schema ./{SCHEMA_NAME}\n".encode()


@dataclass(frozen=True)
class NewFolder:
    """What came of it: paths in the new folder."""

    written: list[str] = field(default_factory=list[str])
    kept: list[str] = field(default_factory=list[str])
    """Files that were there already and have not been touched."""


def template_files() -> Mapping[str, Path]:
    """Return where each of the template's files lies, by its path in the new folder.

    Raises:
        ConfigError: This installation is incomplete.
    """
    package = Path(orchestrator.__file__).parent
    packaged = package / "template"
    source = packaged if packaged.is_dir() else package.parent
    files = {name: source / name for name in TEMPLATE_NAMES}
    missing = [name for name, file in files.items() if not file.is_file()]
    if missing:
        hint = "install the orchestrator again"
        raise ConfigError(
            str(source), [ConfigProblem(name, "missing in this installation", hint) for name in missing]
        )
    return files


def start_folder(folder: Path, *, force: bool = False) -> NewFolder:
    """Write the template's files into ``folder``, which is made if need be.

    Never overwrites: with ``force`` a folder may have files already, and those of the same names stay.

    Raises:
        ConfigError: The folder is not empty and ``force`` is off, or something cannot be written.
    """
    files = template_files()
    started = NewFolder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not force and any(folder.iterdir()):
            hint = "take another folder, or --force to add the files that are not there yet"
            raise ConfigError(str(folder), [ConfigProblem("DIR", "the folder is not empty", hint)])
        for name, file in files.items():
            content = file.read_bytes()
            if content.startswith(_CHECKOUT_LINE):
                content = _OWN_LINE + content.removeprefix(_CHECKOUT_LINE)
            _write(folder / name, name, content, started)
        _write(folder / SCHEMA_NAME, SCHEMA_NAME, schema_text().encode(), started)
    except OSError as error:
        said = f"cannot write {error.filename or folder}: {error.strerror or error}"
        raise ConfigError(str(folder), [ConfigProblem("DIR", said, "take another folder")]) from error
    return started


def _write(target: Path, name: str, content: bytes, started: NewFolder) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with target.open("xb") as stream:
            stream.write(content)
    except FileExistsError:
        started.kept.append(name)
    else:
        started.written.append(name)
