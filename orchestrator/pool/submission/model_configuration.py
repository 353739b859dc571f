"""The models that a profile of an experiments.toml binds."""

from __future__ import annotations

import os
from pathlib import Path

from orchestrator.config.bindings import Bindings
from orchestrator.config.load import load_file
from orchestrator.config.overrides import Overrides, said_outside
from orchestrator.config.profile import choose_profile, folder_of
from orchestrator.config.types import ExperimentsFile
from orchestrator.errors import ConfigError
from orchestrator.pool.models import Model
from orchestrator.process.host.cores import cores_per_worker


def load_models(
    path: str | os.PathLike[str], profile: str, workers: int = 1
) -> tuple[list[Model], ExperimentsFile]:
    """Return the models that a profile of an experiments.toml binds, and the file. Reads it; see :func:`models_of`.

    Raises:
        ConfigError: The file cannot be used; all that is wrong with it.
    """
    file = load_file(Path(path))
    return models_of(file, path, profile, workers), file


def models_of(
    file: ExperimentsFile, path: str | os.PathLike[str], profile: str, workers: int = 1
) -> list[Model]:
    """Return the models that a profile of an experiments.toml binds. ``path`` is where the file was read.

    ``profile`` is a name or ``auto``. INFERENCE_THREADS, CONTEXT_LENGTH, ASR_LANGUAGE and CHATLLM_LIB count. Each of so
    many ``workers`` has its share of the physical cores.

    Raises:
        ConfigError: The profile cannot be used; all that is wrong with it.
    """
    name, _ = choose_profile(file, Path(path), profile, environ=os.environ)
    said, problems = said_outside(Overrides(profile=profile), os.environ)
    if problems:
        raise ConfigError(str(path), problems)
    aligners = _aligning(file)
    bindings = Bindings(
        name,
        folder_of(Path(path)),
        said=said,
        environ=os.environ,
        cores=cores_per_worker(workers),
        aligners=aligners,
    )
    return [bindings.model(role, config) for role, config in file.profiles[name].models.items()]


def _aligning(file: ExperimentsFile) -> frozenset[str]:
    """Models only used for alignment: ASR_LANGUAGE is not theirs."""
    steps = [step for experiment in file.experiment for step in experiment.steps]
    return frozenset(step.model for step in steps if step.task == "align") - {
        step.model for step in steps if step.task != "align"
    }
