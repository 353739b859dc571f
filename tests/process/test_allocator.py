"""The allocator's view of a process of known contents. Each case runs in a Python process of its own."""

import json
import os
import platform
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

import orchestrator_worker

MB = 1024 * 1024
REPOSITORY = Path(orchestrator_worker.__file__).parents[2]
PREAMBLE = """
import ctypes, json, sys, threading
from orchestrator_worker import allocator

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
libc.free.restype = None

def block(size):
    address = libc.malloc(size)
    ctypes.memset(address, 1, size)
    return address

def heap():
    found = allocator.read_heap()
    assert found.off is None, found.off
    return found

def anon():
    for line in open("/proc/self/status"):
        if line.startswith("RssAnon"):
            return int(line.split()[1]) * 1024

heap() if len(sys.argv) == 1 else None
"""

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallinfo2 is glibc's")
compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler to build the double with")


def child(body: str, *arguments: str, **environment: str) -> dict[str, Any]:
    """Run the body in a fresh Python; return the JSON it printed."""
    environ = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "worker")]),
        **environment,
    }
    source = PREAMBLE + textwrap.dedent(body)
    done = subprocess.run(
        [sys.executable, "-c", source, *arguments], env=environ, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@glibc
@pytest.mark.parametrize(("pieces", "size"), [(4096, 16 * 1024), (1, 64 * MB)], ids=["blocks", "mmapped"])
def test_live_rises_by_what_was_allocated_and_falls_when_freed(pieces: int, size: int) -> None:
    seen = child(
        f"""
        before = heap()
        blocks = [block({size}) for _ in range({pieces})]
        during = heap()
        for address in blocks:
            libc.free(address)
        after = heap()
        print(json.dumps(dict(rise=during.live - before.live, rest=after.live - before.live)))
        """
    )
    assert seen["rise"] == pytest.approx(64 * MB, rel=0.02)
    assert abs(seen["rest"]) < MB


@glibc
def test_freed_and_pinned_is_held_not_live_and_a_trim_gives_it_back() -> None:
    seen = child(
        """
        blocks = [block(16 * 1024) for _ in range(4096)]
        full, full_anon = heap(), anon()
        for address in blocks[:-1]:  # the last one pins the heap's top: nothing can be given back by itself
            libc.free(address)
        freed, freed_anon = heap(), anon()
        asked = allocator.trim()
        trimmed, trimmed_anon = heap(), anon()
        print(json.dumps(dict(
            live_fell=full.live - freed.live, held_rose=freed.held - full.held,
            anon_fell=full_anon - freed_anon, asked=asked, trim_gave=freed_anon - trimmed_anon,
            held_after_trim=trimmed.held - freed.held)))
        """
    )
    assert seen["live_fell"] == pytest.approx(64 * MB, rel=0.02)
    assert seen["held_rose"] == pytest.approx(64 * MB, rel=0.02)
    assert abs(seen["anon_fell"]) < MB
    assert seen["asked"] is True
    assert seen["trim_gave"] > 60 * MB
    assert abs(seen["held_after_trim"]) < MB  # a trim does not lower held


@glibc
def test_every_arena_counts() -> None:
    seen = child(
        """
        threads, size, pieces = 4, 16 * 1024, 512
        allocated, done, addresses = threading.Barrier(threads + 1), threading.Event(), []

        def allocate():
            addresses.append([block(size) for _ in range(pieces)][0])
            allocated.wait()
            done.wait()

        before = heap()
        started = [threading.Thread(target=allocate) for _ in range(threads)]
        for thread in started:
            thread.start()
        allocated.wait()
        rise = heap().live - before.live
        main = next(line for line in open("/proc/self/maps") if line.rstrip().endswith("[heap]"))
        first, last = (int(end, 16) for end in main.split()[0].split("-"))
        outside = sum(not first <= address < last for address in addresses)
        done.set()
        for thread in started:
            thread.join()
        print(json.dumps(dict(rise=rise, outside=outside)))
        """
    )
    assert seen["outside"] == 4  # the blocks really lie in arenas other than the main one
    assert seen["rise"] == pytest.approx(32 * MB, rel=0.02)


@compiler
@pytest.mark.parametrize("symbol", ["mallctl", "mi_malloc"])
def test_a_replaced_allocator_switches_the_channel_off(symbol: str, tmp_path: Path) -> None:
    source, library = tmp_path / "double.c", tmp_path / "double.so"
    source.write_text(f"int {symbol}(void) {{ return 0; }}\n")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True, timeout=60)
    seen = child(REPORT, "double", LD_PRELOAD=str(library))
    assert seen == {"off": "allocator replaced", "live": 0, "held": None, "trimmed": False}


REPORT = """
found = allocator.read_heap()
print(json.dumps(dict(off=found.off, live=found.live, held=found.held, trimmed=allocator.trim())))
"""


@glibc
def test_zeros_from_the_c_library_switch_the_channel_off() -> None:
    seen = child(
        """
        class Library:
            class mallinfo2:
                def __new__(cls):
                    return type("Info", (), dict.fromkeys(allocator._MALLINFO2_FIELDS, 0))
            class malloc_trim:
                def __new__(cls, pad):
                    return 0
        allocator._source = allocator._Glibc(Library)
        """
        + textwrap.indent(REPORT, " " * 8)
    )
    assert seen["off"] == "allocator replaced"


def test_without_mallinfo2_psutil_is_asked_for_live_bytes_only() -> None:
    pytest.importorskip("psutil", minversion="7.2", reason="heap_info() came with psutil 7.2")
    seen = child(
        """
        allocator._source = allocator._Psutil(allocator._psutil_with_heap())
        before = allocator.read_heap()
        kept = block(64 * 1024 * 1024)
        after = allocator.read_heap()
        print(json.dumps(dict(rise=after.live - before.live, held=after.held, source=after.source,
                              trimmed=allocator.trim())))
        """
    )
    assert seen["rise"] == pytest.approx(64 * MB, rel=0.02)
    assert (seen["held"], seen["source"], seen["trimmed"]) == (None, "psutil", True)


def test_no_source_at_all_says_why() -> None:
    seen = child(
        """
        allocator._psutil_with_heap = lambda: None
        ctypes.CDLL = lambda name: object()
        """
        + textwrap.indent(REPORT, " " * 8),
        "nothing",
    )
    assert "mallinfo2" in str(seen["off"])
    assert seen["trimmed"] is False


def test_a_heap_that_cannot_be_read_is_off_and_never_raises() -> None:
    seen = child(
        """
        class Broken:
            def read(self):
                raise OSError("gone")
            def trim(self):
                raise OSError("gone")
        allocator._source = Broken()
        """
        + textwrap.indent(REPORT, " " * 8)
    )
    assert seen["off"] == "cannot be read: OSError: gone"
    assert seen["trimmed"] is False


def test_importing_the_module_loads_neither_ctypes_nor_psutil() -> None:
    held = "sorted({'ctypes', 'psutil'} & set(sys.modules))"
    source = f"import sys; from orchestrator_worker import allocator; print({held})"
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY / "worker")}
    done = subprocess.run(
        [sys.executable, "-c", source], env=environ, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "[]", done.stderr
