"""Functions that keep nothing for ever, of the kinds that are taken for leaks: caches, pools, buffers, noise."""

from __future__ import annotations

import collections
import concurrent.futures
import datetime as dt
import functools
import gc
import itertools
import json
import logging
import mmap
import multiprocessing
import os
import random
import re
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
import weakref
import zlib
from multiprocessing.shared_memory import SharedMemory
from typing import Any

numbers = itertools.count(1)
ring: collections.deque[bytes] = collections.deque(maxlen=2000)
table: dict[int, bytes] = {}
buffer: list[bytes] = []
descriptors: list[int] = []
state: dict[str, Any] = {}


def json_there_and_back() -> None:
    json.loads(json.dumps({"numbers": list(range(100)), "text": "x" * 100}))


def patterns() -> None:
    re.compile(f"a{next(numbers) % 1000}b")


@functools.cache
def of_few(_key: int) -> bytes:
    return bytes(10_000)


def cache_of_few_keys() -> None:
    of_few(random.randrange(300))


@functools.lru_cache(maxsize=5000)
def of_many(_key: int) -> bytes:
    return bytes(500)


def cache_with_a_bound() -> None:
    of_many(next(numbers))


def ring_of_results() -> None:
    ring.append(os.urandom(random.randrange(2000)))


def last_result() -> None:
    state["last"] = bytes(random.randrange(3_000_000))


def largest_result() -> None:
    found = bytes(int(random.expovariate(1 / 50_000)))
    if len(found) > len(state.get("largest", b"")):
        state["largest"] = found


def buffer_that_is_flushed() -> None:
    buffer.append(bytes(2000))
    if len(buffer) >= 3000:
        buffer.clear()


def table_in_and_out() -> None:
    table[random.randrange(20_000)] = bytes(random.randrange(300))
    if len(table) > 5000:
        table.pop(next(iter(table)))


def cycles() -> None:
    first: dict[str, Any] = {"filling": bytes(10_000)}
    first["self"] = {"other": first}


def new_class() -> None:
    type("Record", (), {"field": 1})


def weak_table() -> None:
    weakref.WeakValueDictionary()["key"] = set()


def temporary_file() -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"x" * 1000)


def database() -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("create table t(a)")
    connection.executemany("insert into t values (?)", [(number,) for number in range(100)])
    connection.close()


def pair_of_sockets() -> None:
    one, other = socket.socketpair()
    one.send(b"x")
    other.recv(1)
    one.close()
    other.close()


def pool_of_files() -> None:
    if len(descriptors) < 30:
        descriptors.append(os.open(os.devnull, os.O_RDONLY))


def new_thread_pool() -> None:
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(str, range(8)))


def kept_thread_pool() -> None:
    if "pool" not in state:
        state["pool"] = concurrent.futures.ThreadPoolExecutor(16)
    state["pool"].submit(str, 1).result()


def thread_not_waited_for() -> None:
    threading.Thread(target=sum, args=(range(1000),)).start()


def program() -> None:
    subprocess.run(["true"], check=True)


def program_not_waited_for() -> None:
    subprocess.Popen(["true"])


def lock_of_processes() -> None:
    multiprocessing.Lock()


def segment() -> None:
    made = SharedMemory(create=True, size=10_000)
    made.close()
    made.unlink()


def mapping() -> None:
    with mmap.mmap(-1, 100_000) as pages:
        pages[0] = 1


def compressed() -> None:
    zlib.decompress(zlib.compress(os.urandom(20_000)))


def dates() -> None:
    dt.datetime.strptime("2026-01-01", "%Y-%m-%d").replace(tzinfo=dt.UTC)


def loggers() -> None:
    logging.getLogger(f"part{random.randrange(200)}").debug("hello")


def pool_that_fills_slowly() -> None:
    time.sleep(0.005)
    if len(buffer) < 20:
        buffer.append(bytes(100_000))


def collected_by_itself() -> None:
    gc.collect(0)
