"""The process: its socket, its signals, its end.

=========  ==========================================================================================
SIGTERM    ready goes off, no request is taken any more, those there are finish within ``grace_s``;
           SIGINT is the same
again      every worker is killed, the process ends
SIGHUP     the configuration is read again
=========  ==========================================================================================
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import signal
import socket
import threading
from collections.abc import Coroutine, Generator
from pathlib import Path
from typing import Any

import uvicorn

from orchestrator.errors import OrchestratorError, ResultsError
from orchestrator.inspection import Inspection, Snapshot
from orchestrator.serving.access import is_loopback
from orchestrator.serving.app import application
from orchestrator.serving.configuration import Configuration
from orchestrator.serving.connections.bounded import BoundedConnection
from orchestrator.serving.logs import tell
from orchestrator.serving.notify import Notifier
from orchestrator.serving.service import CLOSE_TIMEOUT_S, Service
from orchestrator.serving.settings import KEY_VARIABLE

BACKLOG = 512
LAST_ANSWERS_S = 5
"""Seconds for answers that are being sent when everything else has ended."""
LAST_THREADS_S = 1.0
"""Seconds for threads to end when every worker was killed."""
KILLED_EXIT = 130
"""Exit code of a process that does not end by itself when it was killed; that of the command, too."""


def serve(config: Path, profile: str, host: str, port: int, *, insecure: bool) -> bool:
    """Serve until a signal ends it. Blocks.

    Returns:
        Whether it ended in good order: False when a second signal killed it.

    Raises:
        OrchestratorError: It cannot begin: the configuration, the address, the pool.
    """
    process = _Process(config, profile, host, port, insecure=insecure)
    configuration = process.read()  # before there is a loop: Ctrl-C ends a wait for what writes to a pipe
    with asyncio.Runner() as runner:
        return runner.run(process.run(configuration))


def _end_within(seconds: float) -> None:
    """End this process then, whatever still holds it up: a thread that reads a dead disk cannot be stopped."""
    last = threading.Timer(seconds, os._exit, [KILLED_EXIT])
    last.daemon = True
    last.start()


class _Uvicorn(uvicorn.Server):
    """uvicorn, without its signals: they are ours."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


