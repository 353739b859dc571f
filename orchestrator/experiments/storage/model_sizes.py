"""Has a model file lost its end since it was last measured?

A native engine may start with such a file and say nothing (chatllm.cpp does), so its size is held against the
largest that an earlier run recorded for the same path, and against the model's own option ``size_bytes``.
"""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.config.model import BoundModel
from orchestrator.config.types import Plan
from orchestrator.experiments.storage.file_hashes import HashedFile


def shrunken_models(
    plan: Plan, files: Iterable[HashedFile], earlier: Iterable[Iterable[HashedFile]]
) -> list[str]:
    """Return a warning for each model file that is smaller than it should be.

    ``files`` are those of the run that begins, ``earlier`` the files of each run before it.
    """
    now = {file.path: file.size_bytes for file in files}
    largest: dict[str, int] = {}
    for run in earlier:
        for file in run:
            largest[file.path] = max(file.size_bytes, largest.get(file.path, 0))
    models = {step.model.name: step.model for experiment in plan.experiments for step in experiment.steps}
    return [
        warning
        for model in models.values()
        if model.file in now and (warning := _warning(model, now[model.file], largest.get(model.file, 0)))
    ]


def _warning(model: BoundModel, size_bytes: int, recorded_bytes: int) -> str:
    """Say that the file is too small; nothing when it is not."""
    said: object = model.options.get("size_bytes")
    wanted, source = recorded_bytes, "had in an earlier run"
    if isinstance(said, int) and said > wanted:
        wanted, source = said, "should have by its option size_bytes"
    if size_bytes >= wanted:
        return ""
    return (
        f"model {model.name}: {model.file} has {size_bytes:,} bytes, {wanted - size_bytes:,} fewer than it {source}: "
        "if its end is missing, what it says is made up; copy it again"
    )
