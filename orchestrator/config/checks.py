"""Check the meaning of a document: unknown names, names used twice, steps that cannot work.

Runs on any decoded document (see :mod:`.lenient`); the shape is :mod:`.walk`'s part, what can run under which
method is :mod:`.method_checks`'s. Nothing outside the document is looked at, but for the names of installed
engines: a missing model file is no mistake of the configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from orchestrator.config.lenient import LenientDocument, LenientExperiment, LenientProfile, table, text
from orchestrator.config.method_checks import method_problems
from orchestrator.config.sizes import parse_size
from orchestrator.config.wording import excerpt, key_path, name_hint
from orchestrator.errors import ConfigProblem

AUTO = "auto"
"""Not a profile's name: ``--profile auto`` chooses one."""
PREVIOUS = "previous"
REFERENCE = "reference"
_TASKS_THAT_HEAR = ("asr", "align")


def problems_of_meaning(document: dict[str, Any], engines: Sequence[str]) -> list[ConfigProblem]:
    """Return every problem that a document of the right shape can still have; ``engines`` are the known names."""
    lenient = LenientDocument(document)
    return [
        *_duplicates(lenient),
        *_profiles(lenient, engines),
        *_steps(lenient),
        *method_problems(lenient),
        *_recycling(lenient, table(document.get("recycle"))),
    ]


def _duplicates(document: LenientDocument) -> Iterator[ConfigProblem]:
    names: dict[str, str] = {}
    outputs: dict[str, str] = {}
    for experiment in document.experiments:
        name, output = experiment.name, text(experiment.said.get("output"))
        if name in names:
            yield ConfigProblem(
                f"{experiment.path}.name", f"{excerpt(name)} is also the name of {names[name]}"
            )
        elif name:
            names[name] = experiment.path
        key, output = ("output", output) if output else ("name", f"{name}_results.json" if name else None)
        if output in outputs and (key == "output" or names.get(name or "") == experiment.path):
            said = f"its results would go to {excerpt(output)}, and so do those of {outputs[output]}"
            yield ConfigProblem(f"{experiment.path}.{key}", said, "give each experiment an output of its own")
        elif output:
            outputs[output] = experiment.path


def _profiles(document: LenientDocument, engines: Sequence[str]) -> Iterator[ConfigProblem]:
    names = [experiment.name for experiment in document.experiments if experiment.name]
    for profile in document.profiles:
        if profile.name == AUTO:
            yield ConfigProblem(
                profile.path, '"auto" cannot be a profile\'s name', "--profile auto chooses one"
            )
        for model, said in profile.models.items():
            engine = text(table(said).get("engine"))
            if engine and engine not in engines:
                path = key_path(f"{profile.path}.models", model) + ".engine"
                hint = f"{name_hint(engine, engines)}; a third party's must be installed"
                yield ConfigProblem(path, f"there is no engine {excerpt(engine)}", hint)
        for name in profile.experiments:
            if name not in names:
                path = key_path(f"{profile.path}.experiments", name)
                yield ConfigProblem(path, f"there is no experiment {excerpt(name)}", name_hint(name, names))
    if document.experiments and not _binding(document):
        yield ConfigProblem("$.profiles", "no profile binds a model", "see [profiles.P.models.NAME]")


def _steps(document: LenientDocument) -> Iterator[ConfigProblem]:
    for experiment in document.experiments:
        for position, (path, step) in enumerate(experiment.steps):
            yield from _unbound(document, path, step, "model", lambda profile: profile.models)
            yield from _unbound(document, path, step, "sample", lambda profile: profile.samples)
            yield from _previous(experiment, position)
            yield from _unheard(path, step)
            yield from _untold(document, path, step)


def _binding(document: LenientDocument) -> list[LenientProfile]:
    """Return the profiles that bind anything: each of them must be able to run every experiment."""
    return [profile for profile in document.profiles if profile.models]


def _unbound(
    document: LenientDocument,
    path: str,
    step: dict[str, Any],
    key: str,
    bound: Callable[[LenientProfile], dict[str, Any]],
) -> Iterator[ConfigProblem]:
    """Report a model or sample that some profile does not bind; once, with all those profiles."""
    name = text(step.get(key))
    lacking = [profile for profile in _binding(document) if name and name not in bound(profile)]
    if name and lacking:
        whose = " and ".join(excerpt(profile.name) for profile in lacking)
        said = f"no {key} {excerpt(name)} in profile{'s' if len(lacking) > 1 else ''} {whose}"
        yield ConfigProblem(f"{path}.{key}", said, name_hint(name, bound(lacking[0])))


def _previous(experiment: LenientExperiment, position: int) -> Iterator[ConfigProblem]:
    path, step = experiment.steps[position]
    if step.get("text") != PREVIOUS:
        return
    if position == 0:
        yield ConfigProblem(f"{path}.text", 'the first step has no step before it to take "previous" from')
    elif experiment.steps[position - 1][1].get("task") == "align":
        yield ConfigProblem(f"{path}.text", 'the step before aligns and has no text to take "previous" from')


def _unheard(path: str, step: dict[str, Any]) -> Iterator[ConfigProblem]:
    if step.get("task") in _TASKS_THAT_HEAR and "sample" not in step:
        said = f"missing; task {step['task']} needs audio"
        yield ConfigProblem(f"{path}.sample", said, "name a sample of the profile")


def _untold(document: LenientDocument, path: str, step: dict[str, Any]) -> Iterator[ConfigProblem]:
    """Report a step that needs the reference of a sample that has none."""
    wanted = step.get("text", REFERENCE if step.get("task") == "align" else None)
    name = text(step.get("sample"))
    if wanted != REFERENCE or name is None:
        return
    for profile in _binding(document):
        sample = profile.samples.get(name)
        if isinstance(sample, dict) and "reference" not in sample:
            said = f"sample {excerpt(name)} of profile {excerpt(profile.name)} has no reference, "
            said += "and the step needs a text"
            where = key_path(f"{profile.path}.samples", name)
            yield ConfigProblem(f"{path}.text", said, f'add {where}.reference, or text = "previous" here')


def _recycling(document: LenientDocument, recycle: dict[str, Any]) -> Iterator[ConfigProblem]:
    yield from _limits("$.recycle", recycle)
    bound = {name: None for profile in document.profiles for name in profile.models}
    for name, said in table(recycle.get("models")).items():
        path = key_path("$.recycle.models", name)
        if name not in bound:
            yield ConfigProblem(path, f"no profile binds a model {excerpt(name)}", name_hint(name, bound))
        yield from _limits(path, table(said))


def _limits(path: str, said: dict[str, Any]) -> Iterator[ConfigProblem]:
    """Report memory sizes that cannot be read, and a max_rss at or above hard_rss, which could never take effect."""
    sizes: dict[str, int] = {}
    for key in ("max_rss", "hard_rss"):
        size = said.get(key)
        if isinstance(size, int | str):
            try:
                sizes[key] = parse_size(size)
            except ValueError as problem:
                # a wrong pattern is the walk's to report
                if "at least" in str(problem) and isinstance(size, str):
                    yield ConfigProblem(f"{path}.{key}", str(problem))
    if len(sizes) == len({"max_rss", "hard_rss"}) and sizes["max_rss"] >= sizes["hard_rss"]:
        said_now = f"{excerpt(said['max_rss'])} is not below hard_rss, {excerpt(said['hard_rss'])}"
        hint = "at hard_rss a worker is killed, in the middle of a job"
        yield ConfigProblem(f"{path}.max_rss", said_now, hint)
