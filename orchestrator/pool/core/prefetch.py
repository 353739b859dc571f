"""Prefetch: short jobs are written to the pipe of a busy worker, so that it does not wait for us between two jobs.

A worker does one job at a time. Where that takes no longer than handing over the next one, both sides would mostly
wait for each other. So a worker whose jobs are short has the next few in its pipe already.

A worker reads a job only when it begins it, and the parent can recall what was not read. So a prefetched job has the
same rights as one in the queue: a cancel removes it, a more urgent job goes before it, the death of the worker does not
affect it, and when the running job takes long, the prefetched ones return to the queue for other workers. Which job a
worker had begun is known: the first one without an answer. (Except after a broken message: then its answers are not
read any more.)
"""

from __future__ import annotations

from orchestrator.pool.core.entities import JobRecord, Worker
from orchestrator.pool.core.outcomes import Outcomes
from orchestrator.pool.core.recycling.rules import NO_LIMITS
from orchestrator.pool.core.registry import Registry
from orchestrator.pool.core.states import JobEvent, JobState, WorkerEvent, WorkerState

SHORT_JOB_S = 0.002
"""A model whose engine takes less for a job on average has them sent ahead."""
LONG_JOB_S = 0.01
"""Jobs do not stay prefetched longer behind one running job. Checked with each reading of memory."""
AS_IF_S = 1.0
"""What a job of an engine that looks for a cancel counts as: nothing is prefetched for the next few dozen jobs, because
it would only give them back."""
MOST_PREFETCHED = 32
FEW_PREFETCHED = 16
"""More jobs are prefetched when so few are left, :data:`WORTH_A_WRITE` or more at once: one system call for all."""
WORTH_A_WRITE = 8
LARGEST_FRAME = 2048
"""Bytes of a job that may be sent ahead: all prefetched jobs together fit into a pipe."""
_SENT, _LEAVING = JobState.SENT, WorkerState.LEAVING


