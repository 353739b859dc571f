"""Carries out what the scheduling decides: gives jobs, starts workers, evicts.

The usual case never gets as far as the scheduling: one model's jobs wait, and one of its workers is free.
"""

from __future__ import annotations

from orchestrator.config.sizes import format_size
from orchestrator.errors import HostShortageError, SpawnError
from orchestrator.pool.core.entities import JobRecord, ModelQueue, Slot, Template, Worker
from orchestrator.pool.core.outcomes import Outcomes, identity
from orchestrator.pool.core.prefetch import Prefetch
from orchestrator.pool.core.recycling.rules import Limits, draw_limits, time_to_prepare
from orchestrator.pool.core.registry import Registry
from orchestrator.pool.core.scheduling import (
    KEEP_WARM_PRIORITY,
    Demand,
    Evict,
    Give,
    Memory,
    SlotView,
    Start,
    Step,
    next_step,
)
from orchestrator.pool.core.states import ExitReason, JobEvent, WorkerEvent, WorkerState
from orchestrator.pool.core.termination import Termination
from orchestrator.pool.core.warm.templates import Templates
from orchestrator.pool.events import WorkerStarted
from orchestrator_worker.protocol import Load

GUESS_MAY_BE_SHORT = 8
"""So many times its first guess a model may need: Moonshine without a file takes five times."""
_BEHIND_ALL = 1 << 62
_VIEWED = {
    WorkerState.STARTING: "arriving",
    WorkerState.LOADING: "arriving",
    WorkerState.IDLE: "idle",
}


