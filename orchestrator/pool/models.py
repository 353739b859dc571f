"""The models that a pool knows, by their names."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.config.model import Model

__all__ = ["FUNCTION_MODEL", "Model", "models_by_name"]

FUNCTION_MODEL = "function"
"""The model of ``Call`` jobs; every pool has it."""


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