class Prefetch:
    """Prefetches jobs and recalls them."""

    def __init__(self, registry: Registry, outcomes: Outcomes) -> None:
        self._registry = registry
        self._outcomes = outcomes

    # ------------------------------------------------------------------ into the pipe

    def more_for(self, worker: Worker) -> bytes:
        """Prefetch waiting jobs for a worker whose jobs are short; return their frames, to be sent now."""
        registry, model_queue, prefetched = self._registry, worker.model_queue, worker.prefetched
        if not self._may_send(worker):
            return b""
        # A fair share: what one worker has in its pipe, another that becomes free cannot take without a recall.
        room = min(MOST_PREFETCHED, len(model_queue.waiting) // len(model_queue.workers)) - len(prefetched)
        if prefetched and room < WORTH_A_WRITE:
            return b""
        frames: list[bytes] = []
        while len(frames) < room:
            job = model_queue.waiting.head()
            if job is None or not _may_be_sent(job):
                break  # not the next but one either: that would change the order of the queue
            registry.take_next(model_queue)
            job.move(JobEvent.PREFETCHED)  # waiting -> sent
            job.worker = worker
            prefetched.append(job)
            registry.effects.assign(job)
            frames.append(job.frame)
        if frames:
            registry.with_prefetched[worker] = None
        return b"".join(frames)

    def _may_send(self, worker: Worker) -> bool:
        return (
            self._registry.settings.fast_path
            and worker.model_queue.engine_s < SHORT_JOB_S
            and _unlimited(worker)
            and not (worker.model_queue.hears and worker.model_queue.model.sandbox not in (None, "off"))
            # Between several models the scheduling decides, one by one; what lies in a pipe would be recalled first.
            and len(self._registry.queues_with_jobs) == 1
            and not worker.prefetch_is_fixed
            # What does not fit into the pipe lies here, and would only wait here in another place.
            and not worker.link.full
        )

    # ------------------------------------------------------------------ one job after the other

    def advance(self, worker: Worker, now: float) -> None:
        """The worker has ended its job, and so begun the next prefetched one."""
        job = worker.prefetched.popleft()
        if not worker.prefetched:
            self._see_whether_empty(worker)
        if worker.state is not _LEAVING:
            worker.move(WorkerEvent.NEXT_BEGUN)  # busy, cancelling -> busy
        # Cancelled while it lay in the pipe. The worker does it all the same, and its answer is dropped: the bytes
        # are read already, and a Cancel now would arrive behind most jobs as short as these.
        if job.state is _SENT and not job.promise.begin():
            self._outcomes.cancel(job, now)
        self.begin(worker, job, now)

    def begin(self, worker: Worker, job: JobRecord, now: float) -> None:
        """Note that ``worker`` is at ``job``."""
        registry = self._registry
        worker.job, job.worker = job, worker
        worker.jobs += 1
        worker.jobs_since_trim += 1
        worker.slot.jobs += 1
        worker.last_used = now
        running = job.state is not JobState.ENDED
        if running:
            job.move(JobEvent.GIVEN)  # waiting, sent -> running
            job.started_at = now
            if job.first_started_at is None:
                job.first_started_at = now
                registry.effects.job_left_queue(job)
        if worker.state is _LEAVING:
            return  # its deadline is that of the next step of its leaving
        if running and job.timeout_s is not None:
            registry.timers.set(worker, now + job.timeout_s)
        else:
            registry.timers.clear(worker)

    # ------------------------------------------------------------------ out of the pipe

    def recall(self, worker: Worker, now: float) -> None:
        """Put what the worker has not begun back into the queue."""
        if worker.prefetch_is_fixed:
            return
        self._registry.touch_once(worker)
        sizes: list[int] = []
        # From the end, because what is recalled is the tail of the pipe: the worker reads from the front meanwhile.
        for job in reversed(worker.prefetched):
            if job.state is not _SENT:
                break  # cancelled when it could not be recalled any more
            sizes.append(len(job.frame))
        # The link says how many it got back whole: the worker may have read some between our look and our read.
        for _ in range(worker.link.recall(sizes[::-1]) if sizes else 0):
            self._to_queue(worker.prefetched.pop(), now)
        self._see_whether_empty(worker)

    def fix(self, worker: Worker, now: float) -> None:
        """Another command is about to be sent to a worker with prefetched jobs."""
        self.recall(worker, now)
        # What is left lies before the new command. Recalled now, that command would be read out of the pipe with it.
        worker.prefetch_is_fixed = bool(worker.prefetched)

    def make_way(self, job: JobRecord, now: float) -> None:
        """An urgent job, or one for another model, came: recall what was prefetched before it."""
        for worker in list(self._registry.with_prefetched):
            if worker.model_queue is not job.model_queue or job.priority > worker.prefetched[-1].priority:
                self.recall(worker, now)

    def recall_all(self, now: float) -> None:
        """Recall every prefetched job."""
        for worker in list(self._registry.with_prefetched):
            self.recall(worker, now)

    def look_after(self, now: float) -> None:
        """Recall what waits behind a long job."""
        for worker in list(self._registry.with_prefetched):
            if worker.job is not None and now - worker.job.started_at > LONG_JOB_S:
                self.recall(worker, now)

    def returned(self, worker: Worker, ticket: int, now: float) -> bool:
        """The worker gave back a job that it had read and not begun; False when it never had that."""
        job = next((job for job in worker.prefetched if job.ticket == ticket), None)
        if job is None:
            return False
        worker.prefetched.remove(job)
        if (
            worker.state is WorkerState.BUSY
        ):  # nobody has asked it to give up: its engine looks of its own accord
            worker.model_queue.engine_s = AS_IF_S
        self._to_queue(job, now)
        self._see_whether_empty(worker)
        return True

    def release(self, worker: Worker, now: float) -> None:
        """The worker is gone: none of its prefetched jobs was begun."""
        while worker.prefetched:
            self._to_queue(worker.prefetched.pop(), now)
        self._see_whether_empty(worker)

    def unread(self, job: JobRecord, now: float) -> None:
        """The worker that a job was given to is gone and had not read it: another gets it, and nothing is counted."""
        job.move(JobEvent.UNREAD)  # running -> waiting
        self._requeue(job, now)

    def _see_whether_empty(self, worker: Worker) -> None:
        if not worker.prefetched:
            self._registry.with_prefetched.pop(worker, None)
            worker.prefetch_is_fixed = False

    def _to_queue(self, job: JobRecord, now: float) -> None:
        if job.state is not _SENT:
            return  # its caller gave it up
        job.move(JobEvent.RECALLED)  # sent -> waiting
        self._requeue(job, now)

    def _requeue(self, job: JobRecord, now: float) -> None:
        job.worker = None
        self._registry.enqueue(job, front=True)
        self._registry.replan = True
        if job.model_queue.refuses:
            self._outcomes.fail(job, job.model_queue.refusal(), "refused", now)


def _unlimited(worker: Worker) -> bool:
    """Whether nothing needs to be looked at between the next jobs of a worker.

    One that is recycled automatically is read again after as many jobs as fit in any case.
    """
    if worker.limits is NO_LIMITS:
        return True
    trace = worker.trace
    return (
        trace is not None
        and worker.limits.only_learnt
        and worker.jobs + len(worker.prefetched) + MOST_PREFETCHED <= trace.jobs + trace.unwatched
    )


def _may_be_sent(job: JobRecord) -> bool:
    """Whether a job may be prefetched: not one that has to start in time, or that anything may overtake."""
    if job.brings_values:
        return False
    return len(job.frame) <= LARGEST_FRAME and job.queue_timeout_s is None and job.priority >= 0
