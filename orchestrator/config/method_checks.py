"""Check which methods each experiment can run with, for every profile and variant.

With several models in one experiment there is no one model to keep, so ``restart`` and ``reuse`` are refused;
under ``recreate`` all models of an experiment share one process, so they must agree about its environment.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from orchestrator.config.lenient import LenientDocument, LenientExperiment, LenientProfile, table, texts
from orchestrator.config.wording import excerpt, key_path
from orchestrator.errors import ConfigProblem

DEFAULT_METHODS = ("recreate", "recycle")
METHODS_THAT_KEEP_A_MODEL = ("restart", "reuse")


def method_problems(document: LenientDocument) -> list[ConfigProblem]:
    """Return what is wrong with the methods of ``document``: each once, whatever the number of profiles."""
    problems: dict[tuple[str, str], ConfigProblem] = {}
    for experiment in document.experiments:
        for profile in document.profiles:
            for problem in _of(document, experiment, profile):
                problems.setdefault((problem.key_path, problem.problem), problem)
    return [*_repeated(document), *problems.values()]


def refusal(methods: Sequence[str], models: Sequence[str]) -> str:
    """Return why ``methods`` cannot be done with ``models``, or nothing when they can."""
    refused = [method for method in METHODS_THAT_KEEP_A_MODEL if method in methods]
    if len(models) < 2 or not refused:
        return ""
    return (
        f"{' and '.join(refused)} cannot be done: one model would stay loaded, "
        f"and the steps use {len(models)} ({', '.join(models)})"
    )


def conflicts(
    experiment: str, profile_path: str, envs: Mapping[str, Mapping[str, Any]], settled: Collection[str]
) -> Iterator[ConfigProblem]:
    """Yield the variables about which models of one process disagree.

    ``envs`` has the environment of each model of ``experiment``, ``settled`` the variables that the
    experiment sets itself: those win over the models', so nothing is left to disagree about.
    """
    first: dict[str, tuple[str, Any]] = {}
    for model, env in envs.items():
        for variable, value in env.items():
            other, other_value = first.setdefault(variable, (model, value))
            if value != other_value and variable not in settled:
                path = key_path(key_path(f"{profile_path}.models", model) + ".env", variable)
                said = (
                    f"{excerpt(value)} here and {excerpt(other_value)} in model {excerpt(other)}, but "
                    f"{experiment} runs both in one process under recreate"
                )
                yield ConfigProblem(path, said, "make them equal, or settle it in the experiment's env")


def _of(
    document: LenientDocument, experiment: LenientExperiment, profile: LenientProfile
) -> Iterator[ConfigProblem]:
    layers = list(document.layers(experiment, profile))
    where, methods = next(
        ((path, texts(said["methods"])) for path, said in layers if "methods" in said),
        ("", list(DEFAULT_METHODS)),
    )
    sources = {"": (where, methods)}
    for variant, said in experiment.variants.items():
        if "methods" in said:
            sources[variant] = (key_path(f"{experiment.path}.variants", variant), texts(said["methods"]))
    for source, named in sources.values():
        if why := refusal(named, experiment.models):
            yield _refused(experiment, source, why)
    if any("recreate" in named for _, named in sources.values()):
        settled = {name for _, said in layers for name in table(said.get("env"))}
        envs = {model: table(table(profile.models.get(model)).get("env")) for model in experiment.models}
        yield from conflicts(experiment.name or experiment.path, profile.path, envs, settled)


def _refused(experiment: LenientExperiment, source: str, why: str) -> ConfigProblem:
    """Report it at the experiment, also if its methods come from defaults: there the user can change them."""
    own = source.startswith(experiment.path)
    hint = 'allowed: "recreate", "recycle"' + ("" if own else f"; taken from {source}.methods, say them here")
    return ConfigProblem(f"{source if own else experiment.path}.methods", why, hint)


def _repeated(document: LenientDocument) -> Iterator[ConfigProblem]:
    places: list[tuple[str, dict[str, Any]]] = [("$.defaults", table(document.said.get("defaults")))]
    for profile in document.profiles:
        places.append((profile.path, profile.said))
        for name, said in profile.experiments.items():
            places.append((key_path(f"{profile.path}.experiments", name), table(said)))
    for experiment in document.experiments:
        places.append((experiment.path, experiment.said))
        for name, said in experiment.variants.items():
            places.append((key_path(f"{experiment.path}.variants", name), said))
    for path, said in places:
        methods = texts(said.get("methods"))
        twice = sorted({method for method in methods if methods.count(method) > 1})
        if twice:
            yield ConfigProblem(f"{path}.methods", f"{', '.join(twice)} more than once")
