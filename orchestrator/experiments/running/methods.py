"""The five ways to treat a model, each as the order of its phases in one iteration.

::

    recreate   one process   [ load infer unload ] for each step; with ``jobs_per_load`` several infers
    restart    one process   load once; then [ restart ] infer
    reuse      one process   load once; then infer
    recycle    the baseline  one process per step and per ``recycle_after`` iterations:
                             start [ load infer unload ] stop, without the unload
                             where the library does not live through it
    warm       on request    one template per model, which loads once and does no job;
                             one process per step and iteration, forked from it:
                             start infer stop

Where a library does not live through a destroy, ``unload`` leaves the model where it is (``abandoned``).

A method does one iteration when called and has each job done by ``infer``; it raises what the worker's end
raises.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from random import Random

from orchestrator.config.types import Experiment, MethodName, Step
from orchestrator.errors import EngineUnavailableError, JobError, WorkerDiedError, WorkerError
from orchestrator.experiments.running.draft import StepDraft
from orchestrator.experiments.running.stage import Stage, TrimReadings
from orchestrator.experiments.storage.records import Boundary
from orchestrator.process.loaded_template import LoadedTemplate

_FROM_THEN_ON = "from there on its processes are ended with the model loaded, and read after infer"
Infer = Callable[[Stage, StepDraft], None]
Finished = Callable[[StepDraft], None]
MakeStage = Callable[[Sequence[Step]], Stage]


class Method(ABC):
    """One series' way of working; owns its stages.

    ``abandoned`` are the roles whose models are left where they are in place of being destroyed.
    """

    memory_boundary: Boundary = "after_unload"
    """Where the iteration's memory is read: the original study's own place, and the leak series'."""
    loads_each_step = True
    """Whether a model is loaded anew for each step, so that what a step before heard has a say in how."""

    def __init__(
        self,
        experiment: Experiment,
        make_stage: MakeStage,
        infer: Infer,
        finished: Finished,
        abandoned: Collection[str] = (),
    ) -> None:
        self.experiment = experiment
        self._abandoned = frozenset(abandoned)
        self._infer = infer
        self._finished = finished
        self._make_stage = make_stage
        self.unclean_exits: list[str] = []

    @property
    @abstractmethod
    def stages(self) -> Sequence[Stage]:
        """The stages in use."""

    @abstractmethod
    def iterate(self, drafts: Sequence[StepDraft], *, last: bool) -> None:
        """Do one iteration, one draft a step; ``last``: it is the last one, or may turn out to be."""

    @property
    def life(self) -> int:
        """Iterations since the worker in use was started."""
        return self.stages[-1].life

    def trim(self) -> TrimReadings | None:
        """Trim the heap after the last reading; None when no worker is left to ask."""
        return self._try_trim(self.stages[-1])

    def close(self) -> None:
        """End the workers that are left, politely."""
        for stage in self.stages:
            self._stop(stage)

    def kill(self) -> None:
        """End the workers that are left, at once."""
        for stage in self.stages:
            stage.kill()

    def _try_trim(self, stage: Stage) -> TrimReadings | None:
        """Trim last of all: all is measured already, so a death here costs a reading, not the series."""
        if not stage.alive:
            return None
        try:
            return stage.trim()
        except (WorkerError, JobError) as error:
            self.unclean_exits.append(f"trim: {error}")
            return None

    def _stop(self, stage: Stage, draft: StepDraft | None = None) -> None:
        if (unclean := stage.stop(draft)) is not None:
            self.unclean_exits.append(unclean)


class _OneProcess(Method):
    def __init__(
        self,
        experiment: Experiment,
        make_stage: MakeStage,
        infer: Infer,
        finished: Finished,
        abandoned: Collection[str] = (),
    ) -> None:
        super().__init__(experiment, make_stage, infer, finished, abandoned)
        self._stage = make_stage(experiment.steps)

    @property
    def stages(self) -> Sequence[Stage]:
        return (self._stage,)

    def _begin(self, first: StepDraft) -> Stage:
        if not self._stage.alive:
            self._stage.start(first)
        self._stage.begin_iteration()
        return self._stage


class Recreate(_OneProcess):
    """Destroy and create the engine object each time, in one process: the original study's Way 1."""

    def iterate(self, drafts: Sequence[StepDraft], *, last: bool) -> None:  # noqa: ARG002
        """Load, infer and unload each step."""
        stage = self._begin(drafts[0])
        for draft in drafts:
            stage.load(draft)
            draft.jobs = jobs_of_load(self.experiment, draft.step.model.name, stage.life)
            for _ in range(draft.jobs):
                self._infer(stage, draft)
            stage.unload(draft, abandon=draft.step.model.name in self._abandoned)
            self._finished(draft)


def jobs_of_load(experiment: Experiment, role: str, iteration: int) -> int:
    """Return how many jobs a load does in an iteration (from 1): each number as often as any other, in drawn order.

    Drawn for each model by itself, and the same in every run, so that runs can be compared.
    """
    fewest, most = experiment.jobs_per_load
    counts = range(fewest, most + 1)
    block, place = divmod(iteration - 1, len(counts))
    drawn = Random(  # noqa: S311 - a plan of measurements, no secret
        f"{experiment.name}:{role}:{block}"
    ).sample(counts, len(counts))
    return drawn[place]