class _Process:
    def __init__(self, config: Path, profile: str, host: str, port: int, *, insecure: bool) -> None:
        self._service = Service(config, profile, needs_a_key=None if insecure else _needs_a_key(host))
        self._host = host
        self._port = port
        self._insecure = insecure
        self._notifier = Notifier(os.environ)
        self._ends = asyncio.Event()
        self._killed = False
        self._tasks: set[asyncio.Task[None]] = set()

    def read(self) -> Configuration:
        return self._service.read(waits=True)

    async def run(self, configuration: Configuration) -> bool:
        service = self._service
        if self._insecure and not configuration.settings.keys and not is_loopback(self._host):
            tell("insecure", "no key is asked for, and other machines can ask", level=logging.WARNING)
        listening = _listen(self._host, self._port)
        try:
            _raise_descriptor_limit()
            await asyncio.to_thread(service.open, configuration)
        except OSError as error:
            listening.close()
            raise OrchestratorError(f"there is no place for recordings: {error}") from error
        except BaseException:
            listening.close()
            raise
        with _looked_into(service):
            try:
                await self._serve(listening)
            finally:
                await self._close()
        return not self._killed

    async def _serve(self, listening: socket.socket) -> None:
        server = _Uvicorn(
            uvicorn.Config(
                application(self._service, own_host=self._host, open_to_all=self._insecure),
                http=BoundedConnection,
                ws="none",
                loop="asyncio",
                lifespan="off",
                log_config=None,
                log_level=logging.CRITICAL,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=LAST_ANSWERS_S,
            )
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._asked_to_end)
        loop.add_signal_handler(signal.SIGHUP, lambda: self._begin(self._reload()))
        serving: asyncio.Future[Any] = asyncio.ensure_future(server.serve([listening]))
        self._begin(self._watchdog())
        self._begin(self._say_ready())
        shown = f"[{self._host}]" if ":" in self._host else self._host
        address = f"http://{shown}:{listening.getsockname()[1]}"
        tell("listening", f"listening on {address}", address=address, pid=os.getpid())
        ends: asyncio.Future[Any] = asyncio.ensure_future(self._ends.wait())
        try:
            await asyncio.wait([serving, ends], return_when=asyncio.FIRST_COMPLETED)
            if not self._killed:
                await self._finish(serving)
        finally:
            ends.cancel()
            server.should_exit = True
            server.force_exit = self._killed
            await serving

    async def _finish(self, serving: asyncio.Future[None]) -> None:
        """Let requests finish, until a second signal or the end of grace."""
        self._notifier.stopping()
        tell("stopping", "no request is taken any more; those there are finish")
        self._ends.clear()
        finishing = asyncio.ensure_future(self._service.finish())
        again = asyncio.ensure_future(self._ends.wait())
        try:
            waiting: list[asyncio.Future[Any]] = [finishing, again, serving]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if again.done():
                self._killed = True
            elif finishing.done() and not finishing.result():
                tell(
                    "stopping",
                    "the time of grace is over; what is under way is given up",
                    level=logging.WARNING,
                )
                self._service.give_up()
        finally:
            finishing.cancel()
            again.cancel()

    async def _close(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        if not self._killed and await self._closed_in_order():
            tell("stopped", "every request was answered, every worker is gone")
            return
        self._killed = True
        tell("killed", "asked to end a second time: every worker is killed", level=logging.WARNING)
        _end_within(CLOSE_TIMEOUT_S + LAST_ANSWERS_S)
        await asyncio.to_thread(self._service.kill)
        _end_within(LAST_THREADS_S)

    async def _closed_in_order(self) -> bool:
        """Close the service; False when a signal says that this takes too long."""
        self._ends.clear()
        closing: asyncio.Future[None] = asyncio.ensure_future(self._service.close())
        again: asyncio.Future[Any] = asyncio.ensure_future(self._ends.wait())
        try:
            await asyncio.wait([closing, again], return_when=asyncio.FIRST_COMPLETED)
            if closing.done():
                closing.result()
                return True
            return False
        finally:
            closing.cancel()
            again.cancel()

    # ------------------------------------------------------------------ signals

    def _asked_to_end(self) -> None:
        if self._service.stopping:
            self._killed = True
        self._service.stopping = True
        self._ends.set()

    async def _reload(self) -> None:
        self._notifier.reloading()
        # Shielded: one that has begun another pool is not left in the middle when the server ends.
        await asyncio.shield(self._service.reload())
        self._notifier.ready()

    async def _say_ready(self) -> None:
        while not await self._is_ready():
            await asyncio.sleep(0.1)
        self._notifier.ready()
        tell("ready", "ready")

    async def _is_ready(self) -> bool:
        try:
            return await self._service.is_ready()
        except TimeoutError:  # a busy machine: asked again
            return False

    async def _watchdog(self) -> None:
        """Say that all is well for as long as this loop turns and there is a pool that answers."""
        period_s = self._notifier.watchdog_s
        while period_s is not None:
            with contextlib.suppress(TimeoutError):
                await self._service.stats()
                if self._service.has_pool:
                    self._notifier.alive()
            await asyncio.sleep(period_s / 3)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _needs_a_key(host: str) -> str | None:
    """Return what to say of a configuration without a key, None where none is needed."""
    if is_loopback(host):
        return None
    return (
        f"--host {host} lets other machines ask, and there is no key: set {KEY_VARIABLE} to a secret that requests "
        "must carry, or give --insecure if everybody may"
    )


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(BACKLOG)
            listening.setblocking(False)
        except BaseException:
            listening.close()
            raise
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise OrchestratorError(
            f"cannot listen on {host}, port {port}: {reason}; choose another --host or --port"
        ) from error
    return listening


def _raise_descriptor_limit() -> None:
    """Each connection is a descriptor: allow as many as the system lets this process have, within reason."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 1 << 14
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


@contextlib.contextmanager
def _looked_into(service: Service) -> Generator[None]:
    """Let ``orchestrator top`` of this user look in; without a safe place for that, not."""

    def take(_: float) -> Snapshot:
        return service.snapshot()

    try:
        inspection = Inspection(take)
    except ResultsError as error:
        tell("inspection", f"top cannot look into this server: {error}", level=logging.WARNING)
        yield
        return
    with inspection:
        yield
