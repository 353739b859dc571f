"""What this process must leave as it is, so that pools can work in it, and the sentence when it does not.

Nothing is imported to find out: who has not loaded gevent, eventlet or trio is not asked about them.
"""

from __future__ import annotations

import _thread
import select
import sys
import types
from typing import TYPE_CHECKING, Any

from orchestrator.errors import UnsupportedHostError

if TYPE_CHECKING:
    import asyncio

_NEEDED = ("threading", "select", "subprocess", "os", "signal", "queue")
"""Modules that a pool needs as the standard library has them, by the names under which gevent remembers its patches."""
_EVENTLET_NAMES = {"threading": "thread"}


def refuse_patched_host() -> None:
    """Refuse a process whose threads or system calls were replaced by cooperative ones (gevent, eventlet).

    Raises:
        UnsupportedHostError: They were; names what was replaced, and what is supported.
    """
    for library, patched in (("gevent", _patched_by_gevent()), ("eventlet", _patched_by_eventlet())):
        if patched:
            raise UnsupportedHostError(_cannot(library, patched))
    if not isinstance(_thread.start_new_thread, types.BuiltinFunctionType):
        raise UnsupportedHostError(_cannot("a library", ["threading"]))


def _cannot(library: str, patched: list[str]) -> str:
    sentence = (
        f"pools need the standard library's own threads and system calls, and {library} has replaced "
        f"{', '.join(patched)} in this process"
    )
    if library != "gevent":
        return f"{sentence}; supported is a process without such patches (docs/hosts.md)"
    kept = ", ".join(f"{'thread' if name == 'threading' else name}=False" for name in _NEEDED)
    return (
        f"{sentence}; supported are a process without gevent's patches, or monkey.patch_all({kept}) with jobs run in "
        "gevent's thread pool: gevent.get_hub().threadpool.apply(pool.run, (job,)) (docs/hosts.md)"
    )


def _patched_by_gevent() -> list[str]:
    monkey: Any = sys.modules.get("gevent.monkey")
    if monkey is None:
        return []
    # "select" by its effect too: patched by name alone, gevent takes epoll away.
    return [name for name in _NEEDED if monkey.is_module_patched(name) or _lacks_epoll(name)]


def _lacks_epoll(name: str) -> bool:
    return name == "select" and sys.platform == "linux" and not hasattr(select, "epoll")


def _patched_by_eventlet() -> list[str]:
    patcher: Any = sys.modules.get("eventlet.patcher")
    if patcher is None:
        return []
    return [name for name in _NEEDED if patcher.is_monkey_patched(_EVENTLET_NAMES.get(name, name))]


def refuse_trio_task() -> None:
    """Refuse a coroutine that trio runs: AsyncPool waits by asyncio.

    Raises:
        UnsupportedHostError: trio runs the calling task; says what is supported.
    """
    if _in_trio():
        raise UnsupportedHostError(
            "AsyncPool waits by asyncio, and this task is run by trio (or by anyio on trio); there Pool works in "
            "a thread: await trio.to_thread.run_sync(pool.run, job), or anyio.to_thread.run_sync (docs/hosts.md)"
        )


def running_loop() -> asyncio.AbstractEventLoop:
    """Return asyncio's running event loop.

    Raises:
        UnsupportedHostError: trio runs the calling task, or no event loop runs at all.
    """
    import asyncio  # noqa: PLC0415 - who has no coroutines does not pay for it

    refuse_trio_task()
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise UnsupportedHostError(
            "AsyncPool waits by asyncio, and no asyncio event loop runs here; await it in a coroutine that "
            "asyncio.run runs, or use Pool (docs/hosts.md)"
        ) from None


def _in_trio() -> bool:
    trio: Any = sys.modules.get("trio")
    if trio is None:
        return False
    sniffio: Any = sys.modules.get("sniffio")
    if sniffio is not None:  # it knows better where both run in one thread (trio-asyncio)
        try:
            return bool(sniffio.current_async_library() == "trio")
        except sniffio.AsyncLibraryNotFoundError:
            return False
    try:
        trio.lowlevel.current_task()
    except RuntimeError:
        return False
    return True
