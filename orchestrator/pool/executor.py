"""The front door for other libraries: a real ``concurrent.futures.Executor`` without pickle."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, Literal, TypeVar

from orchestrator.pool.events import Hook
from orchestrator.pool.futures import PoolFuture
from orchestrator.pool.jobs import Call
from orchestrator.pool.options import PoolOptions
from orchestrator.pool.recycling import Recycle
from orchestrator.pool.retries import Retry
from orchestrator.pool.stats import PoolStats
from orchestrator.pool.submission.controller import Controller

T = TypeVar("T")


class PoolExecutor(Executor):
    """Runs importable callables with msgpack-able arguments in isolated workers.

    Everything that takes an ``Executor`` takes it, ``asyncio``'s ``run_in_executor`` too. The standard rules hold:
    a running job cannot be cancelled, ``submit`` after ``shutdown`` raises RuntimeError. A worker's death fails its
    own job alone, and the executor goes on.

    Args:
        max_workers: Processes.
        recycle, max_attempts, memory_budget, on_event, inspect, python: As for :class:`Pool`.
        timeout_s: Seconds each call may take; then its worker is stopped and the future has a JobTimeoutError.
        max_queue: Calls that may wait; then ``submit`` blocks.
    """

    def __init__(
        self,
        max_workers: int = 1,
        *,
        recycle: Recycle | Literal["auto"] | None = None,
        max_attempts: int | Retry = 1,
        memory_budget: int | str | None = None,
        timeout_s: float | None = None,
        max_queue: int = 100_000,
        on_event: Hook | None = None,
        inspect: bool = False,
        python: str | os.PathLike[str] | None = None,
    ) -> None:
        self._timeout_s = timeout_s
        self._controller = Controller(
            PoolOptions(
                workers=max_workers,
                recycle=recycle,
                max_attempts=max_attempts,
                memory_budget=memory_budget,
                max_queue=max_queue,
                on_event=on_event,
                inspect=inspect,
                python=python,
            )
        )

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Call ``fn(*args, **kwargs)`` in a worker. ``functools.partial`` of an importable function is fine.

        Raises:
            ValueError: ``fn`` cannot be imported in a worker (``__main__``, a lambda, nested); says the cure.
            TypeError: An argument has no msgpack form; named.
            RuntimeError: After ``shutdown``.
        """
        if self._controller.closed:
            raise RuntimeError("cannot schedule new futures after shutdown")
        target, first, named = importable_name(fn)
        payload = self._controller.prepare(Call(target, *first, *args, **{**named, **kwargs}))
        future: PoolFuture[T] = PoolFuture()
        self._controller.enter(payload, block=True, timeout_s=None)
        self._controller.submit(payload, future, timeout_s=self._timeout_s, queue_timeout_s=None, priority=0)
        return future

    def stats(self) -> PoolStats:
        """Return what the pool behind it looks like now."""
        return self._controller.stats()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls. ``cancel_futures`` cancels those that wait; ``wait`` until the workers are gone."""
        if cancel_futures:
            self._controller.cancel_waiting()
        self._controller.end(drop=False)
        if wait:
            self._controller.join()
        else:
            self._controller.hide()


def importable_name(fn: Callable[..., Any]) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    """Return ``package.module:name`` of a callable, and the arguments bound to it.

    Raises:
        ValueError: It cannot be found by its name in another process.
    """
    if isinstance(fn, functools.partial):
        target, first, named = importable_name(fn.func)
        return target, (*first, *fn.args), {**named, **fn.keywords}
    module: str = getattr(fn, "__module__", None) or ""
    name: str = getattr(fn, "__qualname__", None) or ""
    whom = f"{module}.{name}" if name else repr(fn)
    cure = "define a function at the top level of a module that workers can import"
    if "<lambda>" in name:
        raise ValueError(f"{whom}: a lambda has no name in another process; {cure}")
    if "<locals>" in name:
        raise ValueError(f"{whom}: a function inside a function cannot be imported; {cure}")
    if module == "__main__":
        raise ValueError(
            f"{whom}: in a worker __main__ is the worker; move the function into a module and import it"
        )
    if not module or not name or _found(module, name) is not fn:
        raise ValueError(f"{whom}: importing that name does not give this object (a bound method?); {cure}")
    return f"{module}:{name}", (), {}


def _found(module: str, name: str) -> Any:
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found
