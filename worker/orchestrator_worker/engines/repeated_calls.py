"""Call one function many times and read what the process then holds: one reading of a leak check.

What one call leaves behind may be 32 bytes, which no single reading shows. So a job may ask the engine ``function``
for many calls in a row; afterwards garbage is collected and free memory given back, so that what is read is what the
calls have kept. The reading itself allocates nothing that stays.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections import deque
from collections.abc import Callable
from time import perf_counter
from types import CoroutineType, GeneratorType
from typing import Any

import msgspec

FREEZE_ABOVE_S = 0.02
"""A collection that takes longer than this is made cheap: what was there after the first calls is looked at no more."""
_SHARED_MEMORY = "/dev/shm"
_created_segments: set[str] = set()
_watching = False


class Repeat(msgspec.Struct, frozen=True):
    """What a job asks for: how often to call; ``modules``: also tell where the loaded modules came from."""

    calls: int
    modules: bool = False


def call_repeatedly(
    function: Callable[..., object], args: list[Any], kwargs: dict[str, Any], wanted: Repeat
) -> dict[str, Any]:
    """Call ``function`` as often as is wanted; return seconds, Python's own blocks and names of shared memory left.

    The seconds are those of the calls alone. A coroutine is run to its end, a generator is drained; what comes back
    is dropped, whatever it is. What the function raises goes up as it is.
    """
    _watch_shared_memory()
    arguments = _arguments_made_anew(args, kwargs)
    seconds = _seconds(function, arguments, wanted.calls)
    _tidy()
    said: dict[str, Any] = {
        "seconds": seconds,
        "blocks": sys.getallocatedblocks(),
        "segments": _segments_left(),
    }
    if wanted.modules:
        said["modules"] = loaded_files()
    return said


def loaded_files() -> dict[str, str]:
    """Return the file of every module that was loaded from one."""
    files = {name: getattr(module, "__file__", None) for name, module in list(sys.modules.items())}
    return {name: os.path.abspath(file) for name, file in files.items() if isinstance(file, str)}


def _seconds(
    function: Callable[..., object],
    arguments: Callable[[], tuple[list[Any], dict[str, Any]]],
    calls: int,
) -> float:
    """Make the calls and return how long they took; nothing of the last one is held when it returns."""
    began = perf_counter()
    for _ in range(calls):
        args, kwargs = arguments()
        _finish(function(*args, **kwargs))
    return perf_counter() - began


def _finish(value: object) -> None:
    if isinstance(value, CoroutineType):
        import asyncio

        asyncio.run(value)  # pyright: ignore[reportUnknownArgumentType]
    elif isinstance(value, GeneratorType):
        deque(value, maxlen=0)  # pyright: ignore[reportUnknownArgumentType]


def _arguments_made_anew(
    args: list[Any], kwargs: dict[str, Any]
) -> Callable[[], tuple[list[Any], dict[str, Any]]]:
    """Return a function that gives the arguments of one call.

    A list that a call appends to would grow from call to call, and the leak would be ours: where an argument can be
    changed, each call gets its own, as each job gets it from the wire.
    """
    if all(isinstance(value, bool | int | float | str | bytes | None) for value in (*args, *kwargs.values())):
        return lambda: (args, kwargs)
    packed = msgspec.msgpack.encode((args, kwargs))
    decoder = msgspec.msgpack.Decoder(tuple[list[Any], dict[str, Any]])
    return lambda: decoder.decode(packed)


def _tidy() -> None:
    """Collect garbage and give free memory back; a second pass takes what finalizers have set free."""
    from orchestrator_worker import allocator

    began = perf_counter()
    if gc.collect():
        gc.collect()
    if perf_counter() - began > FREEZE_ABOVE_S:
        gc.freeze()
    allocator.trim()


def _segments_left() -> list[str]:
    """Return the noted segments that are still there, and forget the others: notes must not grow either."""
    left = sorted(name for name in _created_segments if os.path.exists(f"{_SHARED_MEMORY}/{name}"))
    _created_segments.clear()
    _created_segments.update(left)
    return left


def _watch_shared_memory() -> None:
    """Note the names of shared memory that Python code creates from now on.

    A segment outlives the object that made it, and nothing in ``/proc`` tells afterwards whose it was.
    """
    global _watching  # noqa: PLW0603 - once a process
    if _watching:
        return
    _watching = True
    try:
        posixshmem: Any = importlib.import_module("_posixshmem")
    except ImportError:
        return
    opened: Callable[[str, int, int], int] = posixshmem.shm_open

    def shm_open(path: str, flags: int, mode: int = 511) -> int:
        descriptor = opened(path, flags, mode)
        if flags & os.O_CREAT:
            _created_segments.add(path.lstrip("/"))
        return descriptor

    posixshmem.shm_open = shm_open
