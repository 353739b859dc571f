"""Collect all findings: those that all profiles share, those of each profile, and whether the chosen profile is ready.

::

    experiments.toml ──▶ a plan for each profile ──▶ models, samples ──▶ findings of the profile
                                                        one worker asks the engines
    the machine, the results folder ─────────────────────────────────▶ findings for all

Ready means: of the profile asked for (with ``auto`` the one a run would take), every experiment can run. It has
no problem, and neither has what all share.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from orchestrator.config.load import load_file
from orchestrator.config.model import BoundModel
from orchestrator.config.overrides import Overrides
from orchestrator.config.profile import choose_profile
from orchestrator.config.resolve import resolve
from orchestrator.config.template import template_files
from orchestrator.config.types import ExperimentsFile, Plan, Sample
from orchestrator.doctor.engines import Answers, ask_engines, identity, look_at_heap, look_at_packages
from orchestrator.doctor.finding import Finding
from orchestrator.doctor.machine import (
    look_at_cores,
    look_at_environment,
    look_at_libc,
    look_at_memory,
    look_at_sandbox,
    look_at_swap,
)
from orchestrator.doctor.model_files import look_at_models, size_bytes
from orchestrator.doctor.native_library import look_at_libraries
from orchestrator.doctor.results_place import look_at_results
from orchestrator.doctor.sample_files import look_at_samples
from orchestrator.doctor.tools import look_at_tools
from orchestrator.errors import ConfigError
from orchestrator.experiments.storage.file_hashes import HashCache
from orchestrator.experiments.storage.host import host_facts

USUAL_NAME = "experiments.toml"


class ProfileExamination(msgspec.Struct, frozen=True):
    """What was found of one profile. ``ready`` takes the machine's findings into account."""

    name: str
    ready: bool
    findings: list[Finding]


class Examination(msgspec.Struct, frozen=True):
    """The whole: ``chosen`` is the profile ``ready`` is about, ``reason`` why it is that one."""

    ready: bool
    file: str
    chosen: str
    reason: str
    shared: list[Finding]
    profiles: list[ProfileExamination]


def examine(
    file: Path | None,
    *,
    profile: str = "auto",
    results: Path | None = None,
    hash_files: bool = False,
    environ: Mapping[str, str],
    cores: int,
) -> Examination:
    """Look at everything ``file`` names. Without one: experiments.toml here, or else what a new folder would have.

    Starts worker processes; changes nothing but, with ``hash_files``, the file of remembered hashes.

    Raises:
        ConfigError: The file, a flag or a variable cannot be used, as for a run.
    """
    path, templates = _file_and_templates(file)
    document = load_file(templates.get(path, path))
    chosen, reason = choose_profile(document, path, profile, environ=environ)
    names = [chosen, *(name for name in document.profiles if name != chosen)]
    plans = {name: _plan(document, path, name, environ, cores, must=name == chosen) for name in names}
    models = {name: _models(plan) for name, plan in plans.items() if isinstance(plan, Plan)}
    place = results if results is not None else path.parent / "results"
    answers = ask_engines({identity(model): model for group in models.values() for model in group}.values())
    shared = [*_about_file(path, templates), *_shared(answers, place)]
    look = _Look(path.parent, templates, answers, HashCache(place / ".hashes.json"), hash_files)
    profiles = [
        _examined(name, look.at(plan, models[name]) if isinstance(plan, Plan) else plan, shared)
        for name, plan in plans.items()
    ]
    return Examination(profiles[0].ready, str(path), chosen, reason, shared, profiles)


class _Look:
    """What is needed to examine any profile."""

    def __init__(
        self,
        folder: Path,
        templates: Mapping[Path, Path],
        answers: Answers,
        hashes: HashCache,
        hash_files: bool,
    ) -> None:
        self._folder = folder
        self._templates = templates
        self._answers = answers
        self._hashes = hashes
        self._hash_files = hash_files
        self._host = host_facts()

    def at(self, plan: Plan, models: Sequence[BoundModel]) -> list[Finding]:
        """Return the findings of one profile."""
        asked = (self._answers.findings.get(identity(model)) for model in models)
        return [
            *look_at_libraries(models, self._folder, dt.datetime.now(dt.UTC)),
            *look_at_models(models, self._hashes, hash_files=self._hash_files, folder=self._folder),
            *(finding for finding in asked if finding is not None),
            *look_at_samples(_samples(plan), self._templates),
            *look_at_tools(models),
            *look_at_cores(models, self._host),
            look_at_sandbox(models),
            look_at_environment(models),
            *look_at_memory([self._size(model) for model in models], self._host),
        ]

    def _size(self, model: BoundModel) -> int:
        known = self._answers.estimates_bytes.get(identity(model))
        if known is not None:
            return known
        try:
            return size_bytes(Path(model.file)) if model.file else 0
        except OSError:
            return 0


def _file_and_templates(file: Path | None) -> tuple[Path, dict[Path, Path]]:
    """Return the file as an absolute path; where there is none, also what stands for the template's files."""
    path = (file or Path(USUAL_NAME)).absolute()
    if file is not None or path.exists():
        return path, {}
    return path, {path.parent / name: source for name, source in template_files().items()}


def _plan(
    document: ExperimentsFile, path: Path, name: str, environ: Mapping[str, str], cores: int, *, must: bool
) -> Plan | list[Finding]:
    """Return a profile's plan; for one that was not asked for, what is wrong with it."""
    try:
        return resolve(document, path, Overrides(profile=name), environ, cores)
    except ConfigError as error:
        if must:
            raise
        return [
            Finding("file", problem.key_path, "problem", problem.problem, problem.hint)
            for problem in error.problems
        ]


def _about_file(path: Path, templates: Mapping[Path, Path]) -> list[Finding]:
    if not templates:
        return [Finding("file", path.name, "ok", str(path))]
    found = f"there is no {path}; looked at what a new folder would have"
    return [Finding("file", path.name, "note", found, "orchestrator init")]


def _shared(answers: Answers, results: Path) -> list[Finding]:
    host = host_facts()
    return [
        *look_at_packages(),
        look_at_libc(host),
        look_at_heap(answers),
        look_at_swap(host),
        *look_at_results(results),
    ]


def _examined(name: str, findings: list[Finding], shared: list[Finding]) -> ProfileExamination:
    ready = not any(finding.state == "problem" for finding in [*findings, *shared])
    return ProfileExamination(name, ready, findings)


def _models(plan: Plan) -> list[BoundModel]:
    return list({identity(step.model): step.model for one in plan.experiments for step in one.steps}.values())


def _samples(plan: Plan) -> list[Sample]:
    return list(
        {
            step.sample.name: step.sample for one in plan.experiments for step in one.steps if step.sample
        }.values()
    )
