"""One cluster pool's machinery behind its door: options made into settings, jobs checked, the watch over members."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import weakref
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from orchestrator.cluster.cluster_stats import ClusterStats, take_cluster_stats
from orchestrator.cluster.dispatcher import Dispatcher
from orchestrator.cluster.node_actor import NodeSettings
from orchestrator.cluster.node_link import LinkSettings, NodeLink
from orchestrator.cluster.ray_library import connect, disconnect, load_ray
from orchestrator.cluster.state import ClusterJob, Node
from orchestrator.errors import ForkedPoolError
from orchestrator.pool.futures import JobFuture
from orchestrator.pool.jobs import EngineJob, Job
from orchestrator.pool.models import FUNCTION_MODEL, Model
from orchestrator.pool.recycling import Recycle
from orchestrator.pool.retries import Retry
from orchestrator.pool.runtime.admission import Admission
from orchestrator.pool.submission.controller import MOST_OPEN_ARRAYS
from orchestrator.pool.submission.payload import Payload, close_audio, make_payload
from orchestrator_worker.sharing.shared_memory import AVAILABLE

WATCH_S = 1.0
"""How often the cluster is asked for its members."""
LOOK_S = 5.0
"""How long statistics wait for a node's answer; then its last one stands."""
ASK_S = 0.2
"""How often somebody who asks looks whether the dispatcher has ended meanwhile."""
EXIT_TIMEOUT_S = 5.0
_open_controllers: weakref.WeakSet[ClusterController] = weakref.WeakSet()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSettings:
    """What a cluster pool was told to be, checked."""

    address: str | None
    models: Mapping[str, Model]
    workers: int | None
    memory_budget: int | str | None
    hard_budget: bool
    standby_models: int
    exclusive: bool
    recycle: Recycle | Literal["auto"] | None
    max_queue: int
    retry: Retry
    max_value: int
    heartbeat_s: float | None
    start_timeout_s: float
    cache_dir: Path
    node_cpus: float
    node_resource: str | None
    shared_files: bool
    python: str | None = None
    pass_env: tuple[str, ...] = ()

    def for_nodes(self) -> LinkSettings:
        """Return what each node's actor gets: paths absolute, because they are looked for elsewhere."""
        models = tuple(
            msgspec.structs.replace(model, file=_absolute(model.file), library=_absolute(model.library))
            for name, model in self.models.items()
            if name != FUNCTION_MODEL
        )
        node = NodeSettings(
            models=models,
            workers=self.workers,
            memory_budget=self.memory_budget,
            hard_budget=self.hard_budget,
            standby_models=self.standby_models,
            exclusive=self.exclusive,
            recycle=self.recycle,
            retry=self.retry,
            max_value=self.max_value,
            heartbeat_s=self.heartbeat_s,
            start_timeout_s=self.start_timeout_s,
            host_path=tuple(sys.path),
            python=self.python,
            pass_env=self.pass_env,
        )
        return LinkSettings(node, self.node_cpus)


