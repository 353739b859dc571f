"""A text resolved to a plan, and what tests look up in one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.config.model import BoundModel
from orchestrator.config.types import Experiment, Plan
from orchestrator.errors import ConfigError, ConfigProblem

Write = Callable[[str], Path]
Resolved = Callable[..., Plan]

VARIANTS = """\
[experiment.variants.one-arena]
env = { MALLOC_ARENA_MAX = "1", A = "variant" }
[experiment.variants.preload]
env = { LD_PRELOAD = "x.so" }
methods = ["recreate"]
"""


def model_of(plan: Plan, experiment: int = 0, step: int = 0) -> BoundModel:
    return plan.experiments[experiment].steps[step].model


def series_of(experiment: Experiment) -> list[str]:
    return [series.key for series in experiment.series]


def problems_of(act: Callable[[], object]) -> list[ConfigProblem]:
    with pytest.raises(ConfigError) as caught:
        act()
    return list(caught.value.problems)
