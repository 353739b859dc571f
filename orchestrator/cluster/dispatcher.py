"""The one thread of a cluster pool that decides: which node gets a job, what a node's loss means for its jobs.

It owns all state (:mod:`.state`). Callers, nodes' links and the watch over the cluster's members only post to it; it
never waits for Ray. A job ends once: what a node still says of one that was taken from it, or that has ended, is
not heard.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Any

from orchestrator.cluster.event_loop import EventLoop
from orchestrator.cluster.losses import Losses
from orchestrator.cluster.metrics import ClusterMetrics
from orchestrator.cluster.routing import choose, smoothed
from orchestrator.cluster.state import ClusterJob, ClusterQueue, Link, Node
from orchestrator.cluster.wire import (
    Absent,
    Ended,
    Finished,
    Loaded,
    NodeEvent,
    Opened,
    Started,
    TextCame,
    put_together,
    with_node,
)
from orchestrator.errors import (
    EngineUnavailableError,
    JobCancelledError,
    JobTimeoutError,
    ModelOutOfUseError,
    PoolClosedError,
)
from orchestrator.pool.core.states import JobEvent, JobState
from orchestrator.pool.retries import Retry
from orchestrator_worker.protocol import Chunk

MOST_GONE = 256
"""Nodes that are gone and still remembered."""


class Dispatcher:
    """Decides for one cluster pool.

    Args:
        open_link: Begins a node's life; what it hears goes to :meth:`heard` by :meth:`post`.
        retry: How often a job is tried whose worker or node dies.
        leave: Told when a job leaves the queue, and when one that holds a descriptor ends.
        clock: Seconds.
    """

    def __init__(
        self,
        open_link: Callable[[str, str], Link],
        retry: Retry,
        leave: Callable[[ClusterJob, str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open_link = open_link
        self._leave = leave
        self._clock = clock
        self._losses = Losses(retry)
        self._sequence = itertools.count(1)
        self.event_loop = EventLoop(self.settle, self._break, clock)
        self.post = self.event_loop.post
        self._queue = ClusterQueue()
        self._live: dict[int, ClusterJob] = {}
        self.nodes: dict[str, Node] = {}
        self.gone: deque[Node] = deque(maxlen=MOST_GONE)
        self.metrics = ClusterMetrics()
        self._closing = False
        self._dropping = False

    # ------------------------------------------------------------------ the thread

    def settle(self) -> None:
        """Do what follows from the events so far: hand out jobs; end, when all is done."""
        self._hand_out()
        if self._closing and not self._live:
            self._send_nodes_home()

    def _break(self, error: Exception) -> None:
        """End every job by what went wrong, and the pool."""
        broken = PoolClosedError(f"the cluster pool broke: {error!r}")
        broken.__cause__ = error
        for job in self._live.values():
            job.state = JobState.ENDED
            job.promise.reject(broken)
        self._live.clear()
        for node in self.nodes.values():
            node.link.abandon()
        self.nodes.clear()
        self.event_loop.ended.set()

    # ------------------------------------------------------------------ from callers

    def submit(self, job: ClusterJob) -> None:
        """Add a job to the queue."""
        now = job.submitted_at = self._clock()
        job.sequence = next(self._sequence)
        self._live[job.id] = job
        if self._dropping:
            self.cancel(job)
            return
        self._queue.add(job)
        if job.queue_timeout_s is not None:
            self.event_loop.at(now + job.queue_timeout_s, self._waited_too_long, job)

    def cancel(self, job: ClusterJob) -> None:
        """The caller gave a job up."""
        if job.state is not JobState.ENDED:
            self._recall(job)
            self._fail(job, JobCancelledError("the job was cancelled"))

    def close(self, *, drop: bool) -> None:
        """Take no more; finish what there is, or drop it."""
        self._closing = True
        self._dropping = self._dropping or drop
        if self._dropping:
            for job in list(self._live.values()):
                self.cancel(job)

    def _waited_too_long(self, job: ClusterJob) -> None:
        if job.state is JobState.WAITING and job.first_started_at is None:
            self._recall(job)
            assert job.queue_timeout_s is not None
            self._fail(job, JobTimeoutError(job.queue_timeout_s, "queue"))

    def _recall(self, job: ClusterJob) -> None:
        """Let the node that has a job stop it. It stays on the node's account until the node says that it has."""
        if job.node is not None:
            job.node.link.cancel(job.id)

    # ------------------------------------------------------------------ from the cluster

    def saw(self, present: Mapping[str, str]) -> None:
        """Take the nodes that are alive, by id, with their names: begin with new ones, give up those that left."""
        for node_id in [node_id for node_id in self.nodes if node_id not in present]:
            self.lost(self.nodes[node_id].link, "it left the cluster")
        if self._closing and not self._live:
            return
        for node_id, name in present.items():
            if node_id not in self.nodes and self._losses.may_begin(node_id, self._clock()):
                self.nodes[node_id] = Node(node_id, name, self._open_link(node_id, name))
        self._refuse_what_nobody_can_do()

    def heard(self, link: Link, events: list[NodeEvent]) -> None:
        """Take what a node says."""
        node = next((node for node in self.nodes.values() if node.link is link), None)
        if node is None:
            return  # a node that was given up; its jobs are elsewhere
        for event in events:
            match event:
                case Opened():
                    node.state = "ready"
                    node.workers, node.holds = event.workers, event.models
                    self._refuse_what_nobody_can_do()
                case Loaded():
                    node.loaded = event.models
                case Finished():
                    node.last_look = event.stats
                    node.state = "finished"
                case _:
                    self._heard_of_job(node, event)

    def _heard_of_job(self, node: Node, event: Started | TextCame | Ended | Absent) -> None:
        job = node.jobs.get(event.id)
        if job is None:
            return
        if isinstance(event, Ended):
            node.forget(event.id)
        if job.state is JobState.ENDED or job.node is not node:
            return
        match event:
            case Started():
                self._started(job, event)
            case TextCame():
                self._show(job, event.chunk)
            case Absent():
                node.shares_files = False
                job.carry = True
                node.link.send(job)
            case Ended():
                self._ended(job, node, event)

    def lost(self, link: Link, cause: str) -> None:
        """A node's actor is gone, whatever of: its jobs go elsewhere, or end with the evidence."""
        node = next((node for node in self.nodes.values() if node.link is link), None)
        if node is None:
            return
        del self.nodes[node.id]
        self.gone.append(node)
        if node.state != "finished":
            node.state, node.cause = "lost", cause
            link.abandon()
            self._losses.note(node, self._clock())
        for job in list(node.jobs.values()):
            node.forget(job.id)
            if job.state is not JobState.ENDED and job.node is node:
                self._put_elsewhere(job, node, cause)
        self._refuse_what_nobody_can_do()

    # ------------------------------------------------------------------ jobs

    def _hand_out(self) -> None:
        """Give nodes what they have room for."""
        ready = [node for node in self.nodes.values() if node.state == "ready"]
        given = bool(ready)
        while given:
            given = False
            for job in self._queue.heads():
                node = choose(ready, job.payload.model, job.priority)
                if node is not None:
                    self._queue.pop(job)
                    self._give(job, node)
                    given = True
                    break

    def _give(self, job: ClusterJob, node: Node) -> None:
        job.node = node
        job.carry = job.carry or not node.shares_files
        node.give(job)
        node.link.send(job)

    def _started(self, job: ClusterJob, event: Started) -> None:
        now = job.started_at = self._clock()
        job.attempts = event.attempts
        self._take_back_text(job)
        if job.state is JobState.WAITING:
            job.move(JobEvent.GIVEN)  # waiting -> running
            job.promise.begin()
        if job.first_started_at is None:
            job.first_started_at = now
            self._leave(job, "queue")

    def _show(self, job: ClusterJob, chunk: Chunk) -> None:
        job.shown = max(0, job.shown - chunk.replaces) + len(chunk.text)
        job.promise.add_chunk(chunk)

    def _take_back_text(self, job: ClusterJob) -> None:
        """Withdraw what an attempt that died has shown: the next one begins with the first word again."""
        if job.shown:
            job.promise.add_chunk(Chunk(job.id, "", replaces=job.shown))
            job.shown = 0

    def _ended(self, job: ClusterJob, node: Node, event: Ended) -> None:
        now = self._clock()
        if job.first_started_at is not None:
            node.mean_s = smoothed(node.mean_s, now - job.started_at)
        node.done += 1
        if event.error is None:
            begun = now if job.first_started_at is None else job.first_started_at
            self._finish(job, with_node(event.value, node.name, begun - job.submitted_at))
            return
        error = put_together(event.error)
        if isinstance(error, ModelOutOfUseError) and self._elsewhere(job, node):
            node.holds -= {job.payload.model}
            self._put_back(job)
            return
        self._fail(job, error)

    def _elsewhere(self, job: ClusterJob, but: Node) -> bool:
        return any(job.payload.model in node.holds for node in self.nodes.values() if node is not but)

    def _put_elsewhere(self, job: ClusterJob, node: Node, cause: str) -> None:
        verdict = self._losses.judge(job, node, cause, self._clock())
        if isinstance(verdict, BaseException):
            self._fail(job, verdict)
        elif verdict > 0:
            if job.state is JobState.RUNNING:
                job.move(JobEvent.PUT_OFF)  # running -> delayed
            job.node = None
            self.event_loop.at(self._clock() + verdict, self._put_back, job)
        else:
            self._put_back(job)

    def _put_back(self, job: ClusterJob) -> None:
        """Put a job into the queue again, at its old place."""
        if job.state is JobState.ENDED:
            return
        job.node = None
        if job.state is JobState.RUNNING:
            job.move(JobEvent.PUT_OFF)  # running -> delayed
        if job.state is JobState.DELAYED:
            job.move(JobEvent.RELEASED)  # delayed -> waiting
        self._queue.add(job)

    def _refuse_what_nobody_can_do(self) -> None:
        """End jobs of a model that no node has, once every node has said what it has."""
        if any(node.state == "starting" for node in self.nodes.values()):
            return
        held = frozenset[str]().union(*(node.holds for node in self.nodes.values()))
        reason = self._losses.why_no_node() if not self.nodes else ""
        if not self.nodes and not reason:
            return  # the cluster has none yet, or none any more: one may join
        for model in self._queue.models():
            if model not in held:
                for job in list(self._queue.of_model(model)):
                    self._fail(job, _nobody_has(model, reason, [node.name for node in self.nodes.values()]))

    def _finish(self, job: ClusterJob, value: Any) -> None:
        self._close_account(job)
        accepted = job.promise.resolve(value)
        self.metrics.note(job, None, self._clock(), accepted=accepted)

    def _fail(self, job: ClusterJob, error: BaseException) -> None:
        self._close_account(job)
        accepted = job.promise.reject(error)
        self.metrics.note(job, error, self._clock(), accepted=accepted)

    def _close_account(self, job: ClusterJob) -> None:
        job.move(JobEvent.FINISHED)  # any -> ended
        del self._live[job.id]
        if job.first_started_at is None:
            self._leave(job, "queue")
        self._leave(job, "audio")

    # ------------------------------------------------------------------ counts and the end

    def running(self) -> int:
        """Return how many jobs workers are at."""
        return sum(job.state is JobState.RUNNING for job in self._live.values())

    def delayed(self) -> int:
        """Return how many wait for their next attempt."""
        return sum(job.state is JobState.DELAYED for job in self._live.values())

    def waiting(self) -> Counter[str]:
        """Return how many wait, by model; those on a node that have not started too."""
        return Counter(job.payload.model for job in self._live.values() if job.state is not JobState.RUNNING)

    def _send_nodes_home(self) -> None:
        for node in self.nodes.values():
            if node.state == "ready":
                node.state = "leaving"
                node.link.finish(drop=self._dropping)
            elif node.state == "starting":
                node.state = "leaving"
                node.link.abandon()
        if not self.nodes:
            self.event_loop.ended.set()


def _nobody_has(model: str, reason: str, names: list[str]) -> EngineUnavailableError:
    if reason:
        return EngineUnavailableError(f"no node of the cluster can be used: {reason}", "see what it says")
    return EngineUnavailableError(
        f"no node of the cluster has the files of the model {model!r}; there are {', '.join(names)}",
        "copy them to a node, under the path they have here; it is looked for when a node joins",
    )
