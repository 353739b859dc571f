"""Functions that keep nothing for ever, of the kinds that are taken for leaks: caches, pools, buffers, noise."""

from __future__ import annotations

import collections
import concurrent.futures
import functools
import itertools
import os
import random
import re
import sqlite3
import threading
from multiprocessing.shared_memory import SharedMemory
from typing import Any

numbers = itertools.count(1)
ring: collections.deque[bytes] = collections.deque(maxlen=2000)
table: dict[int, bytes] = {}
buffer: list[bytes] = []
descriptors: list[int] = []
state: dict[str, Any] = {}


def patterns() -> None:
    re.compile(f"a{next(numbers) % 1000}b")


@functools.lru_cache(maxsize=5000)
def of_many(_key: int) -> bytes:
    return bytes(500)


def cache_with_a_bound() -> None:
    of_many(next(numbers))


def ring_of_results() -> None:
    ring.append(os.urandom(random.randrange(2000)))


def last_result() -> None:
    state["last"] = bytes(random.randrange(3_000_000))


def buffer_that_is_flushed() -> None:
    buffer.append(bytes(2000))
    if len(buffer) >= 3000:
        buffer.clear()


def database() -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("create table t(a)")
    connection.executemany("insert into t values (?)", [(number,) for number in range(100)])
    connection.close()


def pool_of_files() -> None:
    if len(descriptors) < 30:
        descriptors.append(os.open(os.devnull, os.O_RDONLY))


def kept_thread_pool() -> None:
    if "pool" not in state:
        state["pool"] = concurrent.futures.ThreadPoolExecutor(16)
    state["pool"].submit(str, 1).result()


def thread_not_waited_for() -> None:
    threading.Thread(target=sum, args=(range(1000),)).start()


def segment() -> None:
    made = SharedMemory(create=True, size=10_000)
    made.close()
    made.unlink()
