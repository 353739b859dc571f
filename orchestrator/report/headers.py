"""What stands above an experiment: the original study's header lines, and ours (Profile, Methods). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath

from rich.cells import cell_len, chop_cells

from orchestrator.config.model import BoundModel
from orchestrator.config.types import Experiment, Sample
from orchestrator.report.layout import Line, title_block
from orchestrator.report.names import experiment_title, method_name, step_name
from orchestrator.report.shape import Shape, columns_of, models_of, shape_of

LONGEST_TEXT = 44
"""Cells after which a transcript is cut, as in the original study."""


def experiment_header(experiment: Experiment, profile: str, width: int | None = None) -> list[Line]:
    """Return the header of ``experiment`` under ``profile``."""
    shape = shape_of(experiment)
    per_method = shape in {Shape.COMPARISON, Shape.ALIGNMENT}
    samples = list(dict.fromkeys(_samples(experiment)))
    text_name = "Transcript" if shape is Shape.ALIGNMENT else "Ground Truth"
    facts = [
        *_model_facts(experiment, shape),
        ("Audio", _joined(sample.audio for sample in samples) or "none"),
        (text_name, _text(experiment, samples)),
        ("Inference Threads", _threads(experiment)),
        ("Iterations per method" if per_method else "Iterations", str(experiment.iterations)),
        ("Profile", profile),
        ("Methods", _joined(method_name(series) for series in columns_of(experiment))),
    ]
    return [
        *title_block(experiment_title(experiment), width),
        *(Line(f"{name}: {value}") for name, value in facts),
    ]


def shortened(text: str, longest: int = LONGEST_TEXT) -> str:
    """Return ``text`` on one line, cut after ``longest`` cells with ``...`` behind it."""
    line = " ".join(text.split())
    return line if cell_len(line) <= longest else chop_cells(line, longest)[0] + "..."


def _model_facts(experiment: Experiment, shape: Shape) -> list[tuple[str, str]]:
    models = models_of(experiment)
    if shape is Shape.CHAIN:
        steps = {step.model.name: step for step in reversed(experiment.steps)}
        return [
            (f"{step_name(experiment, steps[role])} Model", PurePath(_model(model)).name)
            for role, model in models.items()
        ]
    if shape is Shape.MODELS:
        return [(f"Model {i} ({model.label})", _model(model)) for i, model in enumerate(models.values(), 1)]
    return [("Model", _model(model)) for model in models.values()]


def _model(model: BoundModel) -> str:
    """Return the model's file; an engine that brings its own weights goes by its name."""
    return model.file or model.engine


def _samples(experiment: Experiment) -> Iterable[Sample]:
    return (step.sample for step in experiment.steps if step.sample is not None)


def _text(experiment: Experiment, samples: Iterable[Sample]) -> str:
    own = [step.text for step in experiment.steps if step.text not in {None, "previous", "reference"}]
    texts = [sample.reference for sample in samples if sample.reference]
    if shape_of(experiment) is Shape.ALIGNMENT and own:
        texts = [text for text in own if text]
    return _joined(shortened(text) for text in texts) or "none"


def _threads(experiment: Experiment) -> str:
    """Return the threads; where models differ, each with its label."""
    models = models_of(experiment).values()
    said = dict.fromkeys(_thread_words(model) for model in models)
    if len(said) == 1:
        return next(iter(said))
    return _joined(f"{_thread_words(model)} [{model.label}]" for model in models)


def _thread_words(model: BoundModel) -> str:
    count = "the engine's own choice" if model.threads is None else str(model.threads)
    return f"{count} ({model.threads_note})" if model.threads_note else count


def _joined(parts: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(parts))