class ClusterController:
    """Ray's connection, admission, dispatcher and watch of one cluster pool."""

    def __init__(self, settings: ClusterSettings) -> None:
        self.settings = settings
        self._admission = Admission(settings.max_queue, MOST_OPEN_ARRAYS)
        self._owner_pid = os.getpid()
        self._ray = load_ray()
        self._ours = connect(self._ray, settings.address)
        self._for_nodes = settings.for_nodes()
        self._links: list[NodeLink] = []
        self._dispatcher = Dispatcher(self._open_link, settings.retry, self._left)
        self._watch = threading.Thread(target=self._watch_members, name="orchestrator-watch", daemon=True)
        self._dispatcher.event_loop.thread.start()
        self._watch.start()
        _open_controllers.add(self)

    # ------------------------------------------------------------------ the cluster

    def _open_link(self, node_id: str, name: str) -> NodeLink:
        """Begin with a node; on the dispatcher's thread."""
        dispatcher = self._dispatcher
        link = NodeLink(
            self._ray,
            node_id,
            name,
            self._for_nodes,
            heard=lambda link, events: dispatcher.post(dispatcher.heard, link, events),
            lost=lambda link, cause: dispatcher.post(dispatcher.lost, link, cause),
        )
        self._links.append(link)
        return link

    def _watch_members(self) -> None:
        """Tell the dispatcher which nodes there are, until the pool is over; then put everything away."""
        over = self._dispatcher.event_loop.ended
        while not over.is_set():
            with suppress(Exception):  # the connection is going: each node's own link tells of what
                nodes = self._ray.nodes()
                present = {node["NodeID"]: _name(node) for node in nodes if self._is_for_us(node)}
                self._dispatcher.post(self._dispatcher.saw, present)
            over.wait(WATCH_S)
        self._dispatcher.event_loop.thread.join()
        for link in self._links:
            link.join()
        if self._ours:
            disconnect(self._ray)
        _open_controllers.discard(self)

    def _is_for_us(self, node: Mapping[str, Any]) -> bool:
        wanted = self.settings.node_resource
        return bool(node["Alive"]) and (wanted is None or node["Resources"].get(wanted, 0) > 0)

    # ------------------------------------------------------------------ jobs

    @property
    def workers(self) -> int:
        """Slots of the nodes that are there now."""
        return sum(node.workers for node in tuple(self._dispatcher.nodes.values()))

    def prepare(self, job: Job, *, stream: bool) -> Payload:
        """Check and encode a job. Blocks while audio is decoded."""
        self.check_owner()
        settings = self.settings
        most_bytes = settings.max_value if AVAILABLE else 0
        payload = make_payload(job, stream=stream, cache_dir=settings.cache_dir, most_bytes=most_bytes)
        if payload.model not in self.settings.models:
            close_audio(payload)
            named = ", ".join(name for name in self.settings.models if name != FUNCTION_MODEL) or "none"
            raise ValueError(f"model {payload.model!r} is none of this pool's: {named}")
        return payload

    def submit(
        self,
        job: Job,
        future: JobFuture[Any],
        *,
        timeout_s: float | None,
        queue_timeout_s: float | None,
        priority: int,
        block: bool,
        stream: bool,
    ) -> None:
        """Take a place in the queue for a job and hand it to the dispatcher."""
        payload = self.prepare(job, stream=stream)
        in_memory = payload.descriptor is not None
        on_loop = threading.current_thread() is self._dispatcher.event_loop.thread
        try:
            self._admission.enter(array=in_memory, block=block, timeout_s=queue_timeout_s, on_loop=on_loop)
        except BaseException:
            close_audio(payload)
            raise
        record = ClusterJob(
            payload,
            future,
            has_audio=isinstance(job, EngineJob) and job.audio is not None,
            carry=in_memory or not self.settings.shared_files,
            timeout_s=timeout_s,
            queue_timeout_s=queue_timeout_s,
            priority=priority,
        )
        # A future asks its record only for its state, and its controller for what is below.
        future.bind(record, self)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        self._dispatcher.post(self._dispatcher.submit, record)

    def cancel(self, record: ClusterJob) -> None:
        """Tell the dispatcher that a caller gave its job up."""
        self._dispatcher.post(self._dispatcher.cancel, record)

    def text_was_read(self, record: ClusterJob) -> None:
        """Nothing: text of other nodes is not held back."""

    def drive(self, future: object, timeout_s: float | None) -> float | None:  # noqa: ARG002 - the controller's form
        """Leave the caller to wait: here is no work that its thread could do."""
        return timeout_s

    def check_owner(self) -> None:
        """Refuse to work in a forked copy of the process.

        Raises:
            ForkedPoolError: This process did not make the pool.
        """
        if os.getpid() != self._owner_pid:
            raise ForkedPoolError(self._owner_pid)

    def _left(self, job: ClusterJob, what: str) -> None:
        """A job has left the queue, or needs its audio no more; on the dispatcher's thread."""
        if what == "queue":
            self._admission.queue.leave()
        elif job.payload.descriptor is not None:
            close_audio(job.payload)
            self._admission.arrays.leave()

    # ------------------------------------------------------------------ looking

    def stats(self) -> ClusterStats:
        """Return what is known now: nodes are asked, and a silent one's last answer stands."""
        self.check_owner()
        dispatcher = self._dispatcher
        if threading.current_thread() is dispatcher.event_loop.thread or dispatcher.event_loop.ended.is_set():
            return take_cluster_stats(dispatcher)
        self._refresh()
        stats: ClusterStats = self._ask(lambda: take_cluster_stats(dispatcher))
        return stats

    def _refresh(self) -> None:
        """Ask every node at the same time; note what they answer in good time."""
        nodes: list[Node] = self._ask(lambda: list(self._dispatcher.nodes.values()))
        asked: dict[Any, Node] = {}
        for node in nodes:
            if node.state == "ready" and isinstance(node.link, NodeLink):
                asked[node.link.look()] = node
        if not asked:
            return
        answered, _ = self._ray.wait(list(asked), num_returns=len(asked), timeout=LOOK_S)
        for answer in answered:
            with suppress(Exception):  # the node was lost meanwhile; its link tells
                asked[answer].last_look = self._ray.get(answer)

    def _ask(self, question: Any) -> Any:
        answer: Future[Any] = Future()
        self._dispatcher.post(lambda: answer.set_result(question()))
        while True:
            try:
                return answer.result(ASK_S)
            except TimeoutError:
                if self._dispatcher.event_loop.ended.is_set() and not answer.done():
                    return question()

    # ------------------------------------------------------------------ ending

    @property
    def closed(self) -> bool:
        """Whether no job is taken any more."""
        return self._admission.closed

    def end(self, *, drop: bool) -> None:
        """Take no more jobs and finish those there are, or ``drop`` them. Does not wait."""
        if os.getpid() != self._owner_pid:
            return
        self._admission.close()
        self._dispatcher.post(lambda: self._dispatcher.close(drop=drop))

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait until every node is left; False when that took longer than ``timeout_s``."""
        if threading.current_thread() is not self._dispatcher.event_loop.thread:
            self._watch.join(timeout_s)
        return not self._watch.is_alive()


def _end_at_exit() -> None:
    """Actors die with the driver anyway; this spares Ray a driver that leaves in mid-air."""
    controllers = list(_open_controllers)
    for controller in controllers:
        controller.end(drop=True)
    for controller in controllers:
        controller.join(EXIT_TIMEOUT_S)


atexit.register(_end_at_exit)


def _name(node: Mapping[str, Any]) -> str:
    """Return what people call a node: its address, and enough of its id where one machine has several."""
    return f"{node['NodeManagerAddress']}/{node['NodeID'][:6]}"


def _absolute(path: str | os.PathLike[str] | None) -> str | None:
    return None if path is None else str(Path(path).absolute())
