"""The models a pool knows, as they are written in code. Those of an experiments.toml: :mod:`.model_files`."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from orchestrator.config.sizes import parse_size
from orchestrator_worker.protocol import ModelSpec

if TYPE_CHECKING:
    from orchestrator.config import types as config_types

FUNCTION_MODEL = "function"
"""The model of ``Call`` jobs; every pool has it."""
LIMIT_NAMES = {
    name.removeprefix("RLIMIT_").lower(): number
    for name, number in vars(resource).items()
    if name.startswith("RLIMIT_")
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """A named engine configuration, as ``[profiles.P.models.NAME]`` in experiments.toml.

    Args:
        name: What jobs call it.
        engine: A built-in engine or an installed third-party one.
        file: Model file; made absolute.
        library: The native library; made absolute.
        threads: Threads of inference; None leaves it to the engine.
        context_length: Tokens; None leaves it to the engine.
        language: What the engine should expect; a job may say otherwise.
        format: Output of an aligner.
        env: Environment set before the worker starts (``MALLOC_ARENA_MAX``, ``LD_PRELOAD`` …).
        options: The engine's own.
        limits: Resource limits of the worker by the names of setrlimit(2) in lower case, bytes also as text:
            ``{"as": "4GiB", "nofile": 256, "core": 0}``.

    Raises:
        ValueError: An unknown limit, or one that is no size.
    """

    name: str
    engine: str
    file: str | os.PathLike[str] | None = None
    library: str | os.PathLike[str] | None = None
    threads: int | None = None
    context_length: int | None = None
    language: str | None = None
    format: Literal["json", "srt"] | None = None
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    limits: Mapping[str, int | str] = field(default_factory=dict[str, int | str])

    def __post_init__(self) -> None:
        self.limit_numbers()

    @classmethod
    def from_config(cls, model: config_types.Model) -> Self:
        """Make one from a resolved entry of an experiments.toml; its role is its name."""
        return cls(
            name=model.role,
            engine=model.engine,
            file=model.file,
            library=model.library,
            threads=model.threads,
            context_length=model.context_length,
            language=model.language,
            format=model.format,  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] - checked on reading
            env=model.env,
            options=model.options,
        )

    def spec(self) -> ModelSpec:
        """Return what the worker's engine gets."""
        return ModelSpec(
            engine=self.engine,
            name=self.name,
            file=_absolute(self.file),
            library=_absolute(self.library),
            threads=self.threads,
            context_length=self.context_length,
            language=self.language,
            format=self.format,
            options=dict(self.options),
        )

    def file_bytes(self) -> int | None:
        """Return the size of the model file, None without one that can be seen."""
        if self.file is None:
            return None
        try:
            return Path(self.file).stat().st_size
        except OSError:
            return None

    def limit_numbers(self) -> dict[int, int]:
        """Return ``limits`` as resource numbers and values."""
        found: dict[int, int] = {}
        for name, value in self.limits.items():
            if name not in LIMIT_NAMES:
                known = ", ".join(sorted(LIMIT_NAMES))
                raise ValueError(f"Model({self.name!r}, limits): {name!r} is none; there are {known}")
            try:
                found[LIMIT_NAMES[name]] = 0 if value == 0 else parse_size(value)
            except ValueError as error:
                raise ValueError(f"Model({self.name!r}, limits, {name!r}): {error}") from None
        return found


def _absolute(path: str | os.PathLike[str] | None) -> str | None:
    return None if path is None else str(Path(path).absolute())


def models_by_name(models: Iterable[Model]) -> dict[str, Model]:
    """Return the models by their names, the one for ``Call`` jobs first.

    Raises:
        TypeError: Not a model.
        ValueError: Two models of one name.
    """
    found = {FUNCTION_MODEL: Model(name=FUNCTION_MODEL, engine="function")}
    given: set[str] = set()
    for model in models:
        if not isinstance(model, Model):  # pyright: ignore[reportUnnecessaryIsInstance] - callers err
            raise TypeError(f"models: {model!r} is no Model; write Model(name=…, engine=…)")
        if model.name in given:
            raise ValueError(f"models: there are two of the name {model.name!r}")
        given.add(model.name)
        found[model.name] = model
    return found
