"""Which profile a run takes, and one sentence that says why.

``auto`` takes ``qwen3`` when its native library and all its model files are there, else ``embedded``, whose
engines pip installs with their weights. Whether those are installed is not asked here: the availability check
speaks about that, with the command that installs them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from orchestrator.config.checks import AUTO
from orchestrator.config.types import ExperimentsFile, ModelConfig, ProfileConfig
from orchestrator.config.wording import excerpt, name_hint
from orchestrator.errors import ConfigError, ConfigProblem

PREFERRED = "qwen3"
FALLBACK = "embedded"
LIBRARY_VARIABLE = "CHATLLM_LIB"
LIBRARY_BESIDE_THE_FILE = "chatllm.cpp/bindings/libchatllm.so"
_ENGINE_WITH_A_LIBRARY = "chatllm"


def choose_profile(
    file: ExperimentsFile,
    path: Path | str,
    requested: str,
    *,
    environ: Mapping[str, str],
    exists: Callable[[str], bool] = os.path.exists,
) -> tuple[str, str]:
    """Return the profile's name and the reason, ``"embedded: qwen3 lacks 3 model files"``.

    ``path`` is the experiments.toml, ``requested`` a profile's name or ``auto``, ``exists`` answers for
    absolute paths.

    Raises:
        ConfigError: There is no such profile, or none at all.
    """
    names = list(file.profiles)
    if not names:
        problem = ConfigProblem("$.profiles", "there is no profile", "add [profiles.NAME.models.ROLE] tables")
        raise ConfigError(str(path), [problem])
    if requested != AUTO:
        if requested not in names:
            said = f"there is no profile {excerpt(requested)}"
            raise ConfigError(
                str(path), [ConfigProblem("--profile", said, name_hint(requested, [AUTO, *names]))]
            )
        return requested, f"{requested}: asked for"
    if len(names) == 1:
        return names[0], f"{names[0]}: the only profile"
    if PREFERRED not in names:
        name = FALLBACK if FALLBACK in names else names[0]
        return name, f"{name}: there is no profile {PREFERRED}"
    profile = file.profiles[PREFERRED]
    lacking = _lacking(profile, folder_of(path), environ, exists)
    if lacking:
        name = FALLBACK if FALLBACK in names else next(name for name in names if name != PREFERRED)
        return name, f"{name}: {PREFERRED} lacks {lacking}"
    count = len(_model_files(profile, folder_of(path)))
    return PREFERRED, f"{PREFERRED}: the library and {_counted(count, 'model file')} are there"


def folder_of(path: Path | str) -> Path:
    """Return the absolute folder from which relative paths in the file at ``path`` count."""
    return Path(os.path.abspath(path)).parent  # noqa: PTH100 - Path.absolute() would keep ".."


def absolute(folder: Path, path: str) -> str:
    """Return ``path`` as an absolute one, relative ones counted from ``folder``. Links are not followed."""
    return os.path.normpath(folder / path)


def library_of(model: ModelConfig, folder: Path, environ: Mapping[str, str]) -> str | None:
    """Return the absolute path of the native library: CHATLLM_LIB, the ``library`` key, the usual place.

    Only ``chatllm`` has a variable and a usual place; other engines have what the file says. The variable's
    value counts from the working directory, as paths in variables do.
    """
    if model.engine == _ENGINE_WITH_A_LIBRARY:
        if said := environ.get(LIBRARY_VARIABLE, "").strip():
            return os.path.abspath(said)  # noqa: PTH100
        return absolute(folder, model.library or LIBRARY_BESIDE_THE_FILE)
    return absolute(folder, model.library) if model.library else None


def _lacking(
    profile: ProfileConfig, folder: Path, environ: Mapping[str, str], exists: Callable[[str], bool]
) -> str:
    """Return what the profile lacks, or nothing."""
    found = [library_of(model, folder, environ) for model in profile.models.values()]
    libraries = dict.fromkeys(library for library in found if library)
    parts = [_shown(library, folder) for library in libraries if not exists(library)]
    missing = [file for file in _model_files(profile, folder) if not exists(file)]
    if len(missing) == 1:
        parts.append(_shown(missing[0], folder))
    elif missing:
        parts.append(f"{len(missing)} model files")
    if not profile.models:
        parts.append("models")
    return " and ".join(parts)


def _model_files(profile: ProfileConfig, folder: Path) -> list[str]:
    return list(
        dict.fromkeys(absolute(folder, model.file) for model in profile.models.values() if model.file)
    )


def _shown(path: str, folder: Path) -> str:
    inside = Path(path).is_relative_to(folder)
    return str(Path(path).relative_to(folder)) if inside else path


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
