"""Does a model's library live through a destroy? Found out in a process of its own, once a run.

::

    spawn ─▶ load ─▶ job ─▶ destroy ─▶ load again ─▶ job        all well: models are destroyed
                              │            │
                              └─ died ─────┴─ died, hangs, refuses, is missing: models are abandoned

It cannot be seen from outside: the function is there where it works and where it aborts. Nothing is measured here.
What goes wrong *before* the destroy says nothing about it; the series that follows will report it.
"""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.config.types import Experiment, Series, Step
from orchestrator.errors import (
    EngineUnavailableError,
    JobError,
    JobTimeoutError,
    WorkerDiedError,
    WorkerError,
)
from orchestrator.experiments.running.availability import Availability, identity
from orchestrator.process.dialogue import Dialogue
from orchestrator.process.engine_environment import engine_defaults
from orchestrator.stderr_lines import own_line
from orchestrator_worker.protocol import Done, Job, Load, Loaded, Run, Unload, Unloaded

DESTROY_TIMEOUT_S = 60.0
"""A destroy that takes longer hangs; a series' own limit counts where it is shorter."""
AS_ASKED = 'options.destroy = "abandon"'
_UNLOADING_METHODS = frozenset({"recreate", "recycle"})
_ANY_WORDS = "one two three"
_ENDS = {"SIGABRT": "aborts", "exit": "ends the process"}


class DestroyTrials:
    """Says of each model of a series why it is to be abandoned, and remembers the answers."""

    def __init__(self, availability: Availability) -> None:
        self._availability = availability
        self._known: dict[tuple[str, ...], str] = {}

    def abandoned(self, experiment: Experiment, series: Series) -> dict[str, str]:
        """Return by role why models are abandoned; empty where all are destroyed. Blocks while one is tried."""
        if series.method not in _UNLOADING_METHODS:
            return {}
        found = {step.model.name: self._why(experiment, series, step) for step in experiment.steps}
        return {role: why for role, why in found.items() if why}

    def _why(self, experiment: Experiment, series: Series, step: Step) -> str:
        asked = self._availability.unloading.get(identity(step.model), "destroy")
        if asked != "try":
            return AS_ASKED if asked == "abandon" else ""
        env = {
            **engine_defaults(step.model.engine, step.model.env),
            **step.model.env,
            **self._availability.environment(series),
        }
        key = (identity(step.model), step.model.library or "", *map("=".join, sorted(env.items())))
        if key not in self._known:
            self._known[key] = try_destroy(step, self._job(step), env, timeout_s=experiment.timeout_s)
        return self._known[key]

    def _job(self, step: Step) -> Job:
        prepared = self._availability.audio.get(step.sample.name) if step.sample else None
        text = None
        if step.task != "asr":
            said = step.sample.reference if step.sample else None
            text = step.text if step.text not in {None, "previous", "reference"} else said or _ANY_WORDS
        audio = prepared.audio if prepared else None
        return Job(step.task, audio, text, step.model.language, step.options)


def try_destroy(step: Step, job: Job, env: Mapping[str, str], *, timeout_s: float) -> str:
    """Load, work, destroy and load again in a worker of its own; return what went wrong from the destroy on.

    Empty where nothing did, and where it did not get that far.
    """
    destroyed = False
    dialogue: Dialogue | None = None
    try:
        with Dialogue(env, heap=False, models=[step.model]) as dialogue:
            _load_and_work(dialogue, step, job, timeout_s)
            destroyed = True
            limit_s = min(timeout_s, DESTROY_TIMEOUT_S)
            dialogue.ask(Unload(3), Unloaded, timeout_s=limit_s, phase="unload")
            _load_and_work(dialogue, step, job, timeout_s)
    except WorkerDiedError as error:
        return _death(error) if destroyed else ""
    except JobTimeoutError as error:
        return _hang(error, dialogue.phase) if destroyed and dialogue is not None else ""
    except EngineUnavailableError as error:
        return error.what if destroyed else ""
    except (JobError, WorkerError) as error:
        return f"destroy fails ({_message(error)})" if destroyed else ""
    return ""


def _load_and_work(dialogue: Dialogue, step: Step, job: Job, timeout_s: float) -> None:
    dialogue.ask(Load(1, step.model.spec()), Loaded, timeout_s=timeout_s, phase="load")
    dialogue.ask(Run(2, job), Done, timeout_s=timeout_s, phase="infer")


def _death(error: WorkerDiedError) -> str:
    said = own_line(error.stderr_tail)
    cause = f"({error.cause}: {said})" if said else f"({error.cause})"
    if error.phase != "unload":
        return f"destroy leaves a process that dies in the next {error.phase} {cause}"
    verb = next((verb for start, verb in _ENDS.items() if error.cause.startswith(start)), "crashes")
    return f"destroy {verb} {cause}"


def _hang(error: JobTimeoutError, phase: str) -> str:
    if phase != "unload":
        return (
            f"destroy leaves a process that hangs in the next {phase} (no answer within {error.limit_s:g} s)"
        )
    return f"destroy hangs (no answer within {error.limit_s:g} s)"


def _message(error: JobError | WorkerError) -> str:
    return error.message if isinstance(error, JobError) else str(error)
