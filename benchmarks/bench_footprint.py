"""What an idle worker weighs: RSS and USS, beside the floor, a bare interpreter that has imported msgspec.

    python benchmarks/bench_footprint.py [--workers 8]

Prints a table and writes ``benchmarks/results/footprint.json``.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack

from recording import host, record, show

from orchestrator.process.dialogue import Dialogue
from orchestrator.process.memory import Memory, read_boundary

MB = 1024 * 1024
BARE = "import msgspec.msgpack, sys; sys.stdout.write('x'); sys.stdout.flush(); sys.stdin.read()"


def bare_interpreter() -> tuple[Memory, float]:
    """Return the memory of the floor, and the seconds from its start to its first word."""
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-P", "-c", BARE], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.read(1)
        seconds = time.perf_counter() - began
        return read_boundary(process.pid), seconds


def workers(count: int) -> tuple[list[Memory], list[float]]:
    """Return the memory of ``count`` idle workers that live at the same time, and their seconds to ready."""
    with ExitStack() as stack:
        seconds: list[float] = []
        dialogues: list[Dialogue] = []
        for slot in range(count):
            began = time.perf_counter()
            dialogues.append(stack.enter_context(Dialogue(slot=slot, heap=False)))
            seconds.append(time.perf_counter() - began)
        return [read_boundary(dialogue.worker.pid) for dialogue in dialogues], seconds


def row(name: str, memories: list[Memory], seconds: list[float]) -> list[object]:
    """Return medians: RSS and USS in MB, start in ms."""
    rss = statistics.median(memory.rss for memory in memories) / MB
    uss = statistics.median(memory.uss or 0 for memory in memories) / MB
    return [name, f"{rss:.1f}", f"{uss:.1f}", f"{statistics.median(seconds) * 1000:.0f}"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=int, default=8)
    count: int = parser.parse_args().workers
    floor = [bare_interpreter() for _ in range(count)]
    memories, seconds = workers(count)
    rows = [
        row("bare interpreter with msgspec", [one for one, _ in floor], [one for _, one in floor]),
        row("idle worker", memories, seconds),
    ]
    header = ["process", "RSS MB", "USS MB", "start to ready ms"]
    show(f"{count} processes each, medians", header, rows)
    document = {
        "command": f"python benchmarks/bench_footprint.py --workers {count}",
        "host": host("msgspec"),
        "header": header,
        "rows": rows,
    }
    print(f"\nwritten to {record('footprint', document)}")


if __name__ == "__main__":
    main()
