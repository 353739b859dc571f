"""The pools that the speed benchmarks compare, each behind the same three calls, one message per job everywhere.

A peer is loaded only by the process that measures it: idle pools have threads of their own that would disturb
the others.
"""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

Function = Callable[[Any], Any]


@dataclass(frozen=True)
class Peer:
    """An open pool. ``run`` waits for one job; ``results`` yields those of many, in order; ``close`` ends it."""

    run: Callable[[Function, Any], Any]
    results: Callable[[Function, Iterable[Any]], Iterator[Any]]
    close: Callable[[], object]


def _executor(pool: Any, close: Callable[[], object] | None = None) -> Peer:
    return Peer(
        lambda function, argument: pool.submit(function, argument).result(),
        lambda function, arguments: pool.map(function, arguments, chunksize=1),
        close or pool.shutdown,
    )


def _multiprocessing_like(pool: Any) -> Peer:
    def close() -> None:
        pool.terminate()
        pool.join()

    return Peer(
        lambda function, argument: pool.apply(function, (argument,)),
        lambda function, arguments: pool.imap(function, arguments, chunksize=1),
        close,
    )


def concurrent_futures(method: str, workers: int, max_jobs: int | None) -> Peer:
    """The standard library's executor."""
    context = multiprocessing.get_context(method)
    return _executor(ProcessPoolExecutor(workers, mp_context=context, max_tasks_per_child=max_jobs))


def multiprocessing_pool(method: str, workers: int, max_jobs: int | None) -> Peer:
    """The standard library's pool."""
    return _multiprocessing_like(multiprocessing.get_context(method).Pool(workers, maxtasksperchild=max_jobs))


def billiard(workers: int, max_jobs: int | None) -> Peer:
    """Celery's fork of it."""
    import billiard as library  # noqa: PLC0415 - only the peer of this process is loaded

    return _multiprocessing_like(library.get_context("spawn").Pool(workers, maxtasksperchild=max_jobs))


def pebble(workers: int, max_jobs: int | None) -> Peer:
    """Pebble."""
    from pebble import ProcessPool  # noqa: PLC0415

    pool = ProcessPool(workers, max_tasks=max_jobs or 0, context=multiprocessing.get_context("spawn"))

    def close() -> None:
        pool.stop()
        pool.join()

    return Peer(
        lambda function, argument: pool.schedule(function, args=(argument,)).result(),
        lambda function, arguments: pool.map(function, arguments, chunksize=1).result(),
        close,
    )


def loky(workers: int, max_jobs: int | None) -> Peer:
    """The executor of joblib. It cannot replace a worker after a number of jobs."""
    from loky import get_reusable_executor  # noqa: PLC0415

    if max_jobs is not None:
        raise ValueError("loky has no limit of jobs for a worker")
    pool = get_reusable_executor(workers, timeout=1000)
    return _executor(pool, lambda: pool.shutdown(kill_workers=True))


def ours(workers: int, max_jobs: int | None) -> Peer:
    """This project's pool."""
    from orchestrator.pool.jobs import Call  # noqa: PLC0415
    from orchestrator.pool.pool import Pool  # noqa: PLC0415
    from orchestrator.pool.recycling import Recycle  # noqa: PLC0415

    pool = Pool(workers=workers, recycle=None if max_jobs is None else Recycle(max_jobs=max_jobs))

    def name(function: Function) -> str:
        return f"{function.__module__}:{function.__name__}"

    return Peer(
        lambda function, argument: pool.submit(Call(name(function), argument)).result(),
        lambda function, arguments: pool.map(Call(name(function), argument) for argument in arguments),
        pool.close,
    )


PEERS: dict[str, Callable[[int, int | None], Peer]] = {
    "ours": ours,
    "billiard": billiard,
    "executor, forkserver": lambda *said: concurrent_futures("forkserver", *said),
    "executor, spawn": lambda *said: concurrent_futures("spawn", *said),
    "mp.Pool, fork": lambda *said: multiprocessing_pool("fork", *said),
    "mp.Pool, spawn": lambda *said: multiprocessing_pool("spawn", *said),
    "pebble": pebble,
    "loky": loky,
}
"""Name, and how it is opened with so many workers, each for so many jobs (None: no limit)."""
PACKAGES = ("billiard", "pebble", "loky", "msgspec")


@contextlib.contextmanager
def opened(name: str, workers: int = 1, max_jobs: int | None = None) -> Iterator[Peer]:
    """Open a pool for the length of a with block."""
    peer = PEERS[name](workers, max_jobs)
    try:
        yield peer
    finally:
        peer.close()
