"""The memory of a pool's workers, read from outside: series, needs learnt, the hard limit.

Read while a worker does something, at a fixed pace, and at the end of a load and of a first job. An idle
worker stands still, so nothing is read and the loop sleeps. Readings are taken by a process of its own once a pool has
worked for a moment: what it read while this loop could not run is in series and peaks all the same, and it wakes the
loop for what is above a limit.

A *hard budget* is kept in the middle of jobs too. Recycling looks between two jobs, reservations look before a start.
What is left is a job that takes more than any before it, and models whose need was guessed too low. They are seen at
the next reading, 20 ms later at most, and one worker is killed: the one that is missed least. Its job is no worse than
others for that, so it is given again and the attempt is not counted, unless it had the whole budget for itself: then no
other worker would do better.
"""

from __future__ import annotations

import math

from orchestrator.config.sizes import format_size
from orchestrator.errors import SpawnError
from orchestrator.pool.core.entities import Pulse, Sample, Worker
from orchestrator.pool.core.outcomes import identity
from orchestrator.pool.core.registry import Registry
from orchestrator.pool.core.states import ExitReason, WorkerState
from orchestrator.pool.core.termination import Rung, Termination
from orchestrator.pool.core.warm.templates import Templates

LOOKS_AT_A_PULSE = 4
"""How often a heartbeat is looked for in the time after which a worker without one is frozen."""
_AT_WORK = {WorkerState.BUSY, WorkerState.CANCELLING}
_STARTING = {WorkerState.STARTING, WorkerState.LOADING}


class MemoryMonitor:
    """Takes readings and acts on them."""

    def __init__(self, registry: Registry, termination: Termination, templates: Templates) -> None:
        self._registry = registry
        self._termination = termination
        self._templates = templates
        self._hard_budget = HardBudget(registry, termination, templates)

    def sample(self, now: float) -> None:
        """Read every worker that does something; stop sampling when none does."""
        registry = self._registry
        active = [worker for worker in registry.workers() if worker.state is not WorkerState.IDLE]
        hard = registry.settings.hard_budget
        leaving = [worker for worker in registry.leaving if hard or worker.limits.hard_rss_bytes is not None]
        goes_on = active or leaving or (hard and self._templates.any_loads())
        registry.next_sample_at = now + registry.settings.sample_interval_s if goes_on else None
        registry.effects.gather_readings(now)
        overshoot = 0
        for worker in registry.workers():
            if worker.state is WorkerState.IDLE:
                self._look_back(worker, worker.idle_since)
        for worker in active:
            self._follow(worker, now)
            overshoot += registry.budget.overshoot_bytes(worker, worker.rss_bytes)
            self._enforce(worker, now)
            if worker.template is not None and not worker.template.proven:
                self._look_at_first_job(worker, now)
            if registry.settings.heartbeat_s is not None:
                self._feel_pulse(worker, registry.settings.heartbeat_s, now)
        registry.metrics.overshoot_peak_bytes = max(registry.metrics.overshoot_peak_bytes, overshoot)
        for worker in leaving:
            self.read(worker)
            if worker.rss_bytes > (worker.limits.hard_rss_bytes or math.inf):
                self._termination.hurry(worker, now)
        if hard:
            self._hard_budget.keep(now)
        if registry.next_sample_at is None:
            registry.effects.rest_readings()

    def alarm(self, now: float) -> None:
        """A reading was above a limit: look at once, where it is looked at all."""
        if self._registry.next_sample_at is not None:
            self._registry.next_sample_at = now

    def _follow(self, worker: Worker, now: float) -> None:
        """Take the readings since the last look. Those of before its job are of what it did then."""
        job, slot = worker.job, worker.slot
        for at_s, rss_bytes in worker.link.readings(now):
            if job is None or at_s >= job.started_at:
                worker.saw_rss(rss_bytes)
                number = None if job is None else job.id
            else:
                worker.peak_bytes = max(worker.peak_bytes, rss_bytes)
                number = None
            slot.series.append(Sample(at_s, rss_bytes, worker.generation, worker.state, number))

    def last_look(self, worker: Worker) -> None:
        """Its process is gone: what was read of it until then is the last there will be."""
        self._registry.effects.collect_readings()
        self._look_back(worker, math.inf)

    def _look_back(self, worker: Worker, until: float) -> None:
        """Take readings of a time that is over, when it worked; those after it, as idle, are dropped."""
        state = WorkerState.BUSY if worker.jobs else WorkerState.LOADING
        for at_s, rss_bytes in worker.link.past_readings():
            if at_s <= until:
                worker.peak_bytes = max(worker.peak_bytes, rss_bytes)
                worker.slot.series.append(Sample(at_s, rss_bytes, worker.generation, state, None))

    def read(self, worker: Worker) -> None:
        """Take one reading."""
        worker.saw_rss(worker.link.read_rss())

    def learn(self, worker: Worker) -> None:
        """A load or a job has shown what the model needs; the reservation follows, as far as there is room."""
        # A process that was just forked is like its siblings; after a job each is looked at for itself.
        worker.saw_rss(worker.link.read_rss(anew=worker.template is None or worker.jobs > 0))
        registry = self._registry
        if worker.jobs <= 1:
            registry.effects.collect_readings()
            self._look_back(worker, math.inf)
            worker.model_queue.learn_memory(worker, worker.peak_bytes)
        need = worker.model_queue.need_bytes(registry.budget.limit_bytes)
        registry.budget.adjust(worker, max(need, worker.rss_bytes))

    def _feel_pulse(self, worker: Worker, limit_s: float, now: float) -> None:
        """Kill a worker that cannot run at all. One that is merely slow, asleep or in native code has a pulse."""
        pulse = worker.pulse
        if (pulse is not None and now < pulse.look_at) or worker.state is WorkerState.LEAVING:
            return
        read = worker.link.read_pulse()
        if read is None or pulse is None or pulse.count != read[0]:
            pulse = worker.pulse = Pulse(-1 if read is None else read[0], now)
        pulse.look_at = now + limit_s / LOOKS_AT_A_PULSE
        pulse.looks += 1
        # Several looks, because this process may have been stopped together with the worker.
        if now - pulse.since < limit_s or pulse.looks <= LOOKS_AT_A_PULSE or read is None:
            return
        cause = f"frozen (no thread of it has run for {now - pulse.since:.3g} s; its state is {read[1]})"
        error = SpawnError(cause, **identity(worker))
        self._termination.terminate(worker, ExitReason.FROZEN, error, now, cause=cause)

    def _look_at_first_job(self, worker: Worker, now: float) -> None:
        """Kill a worker whose fork has left a lock locked; of its template none has yet done a job."""
        stood_s = self._templates.stuck_for_s(worker, now)
        if not stood_s:
            return
        cause = f"stuck (it has waited for a lock for {stood_s:.3g} s, and no thread of it can release that)"
        error = SpawnError(cause, **identity(worker))
        self._termination.terminate(worker, ExitReason.FROZEN, error, now, cause=cause)

    def _enforce(self, worker: Worker, now: float) -> None:
        hard = worker.limits.hard_rss_bytes
        if hard is None or worker.rss_bytes <= hard:
            return
        cause = f"hard-rss ({format_size(worker.rss_bytes)} resident, the limit is {format_size(hard)})"
        error = SpawnError(cause, **identity(worker))
        self._termination.terminate(worker, ExitReason.HARD_RSS, error, now, cause=cause)