class Dispatch:
    """Brings jobs and workers together."""

    def __init__(
        self,
        registry: Registry,
        outcomes: Outcomes,
        termination: Termination,
        prefetch: Prefetch,
        templates: Templates,
    ) -> None:
        self._registry = registry
        self._outcomes = outcomes
        self._prefetch = prefetch
        self._termination = termination
        self._templates = templates

    # ------------------------------------------------------------------ the usual case

    def arrived(self, job: JobRecord, now: float) -> None:
        """A job was submitted: give it at once when a worker of its model is free and nobody waits."""
        registry, model_queue = self._registry, job.model_queue
        if model_queue.idle and not registry.queues_with_jobs and not registry.all_at_work:
            # The one used last: its pages are warm, and the others may become idle enough to leave.
            worker = next(reversed(model_queue.idle))
            worker.overtaken = 0
            self.give(worker, job, now)
            return
        if registry.with_prefetched and (job.priority > 0 or model_queue not in registry.queues_with_jobs):
            # Before the push: recalled jobs go to the front of their queue, and this one must be ordered against
            # them.
            self._prefetch.make_way(job, now)
        registry.enqueue(job)
        if job.queue_timeout_s is not None:
            registry.timers.set(job, now + job.queue_timeout_s)
        # With every slot at work for this model a plan could not change anything, and it costs more than a job.
        if model_queue.idle or len(model_queue.workers) < len(registry.slots):
            registry.replan = True

    def next_for(self, worker: Worker, now: float) -> bool:
        """Give an idle worker the next job of its own model, if no other model has any; else say False."""
        waiting = self._registry.queues_with_jobs
        if not waiting or self._registry.all_at_work:
            return False
        if len(waiting) > 1 or worker.model_queue not in waiting:
            # Priorities, ages and memory decide between models: that is the scheduling's, not this shortcut's.
            self._registry.replan = True
            return False
        worker.overtaken = 0
        job = self._registry.take_next(worker.model_queue)
        return job is not None and self.give(worker, job, now)

    def give(self, worker: Worker, job: JobRecord, now: float) -> bool:
        """Send a job to an idle worker; False when its caller had cancelled it."""
        registry = self._registry
        registry.touch_once(worker)
        # The promise decides the race with cancel(): who sets it first, the caller's thread or we, has won.
        if not job.promise.begin():
            # Taken out of the queue already, so it must not be taken out again.
            job.move(JobEvent.GIVEN)  # waiting -> running
            job.worker = worker
            self._outcomes.cancel(job, now)
            registry.replan = True
            return False
        worker.model_queue.idle.pop(worker, None)
        worker.move(WorkerEvent.JOB_GIVEN)  # idle -> busy
        # From here on the job has a worker, and what limits it is how long it may run.
        if job.queue_timeout_s is not None:
            registry.timers.clear(job)
        self._prefetch.begin(worker, job, now)
        registry.effects.assign(job)
        # One string for one write: a system call for each frame would cost more than the jobs that prefetch is for.
        frames = job.frame + self._prefetch.more_for(worker) if registry.queues_with_jobs else job.frame
        # Noted before it is done: whether an interrupt came before or within the write, nobody can tell afterwards.
        registry.has_written = True
        # The descriptor first: a worker that reads a job must find there what belongs to it.
        if job.descriptor is not None and job.brings_values:
            worker.link.pass_descriptor(job.ticket, job.descriptor.number)
        worker.link.send_frame(frames)
        registry.sample_soon(now)
        self._prepare_in_time(worker, now)
        return True

    # ------------------------------------------------------------------ successors

    def _prepare_in_time(self, worker: Worker, now: float) -> None:
        """Start the next generation while this one still works, so that no job waits for a load."""
        slot, model_queue = worker.slot, worker.model_queue
        if (
            worker.limits.jobs is not None
            and slot.successor is None
            and not self._ending()
            and time_to_prepare(
                worker.limits, jobs=worker.jobs, job_s=model_queue.job_s, start_s=model_queue.start_s
            )
        ):
            self.prepare_successor(slot, model_queue, now)

    def _ending(self) -> bool:
        return self._registry.closing and not self._registry.queues_with_jobs

    def prepare_successor(self, slot: Slot, model_queue: ModelQueue, now: float) -> bool:
        """Start a successor if the budget has room for both; False when it has not."""
        assert slot.successor is None
        if model_queue.out_of_use is not None or self._ending():
            return False
        return self._start(slot, model_queue, now, successor=True)

    # ------------------------------------------------------------------ everything else

    def plan(self, now: float) -> None:
        """Do what the scheduling says until it has nothing more to say."""
        registry = self._registry
        registry.replan = False
        if registry.templates:
            self._templates.look_after(now)
        # Ends, because each step takes something that is not given back in this loop: a waiting job, a free slot, an
        # idle worker. Memory comes back when a process is reaped, and that is a round of its own. A start that the host
        # refuses takes the right to start others.
        while (step := self._next_step(now)) is not None:
            self._carry_out(step, now)
        registry.replan = False  # carrying out a step sets it; all of that has been planned for just now

    def _next_step(self, now: float) -> Step | None:
        registry = self._registry
        demands = self._demands()
        if not demands:
            return None
        if registry.templates:
            demands = self._with_room_made(demands)
        leaving_bytes = sum(registry.budget.held_by(worker) for worker in registry.leaving)
        return next_step(
            demands,
            [_view(slot) for slot in registry.slots],
            Memory(registry.budget.room_bytes, leaving_bytes),
            exclusive=registry.settings.exclusive,
            leaving_models=frozenset(worker.model_queue.name for worker in registry.leaving),
            may_give=not registry.all_at_work,
            starts_put_off=registry.start_pause.holds(now),
        )

    def _with_room_made(self, demands: list[Demand]) -> list[Demand]:
        """Return the demands once templates that only take room are given up."""
        registry = self._registry
        if all(slot.worker is not None for slot in registry.slots):
            return demands
        in_the_way = False
        for demand in demands:
            if demand.most_workers:
                self._templates.make_room(demand.need_bytes)
                queue = registry.model_queues[demand.model]
                in_the_way = self._templates.is_in_the_way(queue, demand.need_bytes) or in_the_way
        return self._demands() if in_the_way else demands

    def _demands(self) -> list[Demand]:
        registry = self._registry
        limit = registry.budget.limit_bytes
        found: list[Demand] = []
        for model_queue in list(registry.queues_with_jobs):
            head = model_queue.waiting.head()
            if head is None:
                registry.queues_with_jobs.pop(model_queue, None)
                continue
            need = model_queue.need_bytes(limit)
            most = self._most_workers(model_queue) if model_queue.may_start() else 0
            found.append(
                Demand(model_queue.name, head.priority, head.id, len(model_queue.waiting), need, most)
            )
        # A pool that closes does the jobs it has, and keeps no model warm for jobs that cannot come.
        if registry.closing:
            return found
        for slot in registry.slots:
            if slot.keep is not None and slot.worker is None and not slot.keep.template_loads:
                need, most = slot.keep.need_bytes(limit), self._most_workers(slot.keep)
                found.append(Demand(slot.keep.name, KEEP_WARM_PRIORITY, _BEHIND_ALL, _BEHIND_ALL, need, most))
        for name in registry.settings.keep_warm:
            model_queue = registry.model_queues[name]
            if not model_queue.workers and model_queue.may_start() and not model_queue.template_loads:
                need, most = model_queue.need_bytes(limit), self._most_workers(model_queue)
                found.append(Demand(name, KEEP_WARM_PRIORITY, _BEHIND_ALL, _BEHIND_ALL, need, most))
        return found

    def _most_workers(self, model_queue: ModelQueue) -> int:
        """Return how many workers of a model may be loaded.

        Under a hard budget the first one is alone until it has done a job, where several could break the budget by
        what a first guess of their need leaves open.
        """
        settings = self._registry.settings
        if settings.hard_budget and model_queue.job_s is None:
            guess = model_queue.need_bytes(settings.budget_bytes)
            if GUESS_MAY_BE_SHORT * guess * settings.workers > settings.budget_bytes:
                return 1
        return settings.workers

    def _carry_out(self, step: Step, now: float) -> None:
        slot = self._registry.slots[step.slot]
        match step:
            case Give():
                self._give_next(slot, now, overtakes=step.overtakes)
            case Start():
                self._start(slot, self._registry.model_queues[step.model], now, successor=False)
            case Evict():
                self._evict(slot, now, reserve=step.reserve)

    def _give_next(self, slot: Slot, now: float, *, overtakes: bool) -> None:
        worker = slot.worker
        assert worker is not None
        worker.overtaken = worker.overtaken + 1 if overtakes else 0
        job = self._registry.take_next(worker.model_queue)
        if job is not None:
            self.give(worker, job, now)

    def _evict(self, slot: Slot, now: float, *, reserve: bool) -> None:
        worker, successor = slot.worker, slot.successor
        self._registry.metrics.evictions += 1
        if successor is not None:
            self._termination.dismiss(successor, ExitReason.EVICTED, now)
        if worker is not None and not reserve:
            self._termination.dismiss(worker, ExitReason.EVICTED, now)

    def _start(self, slot: Slot, model_queue: ModelQueue, now: float, *, successor: bool) -> bool:
        registry = self._registry
        if registry.start_pause.holds(now):
            return False
        if model_queue.wants_template:
            return self._start_template(model_queue, now)
        if model_queue.template_loads:
            return False
        worker = Worker(slot, slot.generation + 1, model_queue, self._draw_limits(model_queue), now)
        if not registry.budget.reserve(worker, model_queue.need_bytes(registry.budget.limit_bytes)):
            return False
        # Reserved before the spawn, so that two starts of one round cannot both count on the same room.
        slot.generation += 1
        if model_queue.learner is not None:
            alone = registry.settings.workers == 1  # nobody to leave at the same time with
            worker.trace = model_queue.learner.begin(0.0 if alone else worker.limits.slack)
        if not self._spawn(worker, now):
            return False
        worker.ticket = registry.effects.draw_ticket()
        # Sent before Hello is here: the pipe keeps it, and the load begins a round trip earlier.
        worker.link.send(Load(worker.ticket, model_queue.spec))
        # A successor is in no set of its model until it takes over: it must get no job while the worker still works.
        if successor:
            slot.successor = worker
        else:
            slot.worker = worker
            model_queue.workers.add(worker)
            self._kept(slot, model_queue)
        registry.metrics.spawns += 1
        registry.timers.set(worker, now + registry.settings.start_timeout_s)
        registry.sample_soon(now)
        if registry.effects.listening:
            registry.effects.tell(
                WorkerStarted(at_s=now, model=model_queue.name, start=worker.link.start, **identity(worker))
            )
        return True

    def _spawn(self, worker: Worker, now: float) -> bool:
        """Start the process of a worker for which memory is reserved; False where the system refused."""
        registry = self._registry
        worker.template = worker.model_queue.template
        try:
            worker.link = registry.effects.spawn(worker)
        except HostShortageError as error:
            registry.budget.release(worker)
            worker.slot.generation -= 1
            self.put_off_starts(error, now)
            return False
        except SpawnError as error:
            registry.budget.release(worker)
            self._termination.start_failed(worker.model_queue, error, now)
            return False
        if worker.template is not None:
            self._begin_warm(worker, worker.template)
        return True

    def _start_template(self, model_queue: ModelQueue, now: float) -> bool:
        """Start what workers are forked from; they are started when it has loaded."""
        try:
            self._templates.start(model_queue, now)
        except HostShortageError as error:
            self.put_off_starts(error, now)
        return False

    def _begin_warm(self, worker: Worker, template: Template) -> None:
        """Count a worker with its template; one that could not be forked loads by itself."""
        if worker.link.start == "warm":
            template.workers += 1
            return
        worker.template = None
        budget = self._registry.budget
        budget.adjust(worker, worker.model_queue.cold_need_bytes(budget.limit_bytes))

    def put_off_starts(self, error: HostShortageError, now: float) -> None:
        """The host is short of something: go on with the workers there are, and try again after a while."""
        registry = self._registry
        if self._templates.make_way():
            return  # what they held is free, and may be enough: the start is tried again at once
        if registry.start_pause.why is None:
            workers = f"{sum(1 for _ in registry.workers())} of {len(registry.slots)} workers"
            registry.effects.warn(f"{error}; going on with {workers}, trying again with growing pauses")
        registry.timers.set(registry.start_pause, registry.start_pause.begin(now, str(error)))

    def _kept(self, slot: Slot, model_queue: ModelQueue) -> None:
        """A start is what one slot was waiting for that is to be kept warm, whichever slot it happened in."""
        wished = [slot, *self._registry.slots]
        for one in wished:
            if one.keep is model_queue and (one.worker is None or one is slot):
                one.keep = None
                break
        slot.keep = None

    def _draw_limits(self, model_queue: ModelQueue) -> Limits:
        recycle = self._registry.settings.recycle
        return draw_limits(
            None if recycle is None else recycle.of(model_queue.recycled_as), self._registry.effects.draw()
        )

    def refuse_what_cannot_fit(self, model_queue: ModelQueue, now: float) -> bool:
        """Take a model out whose first guess is above the whole budget; it could never be started."""
        limit = self._registry.budget.limit_bytes
        need = model_queue.need_bytes(limit)
        if need <= limit:
            return False
        of_what = "the size of its file and a worker" if model_queue.model.file_bytes() else "at least"
        why = (
            f"it needs about {format_size(need)} ({of_what}), the memory budget is {format_size(limit)}; "
            "raise the budget, or take a smaller model"
        )
        self._termination.take_out(model_queue, why, now)
        return True


def _view(slot: Slot) -> SlotView:
    worker, successor = slot.worker, slot.successor
    if worker is None:
        return SlotView(slot.index)
    reserve = "none"
    if successor is not None:
        reserve = "idle" if successor.state is WorkerState.IDLE else "arriving"
    return SlotView(
        slot.index,
        worker.model_queue.name,
        _VIEWED.get(worker.state, "working"),  # type: ignore[arg-type]
        worker.last_used,
        worker.overtaken,
        has_earned(worker),
        reserve,  # type: ignore[arg-type]
    )


def has_earned(worker: Worker) -> bool:
    """Whether a worker has worked as long as its start took; True where that is not known."""
    start_s, job_s = worker.model_queue.start_s, worker.model_queue.job_s
    return start_s is None or job_s is None or worker.jobs * job_s >= start_s