class Reuse(_OneProcess):
    """Load once and keep the model; nothing is reset."""

    memory_boundary = "after_infer"
    loads_each_step = False
    restarts = False

    def iterate(self, drafts: Sequence[StepDraft], *, last: bool) -> None:  # noqa: ARG002
        """Infer each step, with the model that the first iteration loaded."""
        stage = self._begin(drafts[0])
        for index, draft in enumerate(drafts):
            if stage.life == 1 and index == 0:
                stage.load(draft)
            elif self.restarts:
                stage.restart(draft)
            self._infer(stage, draft)
            self._finished(draft)


class Restart(Reuse):
    """Load once, call ``restart()`` before every further job: the original study's Way 2."""

    restarts = True


class Recycle(Method):
    """A fresh process every ``recycle_after`` iterations, one per step: the process-restart baseline."""

    def __init__(
        self,
        experiment: Experiment,
        make_stage: MakeStage,
        infer: Infer,
        finished: Finished,
        abandoned: Collection[str] = (),
    ) -> None:
        super().__init__(experiment, make_stage, infer, finished, abandoned)
        self._stages = [make_stage([step]) for step in experiment.steps]
        self._last_trim: TrimReadings | None = None
        self._unloads: bool | None = None  # not known before the first

    @property
    def stages(self) -> Sequence[Stage]:
        """One a step."""
        return self._stages

    def iterate(self, drafts: Sequence[StepDraft], *, last: bool) -> None:
        """Start a process where there is none, load, infer, unload, and stop it when its time has come."""
        for index, (stage, draft) in enumerate(zip(self._stages, drafts, strict=True)):
            if not stage.alive:
                stage.start(draft)
            stage.begin_iteration()
            stage.load(draft)
            self._infer(stage, draft)
            self._unload(stage, draft)
            self._finished(draft)
            if stage.alive and (stage.life >= self.experiment.recycle_after or not self._unloads):
                if last and index == len(drafts) - 1:
                    self._last_trim = self._try_trim(stage)
                self._stop(stage, draft)

    def _unload(self, stage: Stage, draft: StepDraft) -> None:
        """Unload, unless the library has shown that it cannot: it is the process' end that gives memory back.

        A first unload that fails or kills the process is noted, once; from then on each process is ended with
        its model loaded, and memory is read after infer. A later one is a death like any other.
        """
        if self._unloads is False:
            return
        try:
            stage.unload(draft, abandon=draft.step.model.name in self._abandoned)
        except (WorkerDiedError, EngineUnavailableError) as error:
            if self._unloads:
                raise
            cause = error.cause if isinstance(error, WorkerDiedError) else error.what
            self.unclean_exits.append(f"{cause} while unloading {draft.step.model.name}; {_FROM_THEN_ON}")
            self.memory_boundary = "after_infer"
            if isinstance(error, WorkerDiedError):
                stage.kill()
        self._unloads = "after_unload" in draft.readings

    def trim(self) -> TrimReadings | None:
        """Trim the last process, or return the readings taken before it was stopped."""
        stage = self.stages[-1]
        return self._try_trim(stage) if stage.alive else self._last_trim


class Warm(Method):
    """A fresh process for each job, forked from a template that has the model loaded.

    It is read after infer and ended with the model loaded, as a pool ends its workers: an unload would write to pages
    that it shares.
    """

    memory_boundary = "after_infer"

    def __init__(
        self,
        experiment: Experiment,
        make_stage: MakeStage,
        infer: Infer,
        finished: Finished,
        abandoned: Collection[str] = (),
    ) -> None:
        super().__init__(experiment, make_stage, infer, finished, abandoned)
        self._stages = [make_stage([step]) for step in experiment.steps]
        self._templates: dict[str, LoadedTemplate] = {}

    @property
    def stages(self) -> Sequence[Stage]:
        """One a step."""
        return self._stages

    def iterate(self, drafts: Sequence[StepDraft], *, last: bool) -> None:  # noqa: ARG002
        """Fork a process for each step, let it do the job, and stop it.

        Raises:
            NotForkableError: The model cannot be forked.
        """
        for stage, draft in zip(self._stages, drafts, strict=True):
            stage.start(draft, self._template(stage, draft))
            stage.begin_iteration()
            stage.load(draft)
            self._infer(stage, draft)
            self._finished(draft)
            self._stop(stage, draft)

    def _template(self, stage: Stage, draft: StepDraft) -> LoadedTemplate:
        """Return the template of the step's model; a new one where another language was heard."""
        name, spec = draft.step.model.name, draft.step.model.spec()
        known = self._templates.get(name)
        if known is not None and known.spec == spec:
            return known
        if known is not None:
            del self._templates[name]
            known.close()
        made = self._templates[name] = stage.load_template(draft)
        return made

    def trim(self) -> TrimReadings | None:
        """Return nothing: a process that has done one job has nothing to show."""
        return None

    def close(self) -> None:
        """End workers, then their templates, which alone can say how they ended."""
        super().close()
        self._close_templates()

    def kill(self) -> None:
        """End both at once."""
        super().kill()
        self._close_templates()

    def _close_templates(self) -> None:
        while self._templates:
            self._templates.popitem()[1].close()


METHODS: dict[MethodName, type[Method]] = {
    "recreate": Recreate,
    "restart": Restart,
    "reuse": Reuse,
    "recycle": Recycle,
    "warm": Warm,
}

__all__ = ["METHODS", "Method", "Recreate", "Recycle", "Restart", "Reuse", "Warm"]
