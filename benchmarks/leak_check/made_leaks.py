"""Functions that leak, each in another way, by the standard library alone."""

from __future__ import annotations

import atexit
import ctypes
import functools
import itertools
import logging
import mmap
import os
import random
import socket
import subprocess
import threading
import time
from multiprocessing.shared_memory import SharedMemory

kept: list[object] = []
numbers = itertools.count(1)
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]


def malloc() -> None:
    libc.malloc(24)


def malloc_every_tenth_call() -> None:
    if next(numbers) % 10 == 0:
        libc.malloc(100)


def reference() -> None:
    thing = {"a": 1}
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


def list_that_grows() -> None:
    kept.append(object())


def sizes_at_random() -> None:
    kept.append(bytes(random.randrange(200)))


@functools.cache
def remembered(_key: int) -> None:
    return None


def cache_without_bound() -> None:
    remembered(next(numbers))


def exception_kept() -> None:
    try:
        int("no")
    except ValueError as error:
        kept.append(error)


def callbacks_at_exit() -> None:
    atexit.register(print)


def loggers_by_name() -> None:
    logging.getLogger(f"request.{next(numbers)}")


def pages_of_its_own() -> None:
    pages = mmap.mmap(-1, 16384, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    pages[0] = 1
    kept.append(pages)


def slow_and_small() -> None:
    time.sleep(0.01)
    kept.append(bytes(1000))


def sockets() -> None:
    kept.append(socket.socket())


def files_every_twentieth_call() -> None:
    if next(numbers) % 20 == 0:
        kept.append(os.dup(0))


def threads() -> None:
    threading.Thread(target=threading.Event().wait, daemon=True).start()


def children() -> None:
    kept.append(subprocess.Popen(["sleep", "60"]))


def zombies() -> None:
    if os.fork() == 0:
        os._exit(0)


def shared_memory() -> None:
    segment = SharedMemory(create=True, size=10_000)
    segment.close()
