"""Functions that leak, cache, and die, for ``locate --call`` in real workers."""

import ctypes
import mmap
import os
import sys
import time

kept = []
maps = []
cache = {}


class Session:
    """An object that somebody forgets to close."""

    def __init__(self):
        self.parts = [1]


def keeps_objects():
    kept.append(Session())


def only_caches(n=[0]):  # noqa: B006 - counts the calls
    n[0] += 1
    cache[n[0] % 3] = bytes(5000)


def keeps_by_ctypes():
    library = ctypes.CDLL(None)
    library.malloc.restype = ctypes.c_void_p
    library.malloc(65536)


def keeps_mappings():
    maps.append(mmap.mmap(-1, 65536))


def dies_when_traced():
    if "memray" in sys.modules:
        ctypes.string_at(1)


def exits_when_traced():
    if "memray" in sys.modules:
        os._exit(3)


def raises_when_traced():
    if "memray" in sys.modules:
        raise ValueError("not under a tracer")


def writes_much():
    if "memray" in sys.modules:
        for _ in range(20_000):
            bytearray(600)


def never_ends_when_traced():
    while "memray" in sys.modules:
        time.sleep(60)