class HardBudget:
    """Keeps one pool within its budget. Called after every round of readings."""

    def __init__(self, registry: Registry, termination: Termination, templates: Templates) -> None:
        self._registry = registry
        self._termination = termination
        self._templates = templates

    def keep(self, now: float) -> None:
        """Let one worker go where all together are above the budget. Those that are being killed count no more."""
        registry, budget = self._registry, self._registry.budget
        workers = list(registry.workers())
        for worker in workers:
            if worker.rss_bytes > budget.held_by(worker):
                budget.adjust(worker, worker.rss_bytes)
        slow_to_go = [worker for worker in registry.leaving if worker.rung < Rung.KILL]
        held = self._templates.read() + sum(worker.rss_bytes for worker in [*workers, *slow_to_go])
        if held <= budget.limit_bytes:
            return
        if slow_to_go:
            for worker in slow_to_go:
                self._termination.hurry(worker, now)
        elif self._templates.give_way(
            workers[0] if len(workers) == 1 else None, format_size(budget.limit_bytes)
        ):
            self.keep(now)  # one less of them
        elif workers:
            self._let_go(least_missed(workers), now, alone=len(workers) == 1)

    def _let_go(self, worker: Worker, now: float, *, alone: bool) -> None:
        limit = self._registry.budget.limit_bytes
        fresh = worker.jobs <= 1
        if fresh:
            worker.model_queue.learn_memory(worker, worker.rss_bytes)
        if worker.state not in _AT_WORK and not alone:
            self._termination.dismiss(worker, ExitReason.EVICTED, now, rung=Rung.KILL)
            return
        when = "while loading" if worker.state in _STARTING else f"in its job {worker.jobs}"
        when = when if worker.jobs or worker.state in _STARTING else "when loaded"
        size = format_size(worker.rss_bytes)
        cause = f"hard-budget ({size} resident {when}, the memory budget is {format_size(limit)})"
        # A warm worker has had its template beside it; the next of its model will be alone.
        hopeless = alone and fresh and worker.template is None
        never_worked = worker.model_queue.job_s is None
        worker.spares_job = never_worked or not hopeless
        self._termination.dismiss(worker, ExitReason.HARD_RSS, now, rung=Rung.KILL, cause=cause)
        if hopeless and never_worked:
            self._refuse_model(worker, when, now)

    def _refuse_model(self, worker: Worker, when: str, now: float) -> None:
        """A model that has never done a job within the budget, although it had all of it, is out of use."""
        limit = self._registry.budget.limit_bytes
        worker.model_queue.cause = SpawnError(
            f"{format_size(worker.rss_bytes)} resident {when}", **identity(worker)
        )
        why = (
            f"one worker of it does not fit into the memory budget of {format_size(limit)}: it was stopped at "
            f"{format_size(worker.rss_bytes)} {when}; raise the budget, or take a smaller model"
        )
        self._termination.take_out(worker.model_queue, why, now)


def least_missed(workers: list[Worker]) -> Worker:
    """Return the worker whose end costs least: a reserve, an idle one, one that loads, then one that has grown.

    Of workers that have all just begun it is the one that began its job last, so that the others end theirs.
    """
    return min(workers, key=_price)


def _price(worker: Worker) -> tuple[int, float]:
    if worker.slot.successor is worker:
        return (0, 0.0)
    if worker.state in _STARTING:
        return (2, -worker.started_at)
    if worker.state not in _AT_WORK:
        return (1, worker.last_used)
    if worker.jobs > 1:
        return (3, -worker.rss_bytes)
    return (4, 0.0 if worker.job is None else -worker.job.started_at)
