"""The driver's side of one node: starts its actor, sends it jobs, listens to it. The only place that calls Ray.

Two threads a node, because both wait: one listens (a poll is always under way, and its failure is how a dead node is
noticed), one sends (reading audio and handing it to Ray's object store takes time, and blocks when that is full)::

    dispatcher ── send, cancel, finish ─▶ sender ── take, cancel, finish ─▶ actor
    dispatcher ◀─ heard, lost ────────── listener ◀────────── poll ──────── actor
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from orchestrator.cluster.node_actor import GROUPS, NodeActor, NodeSettings
from orchestrator.cluster.state import ClusterJob
from orchestrator.cluster.wire import Ended, Finished, NodeEvent, Order, take_apart
from orchestrator.errors import AudioError
from orchestrator.pool.submission.payload import Payload
from orchestrator_worker import protocol
from orchestrator_worker.framing import HEADER_SIZE

MOST_AT_ONCE = 64
START_TIMEOUT_S = 300.0
HUNG_S = 60.0
"""A poll answers within a second; a node that is silent for so long is given up."""
_runs = msgspec.msgpack.Decoder(protocol.Run)


class LinkSettings(NamedTuple):
    """How actors are placed. ``cpus`` is what Ray accounts for each."""

    node: NodeSettings
    cpus: float


class NodeLink:
    """One life of a node's actor, seen from the driver.

    Args:
        ray: The module.
        node_id: Where the actor is to be.
        name: What people call the node.
        settings: For the actor.
        heard: Gets what the node says.
        lost: Gets the cause once the actor is gone, wanted or not. Always the last to be called.
    """

    def __init__(
        self,
        ray: Any,
        node_id: str,
        name: str,
        settings: LinkSettings,
        heard: Callable[[NodeLink, list[NodeEvent]], None],
        lost: Callable[[NodeLink, str], None],
    ) -> None:
        self._ray = ray
        self._node_id = node_id
        self._name = name
        self._settings = settings
        self._heard = heard
        self._lost = lost
        self._actor: Any = None
        self._abandoned = False
        self._lock = threading.Lock()
        self._items: queue.SimpleQueue[ClusterJob | int | bool | None] = queue.SimpleQueue()
        self._sender = threading.Thread(target=self._send_all, name=f"orchestrator-send-{name}", daemon=True)
        self._listener = threading.Thread(target=self._listen, name=f"orchestrator-node-{name}", daemon=True)
        self._listener.start()

    # ------------------------------------------------------------------ from the dispatcher; nothing blocks

    def send(self, job: ClusterJob) -> None:
        """Let the node have a job."""
        self._items.put(job)

    def cancel(self, number: int) -> None:
        """Let the node stop a job."""
        self._items.put(number)

    def finish(self, *, drop: bool) -> None:
        """Let the node close its pool, or stop it, and go."""
        self._items.put(drop)

    def abandon(self) -> None:
        """Kill the actor; the pool's workers die with it."""
        with self._lock:
            self._abandoned = True
        self._items.put(None)

    def join(self) -> None:
        """Wait until both threads are gone; after ``lost`` that is at once."""
        self._listener.join()
        if self._sender.ident is not None:
            self._sender.join()

    def look(self) -> Any:
        """Ask for the pool's statistics; returns Ray's reference to them, None before the actor is there."""
        actor = self._actor
        return None if actor is None else actor.look.remote()

    # ------------------------------------------------------------------ listening

    def _listen(self) -> None:
        cause = "it was told to go"
        try:
            self._actor = self._start()
            self._sender.start()
            self._heard(self, [self._ray.get(self._actor.open.remote(), timeout=START_TIMEOUT_S)])
            while not self._listen_once():
                pass
        except Exception as error:  # noqa: BLE001 - whatever it is, the node cannot be used any more
            cause = _cause(error)
        finally:
            self._items.put(None)
            self._kill()
            self._lost(self, cause)

    def _listen_once(self) -> bool:
        """Wait for news and pass them on; True when they were the last."""
        poll = self._actor.poll.remote()
        events: list[NodeEvent] = self._ray.get(poll, timeout=HUNG_S)
        if events:
            self._heard(self, events)
        return any(isinstance(event, Finished) for event in events)

    def _start(self) -> Any:
        place = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(self._node_id, soft=False)
        kind = self._ray.remote(num_cpus=self._settings.cpus, max_restarts=0, concurrency_groups=GROUPS)(
            NodeActor
        )
        return kind.options(scheduling_strategy=place).remote(self._settings.node)

    def _kill(self) -> None:
        if self._actor is not None and self._ray.is_initialized():
            try:
                self._ray.kill(self._actor)
            except Exception:  # noqa: BLE001 - it is gone already, or the connection is
                return

    # ------------------------------------------------------------------ sending

    def _send_all(self) -> None:
        try:
            while (items := self._next_items()) is not None:
                self._send(items)
        except Exception:  # noqa: BLE001 - the listener sees the same end, and tells
            return
        finally:
            if self._abandoned:
                self._kill()

    def _next_items(self) -> list[ClusterJob | int | bool] | None:
        """Return what is to be sent, waiting for the first; None at the end."""
        items: list[ClusterJob | int | bool] = []
        while not items or (len(items) < MOST_AT_ONCE and not self._items.empty()):
            item = self._items.get()
            if item is None:
                return None
            items.append(item)
        return items

    def _send(self, items: list[ClusterJob | int | bool]) -> None:
        orders: list[Order] = []
        audio: list[Any] = []
        for item in items:
            match item:
                case bool():
                    self._take(orders, audio)
                    self._actor.finish.remote(drop=item)
                case int():
                    self._take(orders, audio)
                    self._actor.cancel.remote([item])
                case _:
                    self._add(item, orders, audio)
        self._take(orders, audio)

    def _take(self, orders: list[Order], audio: list[Any]) -> None:
        if orders:
            self._actor.take.remote(list(orders), *audio)
            orders.clear()
            audio.clear()

    def _add(self, job: ClusterJob, orders: list[Order], audio: list[Any]) -> None:
        payload, place, seen = job.payload, None, None
        if job.has_audio or payload.descriptor is not None:
            path = _content_path(payload)
            try:
                if job.carry:
                    content = np.fromfile(path, dtype=np.uint8)
                    place = len(audio)
                    audio.append(content)
                else:
                    found = Path(path).stat()
                    seen = (found.st_size, found.st_mtime_ns)
            except OSError as error:
                gone = AudioError(path, f"cannot be read any more: {error.strerror}")
                self._heard(self, [Ended(job.id, error=take_apart(gone))])
                return
        orders.append(
            Order(
                payload.id,
                payload.model,
                payload.task,
                payload.frame,
                job.timeout_s,
                job.priority,
                place,
                seen,
                job.attempts,
            )
        )


def _content_path(payload: Payload) -> str:
    """Return where the bytes are that go along with a job: its audio, or the arguments in its memfd."""
    audio = _runs.decode(payload.frame[HEADER_SIZE:]).job.audio
    if audio is not None:
        return audio.path
    assert payload.descriptor is not None
    return f"/proc/self/fd/{payload.descriptor.number}"


def _cause(error: Exception) -> str:
    """Return what happened to an actor in a line: Ray tells it in a paragraph."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if lines and "creation task" in lines[0]:
        return lines[-1]  # our own exception, at the end of its traceback
    return f"{type(error).__name__}: {lines[0] if lines else 'no more is known'}"
