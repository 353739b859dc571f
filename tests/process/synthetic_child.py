"""Run as a program: drive the synthetic engine and print a reading of the process per job.

It reads /proc and mallinfo2 by itself, with nothing of the product but the engine: what it measures is the
ground truth that the product's own readings are later compared with.

    python synthetic_child.py '{"options": {...}, "jobs": 40, "method": "reuse" | "recreate" | "restart"}'
"""

import ctypes
import json
import os
import sys

from orchestrator_worker.engines.synthetic.engine import SyntheticEngine, SyntheticRestartEngine
from orchestrator_worker.protocol import Job, ModelSpec

libc = ctypes.CDLL(None)


MALLINFO2 = (
    "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost",
)  # fmt: skip


class Mallinfo2(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in MALLINFO2]


if hasattr(libc, "mallinfo2"):
    libc.mallinfo2.restype = Mallinfo2


def field(path, name):
    with open(path) as file:
        for line in file:
            if line.startswith(name):
                return int(line.split()[1])
    raise KeyError(name)


def read():
    heap = libc.mallinfo2()
    return {
        "live": heap.uordblks + heap.hblkhd,
        "held": heap.fordblks,
        "arena": heap.arena,
        # smaps_rollup counts pages; RssAnon of status is a counter that lags by some pages per CPU
        "anon": field("/proc/self/smaps_rollup", "Anonymous:") * 1024,
        "rss_anon": field("/proc/self/status", "RssAnon:") * 1024,
        "mapped": sum(field("/proc/self/status", key) for key in ("RssFile:", "RssShmem:")) * 1024,
        "fds": len(os.listdir("/proc/self/fd")),
        "threads": field("/proc/self/status", "Threads:"),
    }


def tell():
    """Print a reading at once: readings that are kept would be growth of our own."""
    print(json.dumps(read()), flush=True)


class Ear:
    """An emit that forgets what it hears."""

    cancelled = False

    def __call__(self, text, *, final=False, replaces=0):
        pass


def main():
    plan = json.loads(sys.argv[1])
    method = plan["method"]
    engine_class = SyntheticRestartEngine if method == "restart" else SyntheticEngine
    model = ModelSpec("synthetic", "model", options=plan["options"])
    engine = engine_class()
    engine.load(model)
    for _ in range(2):
        read()  # the first readings cost memory themselves
    tell()
    for _ in range(plan["jobs"]):
        engine.run(Job("synthetic"), Ear())
        if method == "restart":
            engine.restart()
        if method == "recreate":
            engine.unload()
            engine = engine_class()
            engine.load(model)
        tell()
    engine.unload()
    tell()


if __name__ == "__main__":
    main()
