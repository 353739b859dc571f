"""What comes of a worker's start: its model is loaded, or could not be, or not in time, or the host was short."""

from __future__ import annotations

import re

from orchestrator.errors import (
    SHORTAGES,
    EngineUnavailableError,
    HostShortageError,
    SpawnError,
    WorkerError,
)
from orchestrator.pool.core.after_job import AfterJob
from orchestrator.pool.core.dispatch import Dispatch
from orchestrator.pool.core.entities import Worker
from orchestrator.pool.core.memory_monitor import MemoryMonitor
from orchestrator.pool.core.outcomes import Outcomes, identity
from orchestrator.pool.core.registry import Registry
from orchestrator.pool.core.states import ExitReason, WorkerEvent
from orchestrator.pool.core.termination import Termination
from orchestrator.pool.events import WorkerLoaded
from orchestrator.remote_errors import job_error
from orchestrator.stderr_lines import library_first
from orchestrator_worker.protocol import Failed, Loaded

_ERRNO = re.compile(r"\[Errno (\d+)\]")


class Starts:
    """The ends of starts, good or bad. Which worker is started, and when, is decided in :mod:`.dispatch`."""

    def __init__(
        self,
        registry: Registry,
        outcomes: Outcomes,
        termination: Termination,
        dispatch: Dispatch,
        after_job: AfterJob,
        memory: MemoryMonitor,
    ) -> None:
        self._registry = registry
        self._outcomes = outcomes
        self._termination = termination
        self._dispatch = dispatch
        self._after_job = after_job
        self._memory = memory

    def loaded(self, worker: Worker, loaded: Loaded, now: float) -> None:
        """A worker has its model loaded: its slot has it now, or it stands ready as a successor."""
        worker.move(WorkerEvent.LOADED)  # loading -> idle
        model_queue, registry = worker.model_queue, self._registry
        registry.timers.clear(worker)
        worker.ready_at = now
        model_queue.learn_start(now - worker.started_at)
        registry.metrics.load_durations.add(loaded.seconds)
        model_queue.restart_limit.started()
        model_queue.out_of_use, model_queue.half_open = None, False
        model_queue.rests.forget()
        registry.start_pause.started(worker.started_at)
        self._memory.learn(worker)
        if registry.settings.hard_budget:
            registry.sample_soon(now)  # it may stand idle above the budget
        if registry.effects.listening:
            registry.effects.tell(
                WorkerLoaded(
                    at_s=now,
                    model=model_queue.name,
                    start_s=now - worker.started_at,
                    load_s=loaded.seconds,
                    rss_bytes=worker.rss_bytes,
                    **identity(worker),
                )
            )
        if worker is worker.slot.worker:
            self._after_job.stands_idle(worker, now)
        else:
            self._after_job.successor_ready(worker, now)

    def failed(self, worker: Worker, failed: Failed, now: float) -> None:
        """A worker could not load its model. Where the host was short of something, the model is not to blame."""
        error: Exception
        if _is_shortage(failed):
            self._dispatch.put_off_starts(HostShortageError(failed.message, **identity(worker)), now)
            self._termination.dismiss(worker, ExitReason.START_FAILED, now)
            return
        if failed.kind == "unavailable":
            error = EngineUnavailableError(failed.message, failed.how_to_get_it)
        else:
            error = job_error(failed)
        self._termination.dismiss(worker, ExitReason.START_FAILED, now)
        self._termination.start_failed(worker.model_queue, error, now)

    def timed_out(self, worker: Worker, now: float) -> None:
        """A worker has taken longer to load than a start may."""
        limit_s = self._registry.settings.start_timeout_s
        error: WorkerError = SpawnError(
            f"not loaded within {limit_s:g} s; last output:\n{library_first(worker.link.stderr_tail())}",
            **identity(worker),
        )
        self._termination.dismiss(
            worker, ExitReason.START_FAILED, now, cause=f"a start longer than {limit_s:g} s"
        )
        self._termination.start_failed(worker.model_queue, error, now)

    def pause_over(self, now: float) -> None:
        """Try to start workers again; where none has lived for the time that a start may take, no job waits longer."""
        registry = self._registry
        registry.replan = True
        why = registry.start_pause.why
        if why is None or any(registry.workers()):
            return
        if now - registry.start_pause.since >= registry.settings.start_timeout_s:
            for model_queue in registry.model_queues.values():
                for job in model_queue.waiting.members():
                    self._outcomes.fail(job, HostShortageError(why), "refused", now)


def _is_shortage(failed: Failed) -> bool:
    """Whether a load failed because the system had something no more: descriptors, processes, memory, disk."""
    found = _ERRNO.match(failed.message)
    return failed.kind == "error" and found is not None and int(found[1]) in SHORTAGES
