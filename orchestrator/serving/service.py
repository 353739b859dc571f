"""What all requests share: how many there may be, the pool they use, and how it is replaced without losing one.

A new configuration (SIGHUP) that concerns the pool means another pool. Two pools side by side would take twice the
memory budget, so requests that come meanwhile wait until those of the old one are done, at most
:data:`SWAP_WAIT_S`; then the new one begins beside it. None of them fails. A configuration that cannot be used is
said in the log, and the old one stays. Where neither can be started there is no pool: requests are refused, the
server is neither ready nor live, and whoever supervises it starts it anew, unless another SIGHUP helps first.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from orchestrator.audio.cache import PrivateFolder, make_private, sweep
from orchestrator.audio.decoder.helper import start_early
from orchestrator.errors import OrchestratorError
from orchestrator.inspection import Snapshot, view_of
from orchestrator.pool.stats import PoolStats
from orchestrator.pool.submission.checked_options import default_cache_dir
from orchestrator.serving.api_errors import busy, no_room_of, stopping
from orchestrator.serving.configuration import Configuration, Loaded, read_configuration, start
from orchestrator.serving.logs import tell
from orchestrator.serving.settings import Key

SWAP_WAIT_S = 30.0
STATS_TIMEOUT_S = 5.0
CLOSE_TIMEOUT_S = 10.0
FOLDER_PREFIX = ".serving-"
LOADED = frozenset({"idle", "busy", "cancelling", "trimming"})
"""States of a worker that has its model."""
TITLE = "orchestrator serve"


class Service:
    """Everything behind the endpoints. :meth:`open`, :meth:`snapshot` and :meth:`kill` may be called from any thread.

    Args:
        config: An experiments.toml.
        profile: Its profile, or ``auto``.
        environ: Where keys are; default: this process's.
        needs_a_key: Why a configuration without a key is none, as a sentence; None: it is one.
    """

    def __init__(
        self,
        config: Path,
        profile: str,
        environ: Mapping[str, str] | None = None,
        *,
        needs_a_key: str | None = None,
    ) -> None:
        self._config = config
        self._profile = profile
        self._environ: Mapping[str, str] = os.environ if environ is None else environ
        self._needs_a_key = needs_a_key
        self._loaded: Loaded | None = None
        self._retiring: set[asyncio.Task[None]] = set()
        self._old: set[Loaded] = set()
        self._inside = 0
        self._folders = 0
        self._folder: PrivateFolder | None = None
        self._lost = False
        self._reloading = asyncio.Lock()
        self._settled = asyncio.Event()
        self._settled.set()
        self._left = asyncio.Event()
        self.stopping = False
        self.began_s = time.monotonic()
        self.created = int(time.time())

    # ------------------------------------------------------------------ beginning

    def read(self, *, waits: bool = False) -> Configuration:
        """Read the configuration. Blocks; for the writer of a named pipe only where it ``waits``.

        Raises:
            ConfigError: It cannot be used.
            OrchestratorError: It has no key, and the server's address is open to others.
        """
        found = read_configuration(self._config, self._profile, self._environ, waits=waits)
        if self._needs_a_key is not None and not found.settings.keys:
            raise OrchestratorError(self._needs_a_key)
        return found

    def open(self, configuration: Configuration) -> None:
        """Start the pool. Blocks.

        Raises:
            OrchestratorError, OSError: It cannot be started, or there is no place for recordings.
        """
        place = default_cache_dir().with_name("serving")
        make_private(place)
        sweep(place, FOLDER_PREFIX)
        self._folder = PrivateFolder(place, FOLDER_PREFIX)
        try:
            start_early()  # the decoder process is ready when the first recording comes
            self._loaded = start(configuration, self._folder.path)
        except BaseException:
            self._folder.close()
            raise

    @property
    def loaded(self) -> Loaded:
        """The configuration that new requests get."""
        assert self._loaded is not None, "open() comes first"
        return self._loaded

    @property
    def keys(self) -> tuple[Key, ...]:
        """The keys that requests may carry."""
        return self.loaded.settings.keys

    # ------------------------------------------------------------------ requests

    def refuse_full(self) -> None:
        """Refuse a request that would find no place, before its recording is taken.

        Raises:
            ApiError: 429, or 503 when the server is being stopped.
        """
        if self.stopping:
            raise stopping()
        most = self.loaded.settings.max_requests
        if self._inside >= most:
            raise busy(
                f"{most} requests are being worked on or wait, and that is all this server takes; try later"
            )

    @asynccontextmanager
    async def entry(self) -> AsyncGenerator[Loaded]:
        """Give a request its place and what it works with, once a pool that is being replaced has been.

        Raises:
            ApiError: As :meth:`refuse_full`.
        """
        self.refuse_full()
        self._inside += 1
        try:
            await self._settled.wait()
            if self.stopping:
                raise stopping()
            if self._lost:
                raise busy("the server has no pool: a reload could start none", "not_ready", 503)
            loaded = self.loaded
            loaded.under_way += 1
            try:
                yield loaded
            finally:
                loaded.under_way -= 1
        finally:
            self._inside -= 1
            self._left.set()

    @asynccontextmanager
    async def folder(self) -> AsyncGenerator[Path]:
        """Give a request a private folder that goes with it."""
        assert self._folder is not None
        self._folders += 1
        path = self._folder.path / f"{self._folders}"
        try:
            path.mkdir(mode=0o700)
        except OSError as error:
            if (known := no_room_of(error)) is None:
                raise
            raise known from error
        try:
            yield path
        finally:
            # In this thread: a few files of ours, and a task that is being cancelled could not wait for another.
            shutil.rmtree(path, ignore_errors=True)

    # ------------------------------------------------------------------ looking

    @property
    def has_pool(self) -> bool:
        """Whether there is a pool: not after a reload in which neither the new one nor the old one could begin."""
        return not self._lost

    async def stats(self) -> PoolStats:
        """Return what the pool looks like now.

        Raises:
            TimeoutError: It does not answer.
        """
        return await asyncio.wait_for(asyncio.to_thread(self.loaded.pool.stats), STATS_TIMEOUT_S)

    def snapshot(self) -> Snapshot:
        """Return what ``top`` shows. Blocks for the pool's answer."""
        stats = self.loaded.pool.stats()
        return view_of(stats, pid=os.getpid(), title=TITLE, uptime_s=time.monotonic() - self.began_s)

    async def is_ready(self) -> bool:
        """Whether requests are welcome: not while it stops or swaps, nor before what is kept warm has loaded once."""
        if self.stopping or self._lost or not self._settled.is_set():
            return False
        loaded = self.loaded
        if not loaded.warm:
            stats = await self.stats()
            workers = [slot.worker for slot in stats.slots if slot.worker is not None]
            there = {worker.model for worker in workers if worker.state in LOADED}
            loaded.warm = there >= set(loaded.settings.keep_warm)
        return loaded.warm

    # ------------------------------------------------------------------ another configuration

    async def reload(self) -> None:
        """Read the configuration again. One that cannot be used changes nothing; without a pool, any is tried."""
        async with self._reloading:
            if self.stopping:
                return
            try:
                new = await asyncio.to_thread(self.read)
                kept = self.has_pool and new.same_pool(self.loaded.configuration)
                if kept:
                    self.loaded.configuration = new
                else:
                    await self._swap(new)
            except Exception as error:  # noqa: BLE001 - whatever it was: requests go on as before
                what = "the configuration stays as it was" if self.has_pool else "there is no pool any more"
                tell("reload", f"{what}: {error}", level=logging.ERROR)
                return
            tell("reload", "the configuration was read again", pool="kept" if kept else "replaced")

    async def _swap(self, new: Configuration) -> None:
        old = self.loaded
        self._settled.clear()
        try:
            await self._until_idle(old, SWAP_WAIT_S)
            if old.under_way:
                self._retire(old)
            else:
                await asyncio.to_thread(old.close, drop=False)
            self._loaded = await self._started(new, old.configuration)
            self._lost = False
        finally:
            self._settled.set()

    async def _started(self, new: Configuration, before: Configuration) -> Loaded:
        """Start the new pool; where that fails, one as it was before.

        Raises:
            OrchestratorError: As :func:`start`.
        """
        assert self._folder is not None
        try:
            return await asyncio.to_thread(start, new, self._folder.path)
        except Exception as error:
            try:
                self._loaded = await asyncio.to_thread(start, before, self._folder.path)
            except Exception as again:
                self._lost = True
                raise OrchestratorError(f"{error}; nor could the one before be started: {again}") from again
            self._lost = False
            raise

    def _retire(self, old: Loaded) -> None:
        """Close a pool when its last request is done."""

        async def last() -> None:
            await self._until_idle(old, None)
            await asyncio.to_thread(old.close, drop=False)
            self._old.discard(old)

        self._old.add(old)
        task = asyncio.create_task(last())
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    async def _until_idle(self, loaded: Loaded, within_s: float | None) -> bool:
        """Wait until no request uses a pool; False when that took longer."""
        try:
            async with asyncio.timeout(within_s):
                while loaded.under_way:
                    self._left.clear()
                    await self._left.wait()
        except TimeoutError:
            return False
        return True

    # ------------------------------------------------------------------ the end

    async def finish(self) -> bool:
        """Take no more requests; let those there are finish within the time of grace. False: some did not."""
        self.stopping = True
        try:
            async with asyncio.timeout(self.loaded.settings.grace_s):
                while self._inside:
                    self._left.clear()
                    await self._left.wait()
        except TimeoutError:
            return False
        return True

    def give_up(self) -> None:
        """Stop the requests that are under way: each is answered that the server stops."""
        self.stopping = True
        for loaded in (*self._old, self.loaded):
            for running in tuple(loaded.running):
                running.cancel()

    async def close(self) -> None:
        """End all pools and remove what is left of recordings."""
        for task in tuple(self._retiring):
            task.cancel()
        async with self._reloading:  # a pool that is just being started is ended, too
            pass
        for loaded in (*self._old, self.loaded):
            await asyncio.to_thread(loaded.close, drop=loaded.under_way > 0)
        if self._folder is not None:
            self._folder.close()

    def kill(self) -> None:
        """End all workers at once. Blocks until they are gone."""
        self.stopping = True
        for loaded in (*self._old, self.loaded):
            loaded.pool.stop(CLOSE_TIMEOUT_S)
        if self._folder is not None:
            self._folder.close()
