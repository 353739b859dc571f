"""What an idle worker weighs, and how long it takes to be ready: ours, the peers' children, and the floor.

    python benchmarks/bench_footprint.py [--workers 4] [--rounds 15]

Memory: every pool in a process of its own, each worker idle after one no-op job. RSS counts shared pages in
full, USS only what the process has for itself; ``others`` are the pool's further processes (a server that forks
workers, a tracker). The floor is a bare interpreter that has imported msgspec. Start: a worker executed as a
new interpreter, from spawn to ready, in turn with the floor, by the clock and by CPU. Prints tables and writes
``benchmarks/results/footprint.json``. Needs pebble, loky and billiard.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bytecode import compiled_modules
from peers import PACKAGES, PEERS, opened
from recording import host, record, show
from rounds import median_of, take_turns
from small_jobs import process_number_after_a_pause

from orchestrator.process.dialogue import Dialogue
from orchestrator.process.memory import read_boundary
from orchestrator.process.sampling.descendants import descendants

MB = 1024 * 1024
BARE = "import msgspec.msgpack, sys; sys.stdout.write('x'); sys.stdout.flush(); sys.stdin.read()"
FLOOR, EXECUTED = "floor: bare interpreter with msgspec", "ours, a new interpreter each (experiments)"
FORKED = "ours, replacements (forked from the fork server)"
MOST_TURNS = 60
JOBS_BEFORE_FORK = 8


def bare_interpreter() -> subprocess.Popen[bytes]:
    """Start the floor; return once it has said its first word."""
    command = [sys.executable, "-P", "-c", BARE]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.read(1)
    return process


# ------------------------------------------------------------------ memory


def weigh(workers: Sequence[int], others: Sequence[int]) -> dict[str, float]:
    """Return medians over the workers, and what the others have for themselves together, in MB."""
    memories = [read_boundary(pid) for pid in workers]
    return {
        "rss_mb": statistics.median(memory.rss for memory in memories) / MB,
        "uss_mb": statistics.median(memory.uss or 0 for memory in memories) / MB,
        "pss_mb": statistics.median(memory.pss or 0 for memory in memories) / MB,
        "others_uss_mb": sum(read_boundary(pid).uss or 0 for pid in others) / MB,
    }


def memory_of(name: str, count: int) -> dict[str, float]:
    """Return what ``count`` idle workers of one contestant weigh."""
    if name == FLOOR:
        bare = [bare_interpreter() for _ in range(count)]
        found = weigh([process.pid for process in bare], [])
        for process in bare:
            process.communicate()
        return found
    if name == EXECUTED:
        dialogues = [Dialogue(slot=slot, heap=False) for slot in range(count)]
        found = weigh([dialogue.worker.pid for dialogue in dialogues], [])
        for dialogue in dialogues:
            dialogue.close()
        return found
    if name == FORKED:
        return memory_of_forked(count)
    with opened(name, workers=count) as peer:
        pids: set[int] = set()
        for _ in range(MOST_TURNS):
            pids |= set(peer.results(process_number_after_a_pause, range(count)))
            if len(pids) >= count:
                break
        return weigh(sorted(pids), [pid for pid in descendants(os.getpid()) if pid not in pids])


def memory_of_forked(count: int) -> dict[str, float]:
    """Return what workers weigh that took over from others, and the fork server they are copies of."""
    with opened("ours", count, JOBS_BEFORE_FORK) as peer:
        for _ in range(MOST_TURNS):
            pids = set(peer.results(process_number_after_a_pause, range(count)))
            parents = {parent_of(pid) for pid in pids}
            if len(parents) == 1 and parents.isdisjoint({os.getpid(), 0}):
                return weigh(sorted(pids), sorted(parents))
    raise RuntimeError("the pool forks no workers on this system")


def parent_of(pid: int) -> int:
    """Return the number of a process's parent; 0 when the process is gone, replaced by the next."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


# ------------------------------------------------------------------ start


def start_of(name: str) -> dict[str, float]:
    """Return the seconds from the spawn to the first word, by the clock and of the child's CPU."""
    began = time.perf_counter()
    if name == FLOOR:
        process = bare_interpreter()
        found = {"wall_ms": (time.perf_counter() - began) * 1e3, "cpu_ms": cpu_ms(process.pid)}
        process.communicate()
        return found
    with Dialogue(heap=False) as dialogue:
        wall = (time.perf_counter() - began) * 1e3
        return {"wall_ms": wall, "cpu_ms": cpu_ms(dialogue.worker.pid)}


def cpu_ms(pid: int) -> float:
    """Return the CPU time of a process so far, as the scheduler counts it."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e6


def starts(rounds: int) -> dict[str, list[dict[str, float]]]:
    """Return the starts of the floor and of a worker, in turns; the first fill the caches."""
    found: dict[str, list[dict[str, float]]] = {FLOOR: [], EXECUTED: []}
    for turn in range(-1, rounds):
        for name, taken in found.items():
            took = start_of(name)
            if turn >= 0:
                taken.append(took)
    return found


# ------------------------------------------------------------------ both


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=15, help="of starts")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.measure:
        print(json.dumps(memory_of(said.measure, said.workers)))
        return
    contestants = [FLOOR, EXECUTED, FORKED, *PEERS]
    with compiled_modules():
        weights = take_turns(__file__, contestants, 1, "--workers", str(said.workers))
        began = starts(said.rounds)
    memory = memory_rows(weights)
    start = start_rows(began)
    memory_header = ["child", "RSS MB", "USS MB", "PSS MB", "others' USS MB"]
    start_header = ["start to ready", "wall ms", "× floor", "CPU ms", "× floor"]
    show(f"{said.workers} idle children each, medians", memory_header, memory)
    show(f"a cold start, medians of {said.rounds} in turns", start_header, start)
    document: dict[str, Any] = {
        "command": f"python benchmarks/bench_footprint.py --workers {said.workers} --rounds {said.rounds}",
        "host": host(*PACKAGES),
        "memory": {"header": memory_header, "rows": memory, "turns": weights},
        "start": {"header": start_header, "rows": start, "turns": began},
    }
    print(f"\nwritten to {record('footprint', document)}")


def memory_rows(weights: dict[str, list[dict[str, Any]]]) -> list[list[object]]:
    keys = ("rss_mb", "uss_mb", "pss_mb", "others_uss_mb")
    return [[name, *(f"{median_of(found, key):.1f}" for key in keys)] for name, found in weights.items()]


def start_rows(began: dict[str, list[dict[str, float]]]) -> list[list[object]]:
    rows: list[list[object]] = []
    for name, found in began.items():
        cells: list[object] = [name]
        for key in ("wall_ms", "cpu_ms"):
            median = median_of(found, key)
            cells += [f"{median:.1f}", f"{median / median_of(began[FLOOR], key):.2f}"]
        rows.append(cells)
    return rows


if __name__ == "__main__":
    main()
