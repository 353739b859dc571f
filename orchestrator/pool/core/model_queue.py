"""All that a pool knows about one model: its waiting jobs, its workers, what was learnt, whether it is in use."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from orchestrator.errors import ModelOutOfUseError
from orchestrator.pool.core.growth_model import Learner
from orchestrator.pool.core.memory_budget import first_guess, learnt_need
from orchestrator.pool.core.restart_limit import RestartLimit
from orchestrator.pool.core.waiting import WaitingJobs
from orchestrator.pool.models import Model

if TYPE_CHECKING:
    from orchestrator.pool.core.slot import Worker

WEIGHT_OF_THE_NEWEST = 0.2
"""In the moving means of how long starts and jobs take."""


class ModelQueue:
    """One model's queue, its workers and what was learnt of it."""

    __slots__ = (
        "cause",
        "engine_s",
        "exits",
        "idle",
        "job_s",
        "learner",
        "measured_bytes",
        "model",
        "out_of_use",
        "restart_limit",
        "spec",
        "start_s",
        "waiting",
        "workers",
    )

    def __init__(self, model: Model) -> None:
        self.model = model
        self.spec = model.spec()
        self.waiting = WaitingJobs()
        self.idle: dict[Worker, None] = {}
        """Workers that can be given a job now, least recently used first."""
        self.workers: set[Worker] = set()
        """Workers in a slot, successors not counted."""
        self.restart_limit = RestartLimit()
        self.out_of_use: ModelOutOfUseError | None = None
        self.cause: BaseException | None = None
        self.exits: Counter[str] = Counter()
        self.measured_bytes = 0
        self.start_s: float | None = None
        self.job_s: float | None = None
        self.engine_s = math.inf
        self.learner: Learner | None = None
        """What its workers have shown of its growth, where it is recycled by that."""

    @property
    def name(self) -> str:
        """The model's name."""
        return self.model.name

    def need_bytes(self, budget_bytes: int) -> int:
        """Return what a worker of this model needs: measured, or a first guess."""
        if self.measured_bytes:
            return learnt_need(self.measured_bytes, budget_bytes)
        return first_guess(self.model.file_bytes())

    def learn_start(self, seconds: float) -> None:
        """Note how long a worker took from spawn to loaded."""
        known = self.start_s
        self.start_s = seconds if known is None else known + WEIGHT_OF_THE_NEWEST * (seconds - known)

    def learn_job(self, seconds: float, engine_s: float) -> None:
        """Note how long a job took, from the moment it was begun to its answer, and what the engine says of that."""
        known, engine = self.job_s, self.engine_s
        if known is None:
            self.job_s, self.engine_s = seconds, engine_s
        else:
            self.job_s = known + WEIGHT_OF_THE_NEWEST * (seconds - known)
            self.engine_s = engine + WEIGHT_OF_THE_NEWEST * (engine_s - engine)

    def learn_memory(self, peak_bytes: int) -> None:
        """Note the peak of a load and of a first job."""
        self.measured_bytes = max(self.measured_bytes, peak_bytes)

    def refusal(self) -> ModelOutOfUseError:
        """Return the error for one more job of a model that is out of use; each caller gets its own."""
        known = self.out_of_use
        assert known is not None
        error = ModelOutOfUseError(known.model, known.why, known.evidence)
        error.__cause__ = self.cause
        return error
