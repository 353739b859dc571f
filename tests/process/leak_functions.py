"""Functions that keep something, and functions that only seem to, for checks in real workers."""

import ctypes
import functools
import itertools
import os
import random
import re
import subprocess
import threading
import time
from multiprocessing.shared_memory import SharedMemory

kept = []
numbers = itertools.count(1)
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]


def native_block(size=24):
    libc.malloc(size)


def reference():
    ctypes.pythonapi.Py_IncRef(ctypes.py_object({"a": 1}))


def small_object():
    kept.append(object())


drawn = random.Random(1)


def one_call_in_ten():
    if drawn.random() < 0.1:
        libc.malloc(400)


async def coroutine():
    kept.append(bytes(1000))


def generator():
    kept.append(object())
    yield "text"


def slow_call():
    time.sleep(0.01)
    kept.append(bytes(2000))


def grows_its_argument(words):
    words.append("one more")


def descriptor():
    os.dup(0)


def thread():
    threading.Thread(target=threading.Event().wait, daemon=True).start()


def child():
    kept.append(subprocess.Popen(["sleep", "60"]))


def zombie():
    if os.fork() == 0:
        os._exit(0)


def segment(name=""):
    SharedMemory(f"{name}{next(numbers)}" if name else None, create=True, size=4096).close()


def memory_file():
    os.memfd_create("file")


def system_v(size=4096):
    libc.shmget(0, size, 0o1600)


@functools.lru_cache(maxsize=3000)
def _remembered(key):
    return bytes(400)


def bounded_cache():
    _remembered(next(numbers))


def patterns():
    re.compile(f"a{next(numbers) % 700}b")


def last_of_any_size(state={}):  # noqa: B006 - it is to be kept
    state["last"] = bytes(random.randrange(500_000))


def cycle():
    first = [bytes(1000)]
    first.append(first)


def thread_that_ends():
    threading.Thread(target=sum, args=(range(1000),)).start()


def pool_of_files(files=[]):  # noqa: B006 - it is to be kept
    if len(files) < 25:
        files.append(os.dup(0))


def program():
    subprocess.run(["true"], check=True)


def removed_segment():
    made = SharedMemory(create=True, size=4096)
    made.close()
    made.unlink()
