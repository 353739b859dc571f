"""Jobs sent ahead: short ones stand in line in the pipe of a busy worker, so that it need not wait for us between two.

A worker does one job at a time. Where that takes no longer than handing over the next one, both sides would mostly
wait for each other. So a worker whose jobs are short has the next few in its pipe already.

It reads none before its turn, and what it has not read can be taken back. So a job in line is as good as one in the
queue: a cancel takes it out, what is more urgent goes before it, a worker's death is none of its business, and when
the job at the front turns out to be long, the line goes back to the queue for others. What a worker had begun is
known: the first job without an answer. (Unless it sent what is no message: then its answers are not read any more.)
"""

from __future__ import annotations

from orchestrator.pool.core.job import JobRecord
from orchestrator.pool.core.outcomes import Endings
from orchestrator.pool.core.registry import Roster
from orchestrator.pool.core.slot import Worker
from orchestrator.pool.core.states import JobEvent, JobState, WorkerEvent, WorkerState
from orchestrator.pool.recycling import NO_LIMITS

SHORT_JOB_S = 0.002
"""A model whose engine takes less for a job on average has them sent ahead."""
LONG_JOB_S = 0.01
"""A line does not wait longer behind one job. Looked at with each reading of memory."""
AS_IF_S = 1.0
"""What a job of an engine that looks for a cancel counts as: no lines for the next few dozen, which it would only give
back."""
MOST_IN_LINE = 32
FEW_IN_LINE = 16
"""A line is filled up when so many are left, with at least :data:`WORTH_A_WRITE`: many frames for one system call."""
WORTH_A_WRITE = 8
LARGEST_FRAME = 2048
"""Bytes of a job that may be sent ahead: a whole line fits into a pipe."""
_SENT, _LEAVING = JobState.SENT, WorkerState.LEAVING


class Lines:
    """Sends jobs ahead and takes them back."""

    def __init__(self, roster: Roster, endings: Endings) -> None:
        self._roster = roster
        self._endings = endings

    # ------------------------------------------------------------------ into the pipe

    def more_for(self, worker: Worker) -> bytes:
        """Put waiting jobs into the line of a worker whose jobs are short; return their frames, to be sent now."""
        roster, lane, line = self._roster, worker.lane, worker.line
        if not self._may_send(worker):
            return b""
        room = min(MOST_IN_LINE, len(lane.waiting) // len(lane.workers)) - len(line)
        if line and room < WORTH_A_WRITE:
            return b""
        frames: list[bytes] = []
        while len(frames) < room:
            job = lane.waiting.head()
            if job is None or not _may_be_sent(job):
                break
            roster.take_next(lane)
            job.move(JobEvent.SENT_AHEAD)  # waiting -> sent
            job.worker = worker
            line.append(job)
            frames.append(job.frame)
        if frames:
            roster.with_line[worker] = None
        return b"".join(frames)

    def _may_send(self, worker: Worker) -> bool:
        return (
            worker.lane.engine_s < SHORT_JOB_S
            and worker.limits is NO_LIMITS
            and len(self._roster.lanes_waiting) == 1
            and not worker.line_is_fixed
            and not worker.link.full
        )

    # ------------------------------------------------------------------ one job after the other

    def advance(self, worker: Worker, now: float) -> None:
        """The worker has ended its job, and so begun the next in its line."""
        job = worker.line.popleft()
        if not worker.line:
            self._see_whether_empty(worker)
        if worker.state is not _LEAVING:
            worker.move(WorkerEvent.NEXT_BEGUN)  # busy, cancelling -> busy
        if job.state is _SENT and not job.promise.begin():
            self._endings.cancel(job, now)
        self.begin(worker, job, now)

    def begin(self, worker: Worker, job: JobRecord, now: float) -> None:
        """Note that ``worker`` is at ``job``."""
        roster = self._roster
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
                roster.hands.job_left_queue(job)
        if worker.state is _LEAVING:
            return  # its deadline is that of the next step of its leaving
        if running and job.timeout_s is not None:
            roster.deadlines.set(worker, now + job.timeout_s)
        else:
            roster.deadlines.clear(worker)

    # ------------------------------------------------------------------ out of the pipe

    def take_back(self, worker: Worker, now: float) -> None:
        """Put what the worker has not begun back into the queue."""
        if worker.line_is_fixed:
            return
        sizes: list[int] = []
        for job in reversed(worker.line):
            if job.state is not _SENT:
                break  # cancelled when it could not be taken back any more
            sizes.append(len(job.frame))
        for _ in range(worker.link.take_back(sizes[::-1]) if sizes else 0):
            self._to_queue(worker.line.pop(), now)
        self._see_whether_empty(worker)

    def fix(self, worker: Worker, now: float) -> None:
        """Another command is about to be sent to a worker with a line."""
        self.take_back(worker, now)
        worker.line_is_fixed = bool(worker.line)

    def make_way(self, job: JobRecord, now: float) -> None:
        """Something urgent, or for another model, came: take back what stands in line before it."""
        for worker in list(self._roster.with_line):
            if worker.lane is not job.lane or job.priority > worker.line[-1].priority:
                self.take_back(worker, now)

    def take_all_back(self, now: float) -> None:
        """Take every line back."""
        for worker in list(self._roster.with_line):
            self.take_back(worker, now)

    def look_after(self, now: float) -> None:
        """Take back every line that stands behind a long job."""
        for worker in list(self._roster.with_line):
            if worker.job is not None and now - worker.job.started_at > LONG_JOB_S:
                self.take_back(worker, now)

    def returned(self, worker: Worker, job_id: int, now: float) -> bool:
        """The worker gave back a job that it had read and not begun; False when it never had that."""
        job = next((job for job in worker.line if job.id == job_id), None)
        if job is None:
            return False
        worker.line.remove(job)
        if (
            worker.state is WorkerState.BUSY
        ):  # nobody has asked it to give up: its engine looks of its own accord
            worker.lane.engine_s = AS_IF_S
        self._to_queue(job, now)
        self._see_whether_empty(worker)
        return True

    def release(self, worker: Worker, now: float) -> None:
        """The worker is gone: nothing of its line was begun."""
        while worker.line:
            self._to_queue(worker.line.pop(), now)
        self._see_whether_empty(worker)

    def _see_whether_empty(self, worker: Worker) -> None:
        if not worker.line:
            self._roster.with_line.pop(worker, None)
            worker.line_is_fixed = False

    def _to_queue(self, job: JobRecord, now: float) -> None:
        if job.state is not _SENT:
            return  # its caller gave it up
        job.move(JobEvent.TAKEN_BACK)  # sent -> waiting
        job.worker = None
        self._roster.enqueue(job, front=True)
        self._roster.replan = True
        if job.lane.out_of_use is not None:
            self._endings.fail(job, job.lane.refusal(), "refused", now)


def _may_be_sent(job: JobRecord) -> bool:
    """Whether a job may stand in line: not one that has to start in time, or that anything may overtake."""
    return job.queue_timeout_s is None and job.priority >= 0 and len(job.frame) <= LARGEST_FRAME
