"""Find out, before anything starts, what a plan needs and does not have.

Everything missing is reported at once, with the command that gets it. Engines are asked in a worker, so that
a library that crashes on import is a reason like any other.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from orchestrator.audio import PreparedAudio, prepare
from orchestrator.config.model import BoundModel
from orchestrator.config.types import Experiment, Plan, Sample, Series
from orchestrator.errors import AudioError, EngineUnavailableError, JobError, WorkerError
from orchestrator.experiments.running.allocators import (
    AllocatorError,
    check_replaced,
    find_allocator,
    preloaded,
)
from orchestrator.experiments.running.how_to_get import build_library, get_model_file
from orchestrator.experiments.storage.records import NOT_POSSIBLE
from orchestrator.process.dialogue import Dialogue
from orchestrator.process.warm.engines import NOT_ALLOWED, why_cold
from orchestrator_worker.protocol import Check, Checked, Unloading

CHECK_TIMEOUT_S = 120.0
_PATHS_COUNT = (
    "put the recording there, or correct `audio` in experiments.toml: relative paths count from that file"
)


@dataclass(frozen=True)
class Missing:
    """Something that is not there: ``what``, and the command or sentence that gets it.

    ``not_possible``: nothing is missing, the model cannot be treated so.
    """

    what: str
    how_to_get_it: str
    not_possible: bool = False

    @property
    def reason(self) -> str:
        """The same, with the word before it where nothing is missing."""
        return f"{NOT_POSSIBLE}{self}" if self.not_possible else str(self)

    def __str__(self) -> str:
        return f"{self.what}; to get it: {self.how_to_get_it}" if self.how_to_get_it else self.what


@dataclass(frozen=True)
class Availability:
    """What a plan has and misses. ``missing`` maps an experiment's name to what it lacks (absent: nothing).

    ``audio`` is prepared audio by the sample's name; ``allocators`` are the libraries that variants preload, by what
    the plan calls them, and ``missing_allocators`` those that cannot be. ``unloading`` says by :func:`identity` how a
    model is to be unloaded, ``cold`` why one cannot be started warm. ``parts`` has each missing thing once, with the
    names of those who lack it.
    """

    audio: Mapping[str, PreparedAudio]
    missing: Mapping[str, Missing]
    allocators: Mapping[str, Path] = field(default_factory=dict[str, Path])
    missing_allocators: Mapping[str, Missing] = field(default_factory=dict[str, Missing])
    unloading: Mapping[str, Unloading] = field(default_factory=dict[str, Unloading])
    cold: Mapping[str, str] = field(default_factory=dict[str, str])
    parts: Mapping[Missing, Sequence[str]] = field(default_factory=dict[Missing, Sequence[str]])

    def lacking(self, experiment: Experiment, series: Series) -> Missing | None:
        """Return what keeps a series from running; None when nothing does."""
        found = self.missing.get(experiment.name)
        if found is None and series.allocator:
            found = self.missing_allocators.get(series.allocator)
        return self.not_possible(experiment, series) if found is None else found

    def not_possible(self, experiment: Experiment, series: Series) -> Missing | None:
        """Return why the models of an experiment cannot be treated as a series does; None where they can."""
        if series.method != "warm":
            return None
        whys = dict.fromkeys(self.cold.get(identity(step.model), "") for step in experiment.steps)
        said = "; ".join(filter(None, whys))
        return Missing(said, "", not_possible=True) if said else None

    def environment(self, series: Series) -> dict[str, str]:
        """Return the environment that the series' workers start with, beside their models' own."""
        library = self.allocators.get(series.allocator) if series.allocator else None
        return dict(series.env) if library is None else preloaded(library, series.env)


def look(plan: Plan, cache_dir: Path) -> Availability:
    """Check every model and sample of the plan once. Converted audio is written to ``cache_dir``."""
    audio, bad_samples = _prepare_samples(plan.experiments, cache_dir)
    bad_models, checked = _check_models(plan.experiments, Path(plan.file).parent)
    unloading: dict[str, Unloading] = {key: answer.unloading for key, answer in checked.items()}
    missing: dict[str, Missing] = {}
    parts: dict[Missing, list[str]] = {}
    for experiment in plan.experiments:
        reasons = dict.fromkeys(
            reason
            for step in experiment.steps
            for reason in (
                *bad_models.get(identity(step.model), ()),
                bad_samples.get(step.sample.name) if step.sample else None,
            )
            if reason is not None
        )
        for reason in reasons:
            parts.setdefault(reason, []).append(experiment.name)
        if reasons:
            missing[experiment.name] = Missing(
                " and ".join(reason.what for reason in reasons),
                "\n".join(dict.fromkeys(reason.how_to_get_it for reason in reasons if reason.how_to_get_it)),
            )
    allocators, bad_allocators = _allocators(plan.experiments)
    parts |= {reason: [f"allocator {name}"] for name, reason in bad_allocators.items()}
    cold = _cold(plan.experiments, checked)
    return Availability(audio, missing, allocators, bad_allocators, unloading, cold, parts)


def _cold(experiments: Iterable[Experiment], checked: Mapping[str, Checked]) -> dict[str, str]:
    """Return why models cannot be started warm, as far as that is known before one is loaded."""
    found: dict[str, str] = {}
    for model in (step.model for one in experiments for step in one.steps):
        answer = checked.get(identity(model))
        why = why_cold(msgspec.structs.replace(model, start="warm"))
        if answer is not None and not answer.forks:
            why = f"engine {model.engine} {NOT_ALLOWED}"
        if why:
            found[identity(model)] = f"model {model.name}: {why}"
    return found


def _allocators(experiments: Iterable[Experiment]) -> tuple[dict[str, Path], dict[str, Missing]]:
    """Find every allocator once, and start a worker with it."""
    found: dict[str, Path] = {}
    bad: dict[str, Missing] = {}
    for said in dict.fromkeys(series.allocator for one in experiments for series in one.series):
        if said is None:
            continue
        try:
            library = find_allocator(said, os.environ)
            check_replaced(library, {})
            found[said] = library
        except AllocatorError as error:
            bad[said] = Missing(error.what, error.how_to_get_it)
    return found, bad


def _prepare_samples(
    experiments: Iterable[Experiment], cache_dir: Path
) -> tuple[dict[str, PreparedAudio], dict[str, Missing]]:
    prepared: dict[str, PreparedAudio] = {}
    bad: dict[str, Missing] = {}
    for sample in _samples(experiments):
        try:
            prepared[sample.name] = prepare(sample.audio, cache_dir)
        except AudioError as error:
            hint = error.hint if Path(sample.audio).exists() else _PATHS_COUNT
            bad[sample.name] = Missing(f"sample {sample.name}: {error.path}: {error.problem}", hint)
    return prepared, bad


def _samples(experiments: Iterable[Experiment]) -> list[Sample]:
    return list(
        {step.sample.name: step.sample for one in experiments for step in one.steps if step.sample}.values()
    )


def _check_models(
    experiments: Iterable[Experiment], folder: Path
) -> tuple[dict[str, list[Missing]], dict[str, Checked]]:
    """Return what each distinct model lacks, and what its engine says of it; asked when all files are there."""
    models = {identity(step.model): step.model for one in experiments for step in one.steps}
    bad: dict[str, list[Missing]] = {}
    checked: dict[str, Checked] = {}
    for key, model in models.items():
        reasons = _missing_files(model, folder)
        if not reasons:
            answer = _ask_engine(model)
            if isinstance(answer, Checked):
                checked[key] = answer
            else:
                reasons = [answer]
        if reasons:
            bad[key] = reasons
    return bad, checked


def identity(model: BoundModel) -> str:
    """Return what tells the models of a plan apart."""
    return f"{model.name}\0{model.engine}\0{model.file}"


def _missing_files(model: BoundModel, folder: Path) -> list[Missing]:
    reasons: list[Missing] = []
    if model.library is not None and not Path(model.library).exists():
        reasons.append(Missing(f"library {model.library} is not there", build_library(folder)))
    if model.file is not None and not Path(model.file).exists():
        reasons.append(
            Missing(f"model {model.name}: {model.file} is not there", get_model_file(model, folder))
        )
    return reasons


def _ask_engine(model: BoundModel) -> Checked | Missing:
    try:
        with Dialogue(model.env, heap=False, models=[model]) as dialogue:
            return dialogue.ask(Check(1, model.spec()), Checked, timeout_s=CHECK_TIMEOUT_S, phase="check")
    except EngineUnavailableError as error:
        return Missing(f"model {model.name}: {error.what}", error.how_to_get_it)
    except (JobError, WorkerError) as error:
        return Missing(f"model {model.name}: engine {model.engine}: {error}", "")
