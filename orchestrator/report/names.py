"""What series, models and steps are called in tables, headers and lines. Pure.

The original study's words are kept: ``Destroy+Recreate``, ``Restart()``, ``0.6B Model``, ``ASR``, ``Aligner``.
"""

from __future__ import annotations

import re

from orchestrator.config.types import Experiment, MethodName, Series, Step
from orchestrator.report.shape import Shape, shape_of
from orchestrator.report.summaries import SeriesSummary

BASELINE = "(baseline)"

_METHODS: dict[MethodName, str] = {
    "recreate": "Destroy+Recreate",
    "restart": "Restart()",
    "reuse": "Reuse",
    "recycle": f"Recycle {BASELINE}",
    "warm": "Warm",
}
_METHOD_SENTENCES: dict[MethodName, str] = {
    "recreate": "Destroy + Recreate {engine} each iteration",
    "restart": "Reuse {engine}, call restart() each iteration",
    "reuse": "Reuse {engine}, reset nothing",
    "recycle": "Fresh process {every} (baseline)",
    "warm": "Fork of a process that has {engine} loaded, each iteration",
}
_TASKS = {"asr": "ASR", "align": "Aligner"}
_ENGINES = {"chatllm": "ChatLLM"}
_NUMBERED = re.compile(r"exp-?(\d+)")


def method_name(series: Series, summary: SeriesSummary | None = None) -> str:
    """Return the column's name; ``summary`` tells whether there was anything to restart, or to destroy."""
    name = _METHODS[series.method]
    if series.method == "recreate" and summary is not None and summary.abandoned:
        name += " (abandoned)"
    if series.method == "restart" and summary is not None and summary.reset == "none":
        name += " (no reset)"
    return f"{name} @{series.variant}" if series.variant else name


def method_sentence(experiment: Experiment, series: Series) -> str:
    """Return ``Method 1: Destroy + Recreate ChatLLM each iteration`` and the like."""
    number = next((i for i, each in enumerate(experiment.series, 1) if each.key == series.key), 0)
    engines = dict.fromkeys(_ENGINES.get(step.model.engine, step.model.engine) for step in experiment.steps)
    jobs = experiment.recycle_after
    every = "each iteration" if jobs == 1 else f"every {jobs} iterations"
    sentence = _METHOD_SENTENCES[series.method].format(engine=" and ".join(engines), every=every)
    return f"Method {number}: {sentence}" + (f" @{series.variant}" if series.variant else "")


def experiment_title(experiment: Experiment) -> str:
    """Return ``Experiment 2: Memory Leak Comparison``, or the title with the name behind it."""
    numbered = _NUMBERED.fullmatch(experiment.name)
    if not experiment.title or experiment.title == experiment.name:
        return experiment.name
    if numbered is None or shape_of(experiment) is Shape.BENCHMARK:
        return f"{experiment.title} ({experiment.name})"
    return f"Experiment {numbered[1]}: {experiment.title}"


def step_name(experiment: Experiment, step: Step) -> str:
    """Return what one step is called: ``ASR`` or ``Aligner`` in a chain, else the model's label.

    Where a chain has several steps of one task the label is added.
    """
    if shape_of(experiment) is not Shape.CHAIN or step.task not in _TASKS:
        return step.model.label
    name = _TASKS[step.task]
    models = {each.model.name for each in experiment.steps if each.task == step.task}
    return f"{name} {step.model.label}" if len(models) > 1 else name


def model_names(experiment: Experiment) -> dict[str, str]:
    """Return the names of an experiment's models by role: ``0.6B Model``, or the step's name in a chain."""
    chain = shape_of(experiment) is Shape.CHAIN
    names: dict[str, str] = {}
    for step in experiment.steps:
        name = step_name(experiment, step)
        names.setdefault(step.model.name, name if chain else f"{name} Model")
    return names
