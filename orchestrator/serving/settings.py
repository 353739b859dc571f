"""What the table ``[serve]`` of experiments.toml says, checked against the profile, with defaults filled in."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.config.recycle_table import RecycleLimits
from orchestrator.config.serve_table import ServeConfig
from orchestrator.config.sizes import parse_size
from orchestrator.config.wording import name_hint
from orchestrator.errors import ConfigError, ConfigProblem
from orchestrator.pool.recycling import Recycle
from orchestrator.process.host.cores import default_workers

if TYPE_CHECKING:
    from orchestrator.config.types import ExperimentsFile
    from orchestrator.pool.models import Model
    from orchestrator.text.chinese import ChineseText

KEY_VARIABLE = "ORCHESTRATOR_API_KEY"
WELL_KNOWN = "whisper-1"
"""What clients ask for by habit: the model of requests that name none, unless it is an alias of another."""
FIELD_BYTES = 1 << 20
"""All fields of a form but the recording, together: a long text to align fits."""
ROLES = ("asr-small", "aligner")


@dataclass(frozen=True, slots=True)
class Key:
    """A key that requests may carry. ``name`` is what the log calls it."""

    name: str
    secret: bytes = field(repr=False)
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeSettings:
    """What the server works with. Bytes and seconds; ``aligner`` None: nobody gives words their times."""

    model: str
    aligner: str | None
    aliases: Mapping[str, str]
    workers: int
    memory_budget: int | str | None
    keep_warm: tuple[str, ...]
    recycle: Recycle
    max_queue: int
    max_upload_bytes: int
    max_audio_s: float
    timeout_s: float
    upload_timeout_s: float
    grace_s: float
    max_attempts: int
    chinese: ChineseText
    keys: tuple[Key, ...]

    @property
    def max_requests(self) -> int:
        """Requests that may be there at a time: those at work and those that wait."""
        return self.workers + self.max_queue


def settings_of(
    file: ExperimentsFile, config: Path, models: Sequence[Model], environ: Mapping[str, str]
) -> ServeSettings:
    """Return the settings of a file for the models of its profile. ``config`` is where it was read.

    Raises:
        ConfigError: All that is wrong with ``[serve]``.
    """
    said = file.serve or ServeConfig()
    names = [model.name for model in models]
    keys, problems = _keys(said, environ)
    problems += _unknown_names(said, names)
    if not names:
        problems.append(ConfigProblem("$.profiles", "the profile has no models: nothing could be served"))
    if problems:
        raise ConfigError(str(config), problems)
    return ServeSettings(
        model=said.model or (ROLES[0] if ROLES[0] in names else names[0]),
        aligner=said.aligner or (ROLES[1] if ROLES[1] in names else None),
        aliases=dict(said.aliases),
        workers=said.workers or default_workers(),
        memory_budget=said.memory_budget,
        keep_warm=tuple(dict.fromkeys(said.keep_warm)),
        recycle=_recycle(file.recycle, said, names),
        max_queue=said.max_queue,
        max_upload_bytes=parse_size(said.max_upload),
        max_audio_s=said.max_audio_s,
        timeout_s=said.timeout_s,
        upload_timeout_s=said.upload_timeout_s,
        grace_s=said.grace_s,
        max_attempts=said.max_attempts,
        chinese=said.chinese,
        keys=keys,
    )


def _keys(said: ServeConfig, environ: Mapping[str, str]) -> tuple[tuple[Key, ...], list[ConfigProblem]]:
    found: list[Key] = []
    problems: list[ConfigProblem] = []
    if usual := _secret(environ, KEY_VARIABLE):
        found.append(Key("default", usual))
    for name, key in said.keys.items():
        secret = _secret(environ, key.variable)
        if secret:
            found.append(Key(name, secret, key.priority))
        else:
            problems.append(
                ConfigProblem(
                    f"$.serve.keys.{name}.variable",
                    f"the environment variable {key.variable} is not set",
                    "set it to the key before the server starts, or take the table out",
                )
            )
    return tuple(found), problems


def _secret(environ: Mapping[str, str], variable: str) -> bytes:
    """Return a key without the line end that files of secrets have: no header can carry it."""
    return os.fsencode(environ.get(variable, "").strip())


def _unknown_names(said: ServeConfig, names: Sequence[str]) -> list[ConfigProblem]:
    wanted = [("$.serve.model", said.model), ("$.serve.aligner", said.aligner)]
    wanted += [(f"$.serve.aliases.{alias}", name) for alias, name in said.aliases.items()]
    wanted += [(f"$.serve.keep_warm[{number}]", name) for number, name in enumerate(said.keep_warm)]
    return [
        ConfigProblem(path, f"the profile has no model {name!r}", name_hint(name, names))
        for path, name in wanted
        if name is not None and name not in names
    ]


def _recycle(limits: RecycleLimits | None, said: ServeConfig, names: Sequence[str]) -> Recycle:
    """Return when workers are replaced: by the file's ``[recycle]``, else as the pool learns; and when they unload."""
    from dataclasses import replace  # noqa: PLC0415 - beside its one use

    models = getattr(limits, "models", {})
    base = Recycle(auto=True) if limits is None else Recycle.from_config(limits, models)
    if said.unload_after_s is None:
        return base
    own = {
        name: replace(
            base.of(name), models={}, max_idle_s=None if name in said.keep_warm else said.unload_after_s
        )
        for name in names
    }
    return replace(base, models=own)
