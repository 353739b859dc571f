"""Make the plan of a run from a checked file, flags and environment.

Precedence: flag, environment, ``[profiles.P.experiments.NAME]``, ``[[experiment]]``, ``[profiles.P]``,
``[defaults]``, our defaults. Reads reference texts and nothing else: whether models, libraries and samples
are there is the availability check's part.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast, get_args

from orchestrator.config.bindings import Bindings
from orchestrator.config.checks import REFERENCE
from orchestrator.config.method_checks import DEFAULT_METHODS, conflicts, refusal
from orchestrator.config.overrides import Overrides, said_outside
from orchestrator.config.profile import absolute, choose_profile, folder_of
from orchestrator.config.types import (
    Experiment,
    ExperimentConfig,
    ExperimentsFile,
    MethodName,
    Plan,
    ProfileConfig,
    ProfileExperiment,
    Series,
    Step,
)
from orchestrator.config.wording import excerpt, key_path, name_hint
from orchestrator.errors import ConfigError, ConfigProblem

DEFAULTS: Mapping[str, Any] = {
    "methods": list(DEFAULT_METHODS),
    "iterations": 100,
    "recycle_after": 1,
    "jobs_per_load": [1, 1],
    "sample_interval_ms": 20,
    "heap": True,
    "timeout_s": 600.0,
    "stop": "never",
    "keep_runs": 20,
}


def resolve(
    file: ExperimentsFile,
    path: Path | str,
    overrides: Overrides,
    environ: Mapping[str, str],
    cores: int,
    *,
    exists: Callable[[str], bool] = os.path.exists,
) -> Plan:
    """Return what ``orchestrator run`` does: every name looked up, every default filled in.

    ``file`` comes from :func:`~orchestrator.config.load.load_file`, ``path`` is where it lies, ``cores`` how
    many this process may use. Experiments keep the file's order, whatever the order of ``--only``.

    Raises:
        ConfigError: Flags, variables or reference texts that cannot be used; all of them at once.
    """
    name, reason = choose_profile(file, path, overrides.profile, environ=environ, exists=exists)
    profile = file.profiles[name]
    said, problems = said_outside(overrides, environ)
    problems += _unknown(overrides, file)
    experiments = _selected(file, overrides)
    problems += _unusable(name, profile, experiments, file)
    problems += _refused(overrides, experiments)
    if problems:
        raise ConfigError(str(path), problems)
    aligners = _only_aligning(file.experiment)
    bindings = Bindings(name, folder_of(path), said=said, environ=environ, cores=cores, aligners=aligners)
    resolved = [_experiment(config, profile, file, bindings, overrides) for config in experiments]
    problems = [*bindings.problems, *_conflicting(resolved, name)]
    if problems:
        raise ConfigError(str(path), problems)
    return Plan(
        file=os.path.abspath(path),  # noqa: PTH100 - Path.absolute() would keep ".."
        profile=name,
        profile_reason=reason,
        experiments=resolved,
        keep_runs=profile.keep_runs or file.defaults.keep_runs or DEFAULTS["keep_runs"],
        gate=file.gate,
    )


def _unknown(overrides: Overrides, file: ExperimentsFile) -> list[ConfigProblem]:
    """Names in flags that are not in the file."""
    problems: list[ConfigProblem] = []
    for flag, noun, named, known in (
        ("--only", "experiment", overrides.only, [config.name for config in file.experiment]),
        ("--methods", "method", overrides.methods, list(get_args(MethodName))),
    ):
        if named is not None and not named:
            problems.append(ConfigProblem(flag, f"names no {noun}", name_hint("", known)))
        for name in dict.fromkeys(named or ()):
            if name not in known:
                said = f"there is no {noun} {excerpt(name)}"
                problems.append(ConfigProblem(flag, said, name_hint(name, known)))
    return problems


def _selected(file: ExperimentsFile, overrides: Overrides) -> list[ExperimentConfig]:
    return [config for config in file.experiment if overrides.only is None or config.name in overrides.only]


def _unusable(
    name: str, profile: ProfileConfig, experiments: Sequence[ExperimentConfig], file: ExperimentsFile
) -> list[ConfigProblem]:
    """Report a valid file that has nothing to run."""
    if not file.experiment:
        return [ConfigProblem("$.experiment", "there is no experiment", "add [[experiment]] tables")]
    if experiments and not profile.models:
        path = key_path("$.profiles", name) + ".models"
        return [ConfigProblem(path, f"profile {excerpt(name)} binds no models", "take another by --profile")]
    return []


def _refused(overrides: Overrides, experiments: Sequence[ExperimentConfig]) -> list[ConfigProblem]:
    """Report ``--methods restart`` for several models. The methods of the file were checked when it was loaded."""
    whys = [(config.name, refusal(overrides.methods or (), _models(config))) for config in experiments]
    others = ",".join(name for name, why in whys if not why)
    hint = f"add --only {others}" if others else "choose recreate or recycle"
    return [ConfigProblem("--methods", f"{name}: {why}", hint) for name, why in whys if why]


def _conflicting(experiments: Sequence[Experiment], profile: str) -> list[ConfigProblem]:
    """Report models that ``--methods recreate`` would load into one process although their environments differ."""
    problems: list[ConfigProblem] = []
    for experiment in experiments:
        series = next((series for series in experiment.series if series.method == "recreate"), None)
        if series:
            envs = {step.model.name: step.model.env for step in experiment.steps}
            problems += conflicts(experiment.name, key_path("$.profiles", profile), envs, series.env)
    return problems


def _models(config: ExperimentConfig) -> list[str]:
    return list(dict.fromkeys(step.model for step in config.steps))


def _only_aligning(experiments: Sequence[ExperimentConfig]) -> set[str]:
    """Return the models that only align. Read from the whole file, so that ``--only`` does not change the answer."""
    steps = [step for config in experiments for step in config.steps]
    aligning = {step.model for step in steps if step.task == "align"}
    return aligning - {step.model for step in steps if step.task != "align"}


def _experiment(
    config: ExperimentConfig,
    profile: ProfileConfig,
    file: ExperimentsFile,
    bindings: Bindings,
    overrides: Overrides,
) -> Experiment:
    of_profile = profile.experiments.get(config.name, ProfileExperiment())
    layers = (
        of_profile,
        config,
        profile,
        file.defaults,
    )

    def effective(key: str) -> Any:
        said = (getattr(layer, key) for layer in layers)
        return next((value for value in said if value is not None), DEFAULTS[key])

    steps = _steps(config, profile, bindings)
    env: dict[str, str] = {}
    for layer in reversed(layers):
        env |= layer.env or {}
    return Experiment(
        name=config.name,
        title=_title(of_profile.title or config.title or config.name, steps),
        series=_series(config, _methods(overrides) or effective("methods"), env, overrides, bindings.folder),
        iterations=overrides.iterations or effective("iterations"),
        recycle_after=effective("recycle_after"),
        jobs_per_load=overrides.jobs_per_load or tuple(sorted(effective("jobs_per_load"))),
        sample_interval_ms=effective("sample_interval_ms"),
        heap=effective("heap"),
        timeout_s=float(effective("timeout_s")),
        stop=overrides.stop or effective("stop"),
        output=config.output or f"{config.name}_results.json",
        steps=steps,
    )


def _title(said: str, steps: Sequence[Step]) -> str:
    """Return the title with ``{model}`` replaced by what runs: the models' labels, of those without one the engines."""
    models = [step.model for step in steps]
    names = dict.fromkeys(model.engine if model.label == model.name else model.label for model in models)
    return said.replace("{model}", " and ".join(names))


