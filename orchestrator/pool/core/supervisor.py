"""The supervisor: events come in, effects go out, and every mutable fact about workers is decided here.

It has no thread, no clock and no process of its own. :mod:`.loop` calls it, from one thread at a time, with the
time; :class:`~orchestrator.pool.core.registry.Hands` and :class:`~orchestrator.pool.core.slot.Link` carry out what it
wants. That is how its tests drive it without a process and without sleeping.

::

    callers ── submit, cancel ──▶ ┌────────────┐ ── give, cancel, dismiss ──▶ worker processes
    workers ── loaded, done … ──▶ │ supervisor │
    time ──── tick, sample ─────▶ └────────────┘ ── result or error, once ──▶ promises

Its parts: :mod:`.dispatch` (jobs to workers), :mod:`.lines` (jobs sent ahead), :mod:`.between_jobs`,
:mod:`.departures` (workers out), :mod:`.endings` (jobs out), :mod:`.memory_watch`, all on the books of :mod:`.roster`.
"""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.errors import EngineUnavailableError, JobError, ProtocolError, SpawnError, WorkerError
from orchestrator.pool.core.after_job import BetweenJobs
from orchestrator.pool.core.dispatch import Dispatch
from orchestrator.pool.core.job import JobRecord
from orchestrator.pool.core.memory_monitor import MemoryWatch
from orchestrator.pool.core.outcomes import Endings, identity
from orchestrator.pool.core.prefetch import FEW_IN_LINE, Lines
from orchestrator.pool.core.registry import Hands, Roster
from orchestrator.pool.core.settings import Settings
from orchestrator.pool.core.slot import Worker
from orchestrator.pool.core.states import ExitReason, JobEvent, JobState, WorkerEvent, WorkerState
from orchestrator.pool.core.termination import Departures, Rung
from orchestrator.pool.events import WorkerLoaded
from orchestrator.pool.models import Model
from orchestrator.pool.results import as_result
from orchestrator_worker.protocol import Chunk, Done, Failed, Loaded, Ready, Reply, Returned, Trimmed

_SETTLED = {WorkerState.LEAVING, WorkerState.GONE}


