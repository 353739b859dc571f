"""Carries out what the scheduling decides: gives jobs, starts workers, evicts.

The usual case never gets as far as the scheduling: one model's jobs wait, and one of its workers is free.
"""

from __future__ import annotations

from orchestrator.config.sizes import format_size
from orchestrator.errors import SpawnError
from orchestrator.pool.core.job import JobRecord
from orchestrator.pool.core.model_queue import Lane
from orchestrator.pool.core.outcomes import Endings, identity
from orchestrator.pool.core.prefetch import Lines
from orchestrator.pool.core.registry import Roster
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
from orchestrator.pool.core.slot import Slot, Worker
from orchestrator.pool.core.states import ExitReason, JobEvent, WorkerEvent, WorkerState
from orchestrator.pool.core.termination import Departures
from orchestrator.pool.events import WorkerStarted
from orchestrator.pool.recycling import Limits, draw_limits, time_to_prepare
from orchestrator_worker.protocol import Load

_BEHIND_ALL = 1 << 62
_VIEWED = {
    WorkerState.STARTING: "arriving",
    WorkerState.LOADING: "arriving",
    WorkerState.IDLE: "idle",
}


class Dispatch:
    """Brings jobs and workers together."""

    def __init__(self, roster: Roster, endings: Endings, departures: Departures, lines: Lines) -> None:
        self._roster = roster
        self._endings = endings
        self._lines = lines
        self._departures = departures

    # ------------------------------------------------------------------ the usual case

    def arrived(self, job: JobRecord, now: float) -> None:
        """A job was submitted: give it at once when a worker of its model is free and nobody waits."""
        roster, lane = self._roster, job.lane
        if lane.idle and not roster.lanes_waiting:
            worker = next(reversed(lane.idle))
            worker.overtaken = 0
            self.give(worker, job, now)
            return
        if roster.with_line and (job.priority > 0 or lane not in roster.lanes_waiting):
            self._lines.make_way(job, now)
        lane.waiting.push(job)
        roster.lanes_waiting[lane] = None
        if job.queue_timeout_s is not None:
            roster.deadlines.set(job, now + job.queue_timeout_s)
        if lane.idle or len(lane.workers) < len(roster.slots):
            roster.replan = True

    def next_for(self, worker: Worker, now: float) -> bool:
        """Give an idle worker the next job of its own model, if no other model has any; else say False."""
        waiting = self._roster.lanes_waiting
        if not waiting:
            return False
        if len(waiting) > 1 or worker.lane not in waiting:
            self._roster.replan = True
            return False
        worker.overtaken = 0
        job = self._roster.take_next(worker.lane)
        return job is not None and self.give(worker, job, now)

    def give(self, worker: Worker, job: JobRecord, now: float) -> bool:
        """Send a job to an idle worker; False when its caller had cancelled it."""
        roster = self._roster
        if not job.promise.begin():
            # Taken out of the queue already, so it must not be taken out again.
            job.move(JobEvent.GIVEN)  # waiting -> running
            job.worker = worker
            self._endings.cancel(job, now)
            roster.replan = True
            return False
        worker.lane.idle.pop(worker, None)
        worker.move(WorkerEvent.JOB_GIVEN)  # idle -> busy
        if job.queue_timeout_s is not None:
            roster.deadlines.clear(job)
        self._lines.begin(worker, job, now)
        worker.link.send_frame(
            job.frame + self._lines.more_for(worker) if roster.lanes_waiting else job.frame
        )
        roster.sample_soon(now)
        self._prepare_in_time(worker, now)
        return True

    # ------------------------------------------------------------------ successors

    def _prepare_in_time(self, worker: Worker, now: float) -> None:
        """Start the next generation while this one still works, so that no job waits for a load."""
        slot, lane = worker.slot, worker.lane
        if (
            worker.limits.jobs is not None
            and slot.successor is None
            and not self._ending()
            and time_to_prepare(worker.limits, jobs=worker.jobs, job_s=lane.job_s, start_s=lane.start_s)
        ):
            self.prepare_successor(slot, lane, now)

    def _ending(self) -> bool:
        return self._roster.closing and not self._roster.lanes_waiting

    def prepare_successor(self, slot: Slot, lane: Lane, now: float) -> bool:
        """Start a successor if the budget has room for both; False when it has not."""
        assert slot.successor is None
        if lane.out_of_use is not None or self._ending():
            return False
        return self._start(slot, lane, now, successor=True)

    # ------------------------------------------------------------------ everything else

    def plan(self, now: float) -> None:
        """Do what the scheduling says until it has nothing more to say."""
        roster = self._roster
        roster.replan = False
        while (step := self._next_step()) is not None:
            self._carry_out(step, now)
        roster.replan = False

    def _next_step(self) -> Step | None:
        roster = self._roster
        demands = self._demands()
        if not demands:
            return None
        leaving_bytes = sum(roster.budget.held_by(worker) for worker in roster.leaving)
        return next_step(
            demands,
            [_view(slot) for slot in roster.slots],
            Memory(roster.budget.room_bytes, leaving_bytes),
            exclusive=roster.settings.exclusive,
            leaving_models=frozenset(worker.lane.name for worker in roster.leaving),
        )

    def _demands(self) -> list[Demand]:
        roster = self._roster
        limit = roster.budget.limit_bytes
        found: list[Demand] = []
        for lane in list(roster.lanes_waiting):
            head = lane.waiting.head()
            if head is None:
                roster.lanes_waiting.pop(lane, None)
                continue
            need = lane.need_bytes(limit)
            found.append(Demand(lane.name, head.priority, head.id, len(lane.waiting), need))
        if roster.closing:
            return found
        for slot in roster.slots:
            if slot.keep is not None and slot.worker is None:
                need = slot.keep.need_bytes(limit)
                found.append(Demand(slot.keep.name, KEEP_WARM_PRIORITY, _BEHIND_ALL, _BEHIND_ALL, need))
        return found

    def _carry_out(self, step: Step, now: float) -> None:
        slot = self._roster.slots[step.slot]
        match step:
            case Give():
                self._give_next(slot, now, overtakes=step.overtakes)
            case Start():
                self._start(slot, self._roster.lanes[step.model], now, successor=False)
            case Evict():
                self._evict(slot, now, reserve=step.reserve)

    def _give_next(self, slot: Slot, now: float, *, overtakes: bool) -> None:
        worker = slot.worker
        assert worker is not None
        worker.overtaken = worker.overtaken + 1 if overtakes else 0
        job = self._roster.take_next(worker.lane)
        if job is not None:
            self.give(worker, job, now)

    def _evict(self, slot: Slot, now: float, *, reserve: bool) -> None:
        worker, successor = slot.worker, slot.successor
        self._roster.tally.evictions += 1
        if successor is not None:
            self._departures.dismiss(successor, ExitReason.EVICTED, now)
        if worker is not None and not reserve:
            slot.keep = None
            self._departures.dismiss(worker, ExitReason.EVICTED, now)

    def _start(self, slot: Slot, lane: Lane, now: float, *, successor: bool) -> bool:
        roster = self._roster
        worker = Worker(slot, slot.generation + 1, lane, self._draw_limits(lane), now)
        if not roster.budget.reserve(worker, lane.need_bytes(roster.budget.limit_bytes)):
            return False
        slot.generation += 1
        if lane.learner is not None:
            worker.trace = lane.learner.begin(worker.limits.slack)
        try:
            worker.link = roster.hands.spawn(worker)
        except SpawnError as error:
            roster.budget.release(worker)
            self._departures.start_failed(lane, error, now)
            return False
        worker.link.send(Load(0, lane.spec))
        if successor:
            slot.successor = worker
        else:
            slot.worker = worker
            lane.workers.add(worker)
            self._kept(slot, lane)
        roster.tally.spawns += 1
        roster.deadlines.set(worker, now + roster.settings.start_timeout_s)
        roster.sample_soon(now)
        if roster.hands.listening:
            roster.hands.tell(
                WorkerStarted(at_s=now, model=lane.name, start=worker.link.start, **identity(worker))
            )
        return True

    def _kept(self, slot: Slot, lane: Lane) -> None:
        """A start is what one slot was waiting for that is to be kept warm, whichever slot it happened in."""
        wished = [slot, *self._roster.slots]
        for one in wished:
            if one.keep is lane and (one.worker is None or one is slot):
                one.keep = None
                break
        slot.keep = None

    def _draw_limits(self, lane: Lane) -> Limits:
        recycle = self._roster.settings.recycle
        return draw_limits(None if recycle is None else recycle.of(lane.name), self._roster.hands.draw())

    def refuse_what_cannot_fit(self, lane: Lane, now: float) -> bool:
        """Take a model out whose first guess is above the whole budget; it could never be started."""
        limit = self._roster.budget.limit_bytes
        need = lane.need_bytes(limit)
        if need <= limit:
            return False
        why = (
            f"it needs about {format_size(need)} (the size of its file and a worker), the memory budget is "
            f"{format_size(limit)}; raise memory_budget"
        )
        self._departures.take_out(lane, why, now)
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
        worker.lane.name,
        _VIEWED.get(worker.state, "working"),  # type: ignore[arg-type]
        worker.last_used,
        worker.overtaken,
        has_earned(worker),
        reserve,  # type: ignore[arg-type]
    )


def has_earned(worker: Worker) -> bool:
    """Whether a worker has worked as long as its start took; True where that is not known."""
    start_s, job_s = worker.lane.start_s, worker.lane.job_s
    return start_s is None or job_s is None or worker.jobs * job_s >= start_s
