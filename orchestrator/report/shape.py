"""Which kind of tables an experiment gets: decided by its steps and methods, never by its name. Pure."""

from __future__ import annotations

from enum import Enum

from orchestrator.config.model import BoundModel
from orchestrator.config.types import Experiment, Series


class Shape(Enum):
    """The five kinds, after the five experiments they were first made for."""

    BENCHMARK = "one model, speed and memory (exp1)"
    COMPARISON = "one model, ways of repeated inference compared (exp2)"
    MODELS = "several models in turn (exp3)"
    ALIGNMENT = "forced alignment, ways compared (exp4)"
    CHAIN = "transcription, then alignment (exp5)"

    @property
    def several_models(self) -> bool:
        """Whether numbers are given per model."""
        return self in {Shape.MODELS, Shape.CHAIN}


def shape_of(experiment: Experiment) -> Shape:
    """Return the kind of ``experiment``."""
    tasks = {step.task for step in experiment.steps}
    if len(models_of(experiment)) > 1:
        return Shape.CHAIN if "align" in tasks else Shape.MODELS
    if tasks == {"align"}:
        return Shape.ALIGNMENT
    methods = {series.method for series in experiment.series}
    return Shape.COMPARISON if methods & {"restart", "reuse", "warm"} else Shape.BENCHMARK


def models_of(experiment: Experiment) -> dict[str, BoundModel]:
    """Return the experiment's models by role, in the order of its steps."""
    return {step.model.name: step.model for step in experiment.steps}


def columns_of(experiment: Experiment) -> list[Series]:
    """Return the series as columns: in the experiment's order, the baseline last."""
    return sorted(experiment.series, key=lambda series: series.method == "recycle")


def pairs_of(experiment: Experiment) -> list[tuple[Series, Series | None]]:
    """Return every other series with its baseline: that of its own variant, else the plain one.

    Baselines that nothing is held against come last, alone.
    """
    baselines = {series.variant: series for series in experiment.series if series.method == "recycle"}
    in_process = [series for series in experiment.series if series.method != "recycle"]
    pairs = [(series, baselines.get(series.variant, baselines.get(None))) for series in in_process]
    used = {baseline.key for _, baseline in pairs if baseline}
    alone = [(baseline, None) for baseline in baselines.values() if baseline.key not in used]
    return [*pairs, *alone]