class Supervisor:
    """One pool's workers and jobs. Not thread-safe: one thread at a time calls it. ``now`` never goes back."""

    def __init__(self, models: Iterable[Model], settings: Settings, hands: Hands) -> None:
        self.roster = Roster(models, settings, hands)
        self._endings = Endings(self.roster)
        self._lines = Lines(self.roster, self._endings)
        self._departures = Departures(self.roster, self._endings, self._lines)
        self._memory = MemoryWatch(self.roster, self._departures)
        self._dispatch = Dispatch(self.roster, self._endings, self._departures, self._lines)
        self._between = BetweenJobs(self.roster, self._departures, self._dispatch, self._lines, self._memory)
        if settings.prestart is not None:
            for slot in self.roster.slots:
                slot.keep = self.roster.lanes[settings.prestart]

    # ------------------------------------------------------------------ from callers

    def submit(self, job: JobRecord, now: float) -> None:
        """A job came."""
        lane = job.lane
        job.submitted_at = now
        if lane.out_of_use is not None or (
            not lane.workers and self._dispatch.refuse_what_cannot_fit(lane, now)
        ):
            self.roster.enqueue(job)
            self._endings.fail(job, lane.refusal(), "refused", now)
            return
        self._dispatch.arrived(job, now)

    def cancel(self, job: JobRecord, now: float) -> None:
        """The caller gave a job up. Nothing when it has ended already."""
        self._take_out_of_line(job, now)
        if job.state is JobState.ENDED:
            return
        worker = job.worker if job.state is JobState.RUNNING else None
        self._endings.cancel(job, now)
        if worker is not None:
            self._between.ask_to_give_up(worker, ExitReason.CANCEL, now)

    def _take_out_of_line(self, job: JobRecord, now: float) -> None:
        """Take a job back if that can be done; else it is begun, and seen to when we hear of that."""
        if job.state is JobState.SENT and job.worker is not None:
            self._lines.take_back(job.worker, now)

    def cancel_waiting(self, now: float) -> None:
        """Cancel every job that is not running."""
        self._lines.take_all_back(now)
        waiting = [job for lane in self.roster.lanes.values() for job in lane.waiting.members()]
        for job in [*waiting, *self.roster.delayed]:
            self._endings.cancel(job, now)

    def close(self, now: float) -> None:  # noqa: ARG002 - events all come with their time
        """No job will come any more; finish those that did."""
        self.roster.closing = True
        self.roster.replan = True

    def stop(self, now: float) -> None:
        """Drop the queue, give up running jobs, end every worker at once."""
        roster = self.roster
        roster.closing = True
        workers = [*roster.workers(), *roster.leaving]
        running = [worker.job for worker in workers if worker.job is not None]
        running += [job for worker in workers for job in worker.line]
        self.cancel_waiting(now)
        for job in running:
            if job.state is not JobState.ENDED:
                self._endings.cancel(job, now)
        for worker in list(roster.workers()):
            self._departures.dismiss(worker, ExitReason.SHUTDOWN, now, rung=Rung.KILL)
        for worker in list(roster.leaving):
            if worker.rung < Rung.KILL:
                self._departures.step_further(worker, now)

    @property
    def finished(self) -> bool:
        """Whether a closed pool has no job and no worker left."""
        roster = self.roster
        return roster.closing and not roster.leaving and not any(roster.workers()) and not self._has_jobs()

    def _has_jobs(self) -> bool:
        roster = self.roster
        return bool(roster.lanes_waiting or roster.delayed)

    # ------------------------------------------------------------------ from workers

    def received(self, worker: Worker, reply: Reply, now: float) -> None:
        """A worker said something. Out of turn, it is made to leave."""
        if worker.state in _SETTLED:
            self._last_answer(worker, reply, now)
            return
        job = worker.job
        if type(reply) is Done and job is not None and job.id == reply.id:
            self._answered(worker, job, reply, now)
            return
        match reply:
            case Chunk() if self._runs(worker, reply.id):
                if worker.state is WorkerState.BUSY and worker.job is not None:
                    worker.job.promise.add_chunk(reply)
            case Failed():
                self._failed(worker, reply, now)
            case Ready() if worker.state is WorkerState.STARTING:
                worker.move(WorkerEvent.READIED)  # starting -> loading
            case Loaded() if worker.state is WorkerState.LOADING:
                self._loaded(worker, reply, now)
            case Trimmed() if worker.state is WorkerState.TRIMMING:
                self._trimmed(worker, now)
            case Returned() if self._lines.returned(worker, reply.id, now):
                return
            case _:
                problem = f"{type(reply).__name__} out of turn, while {worker.state}"
                self.broke_protocol(worker, ProtocolError(problem, **identity(worker)), now)

    def _last_answer(self, worker: Worker, reply: Reply, now: float) -> None:
        """What a leaving worker still says counts for the job it is at, and so for what it has begun of its line."""
        if isinstance(reply, Returned):
            self._lines.returned(worker, reply.id, now)
        job = worker.job
        if not isinstance(reply, Done | Failed | Chunk) or job is None or job.id != reply.id:
            return  # all else is nobody's business any more
        if isinstance(reply, Chunk):
            if job.state is JobState.RUNNING:
                job.promise.add_chunk(reply)
            return
        worker.job = None
        if worker.line:
            self._lines.advance(worker, now)
        if job.state is JobState.RUNNING:
            self._answer(job, reply, worker, now)

    def _runs(self, worker: Worker, job_id: int) -> bool:
        return worker.job is not None and worker.job.id == job_id

    def broke_protocol(self, worker: Worker, error: ProtocolError, now: float) -> None:
        """A worker sent what is no message: it is killed, and its job with it."""
        self._departures.turn_out(
            worker, ExitReason.PROTOCOL, error, now, excuse=f"a broken protocol ({error.problem})"
        )

    def exited(self, worker: Worker, status: int, now: float) -> None:
        """A worker's process is reaped."""
        self._departures.bury(worker, status, now)

    def _loaded(self, worker: Worker, loaded: Loaded, now: float) -> None:
        worker.move(WorkerEvent.LOADED)  # loading -> idle
        lane, roster = worker.lane, self.roster
        roster.deadlines.clear(worker)
        worker.ready_at = now
        lane.learn_start(now - worker.started_at)
        roster.tally.load_durations.add(loaded.seconds)
        lane.intensity.started()
        self._memory.learn(worker)
        if roster.hands.listening:
            roster.hands.tell(
                WorkerLoaded(
                    at_s=now,
                    model=lane.name,
                    start_s=now - worker.started_at,
                    load_s=loaded.seconds,
                    rss_bytes=worker.rss_bytes,
                    **identity(worker),
                )
            )
        if worker is worker.slot.worker:
            self._between.stands_idle(worker, now)
        else:
            self._between.successor_ready(worker, now)

    def _answered(self, worker: Worker, job: JobRecord, answer: Done | Failed, now: float) -> None:
        """A job is over: the worker has its next one before callers are told of this one."""
        running = job.state is JobState.RUNNING
        if running and type(answer) is Done:
            # Of several answers that came together none but the first was waited for since its job began.
            if now - job.started_at < answer.seconds:
                job.started_at = now - answer.seconds
            worker.lane.learn_job(now - job.started_at, answer.seconds)
        if worker.line:
            self._next_in_line(worker, now)
        else:
            self._between.end_of_job(worker, now)
            self._between.stands_idle(worker, now)
        if running:
            self._answer(job, answer, worker, now)

    def _answer(self, job: JobRecord, answer: Done | Failed, worker: Worker, now: float) -> None:
        """Tell the caller."""
        if isinstance(answer, Failed):
            self._endings.engine_failed(job, answer, worker, now)
            return
        assert job.first_started_at is not None
        result = as_result(answer, job.first_started_at - job.submitted_at, worker)
        self._endings.succeed(job, result, now)

    def _next_in_line(self, worker: Worker, now: float) -> None:
        """The worker is at the next job already; its line is filled up when it has become short."""
        if worker.jobs == 1:
            self._memory.learn(worker)
        self._lines.advance(worker, now)
        assert worker.job is not None
        if worker.job.state is JobState.ENDED:
            self._between.ask_to_give_up(worker, ExitReason.CANCEL, now)
        elif (
            self.roster.lanes_waiting
            and len(worker.line) <= FEW_IN_LINE
            and (frames := self._lines.more_for(worker))
        ):
            worker.link.send_frame(frames)

    def _failed(self, worker: Worker, failed: Failed, now: float) -> None:
        job = worker.job
        if worker.state in {WorkerState.BUSY, WorkerState.CANCELLING} and job is not None:
            self._answered(worker, job, failed, now)
        elif worker.state is WorkerState.LOADING:
            self._load_failed(worker, failed, now)
        elif worker.state is WorkerState.TRIMMING:
            self._trimmed(worker, now)
        else:
            problem = f"Failed out of turn, while {worker.state}: {failed.message}"
            self.broke_protocol(worker, ProtocolError(problem, **identity(worker)), now)

    def _load_failed(self, worker: Worker, failed: Failed, now: float) -> None:
        error: Exception
        if failed.kind == "unavailable":
            error = EngineUnavailableError(failed.message, failed.remedy)
        else:
            error = JobError(failed.type_name, failed.message, failed.traceback)
        self._departures.dismiss(worker, ExitReason.START_FAILED, now)
        self._departures.start_failed(worker.lane, error, now)

    def _trimmed(self, worker: Worker, now: float) -> None:
        worker.move(WorkerEvent.TRIMMED)  # trimming -> idle
        self.roster.deadlines.clear(worker)
        self._memory.read(worker)
        if worker.trace is not None:
            worker.trace.stands_at(worker.rss_bytes)
        self._between.stands_idle(worker, now)

    # ------------------------------------------------------------------ from the clock

    def tick(self, now: float) -> None:
        """Do what is due."""
        roster = self.roster
        for key in roster.deadlines.pop_due(now):
            if isinstance(key, JobRecord):
                self._job_due(key, now)
            else:
                self._worker_due(key, now)
        if roster.next_sample_at is not None and now >= roster.next_sample_at:
            self._memory.sample(now)
            self._lines.look_after(now)

    def next_due(self) -> float | None:
        """Return when :meth:`tick` must be called next."""
        due_at, sample_at = self.roster.deadlines.next_due(), self.roster.next_sample_at
        if due_at is None or sample_at is None:
            return sample_at if due_at is None else due_at
        return min(due_at, sample_at)

    def _job_due(self, job: JobRecord, now: float) -> None:
        if job.state is JobState.WAITING:
            self._endings.time_out(job, now)
        elif job.state is JobState.DELAYED:
            job.move(JobEvent.RELEASED)  # delayed -> waiting
            del self.roster.delayed[job]
            self._lines.make_way(job, now)
            self.roster.enqueue(job, front=True)
            self.roster.replan = True

    def _worker_due(self, worker: Worker, now: float) -> None:
        match worker.state:
            case WorkerState.STARTING | WorkerState.LOADING:
                self._start_timed_out(worker, now)
            case WorkerState.BUSY:
                assert worker.job is not None
                self._endings.time_out(worker.job, now)
                self._between.ask_to_give_up(worker, ExitReason.TIMEOUT, now)
            case WorkerState.CANCELLING:
                self._departures.dismiss(worker, worker.why_asked, now)
            case WorkerState.TRIMMING:
                self._departures.dismiss(worker, ExitReason.TIMEOUT, now, excuse="a heap trim without end")
            case WorkerState.LEAVING:
                self._departures.step_further(worker, now)
            case _:
                self._idle_due(worker, now)

    def _start_timed_out(self, worker: Worker, now: float) -> None:
        limit_s = self.roster.settings.start_timeout_s
        error: WorkerError = SpawnError(
            f"not loaded within {limit_s:g} s; last words:\n{worker.link.last_words()}", **identity(worker)
        )
        self._departures.dismiss(
            worker, ExitReason.START_FAILED, now, excuse=f"a start longer than {limit_s:g} s"
        )
        self._departures.start_failed(worker.lane, error, now)

    def _idle_due(self, worker: Worker, now: float) -> None:
        idle_s = worker.limits.idle_s
        if idle_s is not None and now - worker.idle_since >= idle_s:
            worker.slot.keep = None
            if worker.slot.successor is not None:
                self._departures.dismiss(worker.slot.successor, ExitReason.IDLE, now)
            self._departures.dismiss(worker, ExitReason.IDLE, now)
        elif worker is worker.slot.worker and not self._between.leaves(worker, now):
            self.roster.make_available(worker, now, worker.idle_since)
            # An aged worker whose successor still loads is looked at when that is ready, not every instant.
            if self._between.due(worker, now) is not None:
                self.roster.deadlines.clear(worker)

    # ------------------------------------------------------------------ the end of every turn

    def settle(self, now: float) -> None:
        """Called after every batch of events: give, start and evict; see idle workers off when closing."""
        if self.roster.replan:
            self._dispatch.plan(now)
            if self.roster.closing and not self._has_jobs():
                self._see_off_the_idle(now)

    def _see_off_the_idle(self, now: float) -> None:
        idle = {WorkerState.IDLE, WorkerState.STARTING, WorkerState.LOADING}
        for worker in list(self.roster.workers()):
            if worker.state in idle:
                self._departures.dismiss(worker, ExitReason.SHUTDOWN, now)