def _methods(overrides: Overrides) -> list[MethodName]:
    return cast("list[MethodName]", list(dict.fromkeys(overrides.methods or ())))


def _series(
    config: ExperimentConfig,
    methods: list[MethodName],
    env: dict[str, str],
    overrides: Overrides,
    folder: Path,
) -> list[Series]:
    """The experiment's methods, then those of each variant; ``--methods`` narrows a variant's own."""
    series = [Series(method, env=env) for method in methods]
    for name, variant in config.variants.items():
        own: list[MethodName] = list(variant.methods or methods)
        if overrides.methods is not None:
            own = [method for method in methods if method in own]
        allocator = _allocator(variant.allocator, folder)
        series += [Series(method, name, env | variant.env, allocator) for method in own]
    return series


def _allocator(said: str | None, folder: Path) -> str | None:
    """Return an allocator's name as it is, a path as an absolute one."""
    return absolute(folder, said) if said is not None and "/" in said else said


def _steps(config: ExperimentConfig, profile: ProfileConfig, bindings: Bindings) -> list[Step]:
    return [
        Step(
            task=step.task,
            model=bindings.model(step.model, profile.models[step.model]),
            sample=bindings.sample(step.sample, profile.samples[step.sample]) if step.sample else None,
            text=step.text or (REFERENCE if step.task == "align" else None),
            options=step.options,
        )
        for step in config.steps
    ]
