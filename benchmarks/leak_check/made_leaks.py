"""Functions that leak, each in another way, by the standard library alone."""

from __future__ import annotations

import ctypes
import functools
import itertools
import os
import time
from multiprocessing.shared_memory import SharedMemory

kept: list[object] = []
numbers = itertools.count(1)
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]


def malloc_every_tenth_call() -> None:
    if next(numbers) % 10 == 0:
        libc.malloc(100)


def reference() -> None:
    thing = {"a": 1}
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


def list_that_grows() -> None:
    kept.append(object())


@functools.cache
def remembered(_key: int) -> None:
    return None


def cache_without_bound() -> None:
    remembered(next(numbers))


def slow_and_small() -> None:
    time.sleep(0.01)
    kept.append(bytes(1000))


def files_every_twentieth_call() -> None:
    if next(numbers) % 20 == 0:
        kept.append(os.dup(0))


def zombies() -> None:
    if os.fork() == 0:
        os._exit(0)


def shared_memory() -> None:
    segment = SharedMemory(create=True, size=10_000)
    segment.close()
