"""What a sandbox costs a worker's start: processor time in the worker, and what the parent does for it.

``python benchmarks/bench_sandbox.py`` prints median and smallest of 40 forks from a process that is as well prepared as
a fork server; processor time, so that a busy machine changes little.
"""

from __future__ import annotations

import os
import statistics
import sys
import time

from orchestrator.config.model import Model
from orchestrator.process.sandbox.rules import wide_places
from orchestrator.process.sandbox.worker_sandbox import WorkerSandbox
from orchestrator_worker.protocol import Sandbox
from orchestrator_worker.sandbox import confinement

TIMES = 40


def in_the_worker(sandbox: Sandbox) -> float:
    """Return the milliseconds of processor time in a process of its own."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        began = time.thread_time_ns()
        confinement.Confinement(sandbox)
        os.write(writer, str(time.thread_time_ns() - began).encode())
        os._exit(0)
    confinement.renew()
    os.wait()
    taken = int(os.read(reader, 64))
    os.close(reader)
    os.close(writer)
    return taken / 1e6


def in_the_parent(model: Model) -> float:
    """Return the milliseconds of processor time here. Nothing is forked meanwhile: a pool leaves that to another."""
    began = time.thread_time_ns()
    WorkerSandbox([model]).close()
    return (time.thread_time_ns() - began) / 1e6


def main() -> None:
    """Print a line for each mode and side."""
    confinement.prepare(wide_places())
    print(f"Python {sys.version.split()[0]}, {os.uname().release}, {os.uname().machine}; {TIMES} times each")
    for mode in ("files", "strict"):
        model = Model(name="function", engine="function", sandbox=mode)
        parent = [in_the_parent(model) for _ in range(TIMES)]
        worker: list[float] = []
        for _ in range(TIMES):
            kept = WorkerSandbox([model])
            worker.append(in_the_worker(kept.sandbox))
            kept.close()
        for side, taken in (("worker", worker), ("parent", parent)):
            print(
                f"{mode:7} {side:7} {statistics.median(taken):6.2f} ms median {min(taken):6.2f} ms smallest"
            )


if __name__ == "__main__":
    main()
