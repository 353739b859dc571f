"""A decoded document with only the parts that have the right type, so that one mistake does not hide others.

The checks of meaning run on documents whose shape is wrong too, so that all problems come at once. Whatever
has the wrong type is simply not there for them: the walk has reported it already. Each experiment keeps its
key path, because positions count.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeGuard

from orchestrator.config.wording import key_path


def is_table(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether ``value`` is a TOML table."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Whether ``value`` is a TOML array."""
    return isinstance(value, list)


def table(value: object) -> dict[str, Any]:
    """Return ``value`` if it is a table, else an empty one."""
    return value if is_table(value) else {}


def tables(value: object) -> dict[str, dict[str, Any]]:
    """Return the tables in a table, by key."""
    return {key: inner for key, inner in table(value).items() if is_table(inner)}


def indexed_tables(value: object, path: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the tables in a list, each with its key path."""
    items = value if is_list(value) else []
    return [(f"{path}[{index}]", item) for index, item in enumerate(items) if is_table(item)]


def text(value: object) -> str | None:
    """Return ``value`` if it is a string that is not empty."""
    return value if isinstance(value, str) and value else None


def texts(value: object) -> list[str]:
    """Return the strings in a list."""
    return [item for item in value if isinstance(item, str)] if is_list(value) else []


@dataclass(frozen=True)
class LenientProfile:
    """One profile: what it binds, and where it says more."""

    name: str
    said: dict[str, Any]

    @property
    def path(self) -> str:
        """Its key path."""
        return key_path("$.profiles", self.name)

    @property
    def models(self) -> dict[str, Any]:
        """Names of its models; a value may be anything."""
        return table(self.said.get("models"))

    @property
    def samples(self) -> dict[str, Any]:
        """Names of its samples; a value may be anything."""
        return table(self.said.get("samples"))

    @property
    def experiments(self) -> dict[str, Any]:
        """Overrides by name of the experiment; a value may be anything."""
        return table(self.said.get("experiments"))


@dataclass(frozen=True)
class LenientExperiment:
    """One experiment at its key path."""

    path: str
    said: dict[str, Any]

    @property
    def name(self) -> str | None:
        """Its name, if it has a usable one."""
        return text(self.said.get("name"))

    @property
    def steps(self) -> list[tuple[str, dict[str, Any]]]:
        """Its steps with their key paths."""
        return indexed_tables(self.said.get("steps"), f"{self.path}.steps")

    @property
    def models(self) -> list[str]:
        """The models its steps name, each once, in order."""
        named = (text(step.get("model")) for _, step in self.steps)
        return list(dict.fromkeys(model for model in named if model))

    @property
    def variants(self) -> dict[str, dict[str, Any]]:
        """Its variants by name."""
        return tables(self.said.get("variants"))


@dataclass(frozen=True)
class LenientDocument:
    """The document, as far as it makes sense."""

    said: dict[str, Any]

    @property
    def profiles(self) -> list[LenientProfile]:
        """Its profiles."""
        return [LenientProfile(name, said) for name, said in tables(self.said.get("profiles")).items()]

    @property
    def experiments(self) -> list[LenientExperiment]:
        """Its experiments."""
        return [
            LenientExperiment(*found) for found in indexed_tables(self.said.get("experiment"), "$.experiment")
        ]

    def layers(
        self, experiment: LenientExperiment, profile: LenientProfile
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield where keys of ``experiment`` may be said under ``profile``, strongest first."""
        if experiment.name:
            override = table(profile.experiments.get(experiment.name))
            yield key_path(f"{profile.path}.experiments", experiment.name), override
        yield experiment.path, experiment.said
        yield profile.path, profile.said
        yield "$.defaults", table(self.said.get("defaults"))
