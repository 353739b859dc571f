"""What changes between two states of this repository have cost a pool: jobs, starts and memory, in turns.

    git worktree add --detach BEFORE COMMIT
    python benchmarks/bench_before_after.py BEFORE [--after TREE] [--rounds 9]

Each measurement is a process of its own that imports from one tree, and the trees take turns, so that they share the
machine's moods: read the ratios, which are medians over the rounds of neighbours, with their quartiles. The later tree
is also measured with ``sandbox = "strict"``. Measured by the same code in both, so only what both have can be:

* a no-op job after the other through one worker, by the clock;
* a job with a process of its own (``max_jobs=1``) after the other, by the clock and by processor time of all processes;
* from nothing to the first result, by the clock;
* what the parent and an idle worker have for themselves (USS), and the worker's RSS.

Writes ``benchmarks/results/before_after.json``. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
from recording import host, record, show
from rounds import cpu_seconds

JOBS, WARM_UP, STARTS = 4_000, 500, 80
MIB = 1024 * 1024
DEADLINE_S = 300.0
FIGURES = {
    "round trip": ("us", "one no-op job after the other"),
    "start": ("ms", "a job in a process of its own"),
    "start, processor": ("ms", "the same, processor time of all processes"),
    "first result": ("ms", "a new pool until its first result"),
    "parent": ("MiB", "USS of the parent after all of it"),
    "worker": ("MiB", "USS of an idle worker"),
    "worker, RSS": ("MiB", "RSS of an idle worker"),
}


def models(sandbox: Any) -> dict[str, Any]:
    """Return the arguments of a pool whose workers are confined."""
    if sandbox == "off":
        return {}
    from orchestrator.pool.models import Model  # noqa: PLC0415 - of the tree that is measured

    return {"models": [Model(name="function", engine="function", sandbox=sandbox)]}


def measure(sandbox: str) -> dict[str, float]:
    """Return the figures of the tree that this process imports from."""
    from orchestrator.pool.jobs import Call  # noqa: PLC0415
    from orchestrator.pool.pool import Pool  # noqa: PLC0415
    from orchestrator.pool.recycling import Recycle  # noqa: PLC0415

    job, found = Call("operator:add", 1, 1), {}
    began = time.perf_counter()
    with Pool(workers=1, **models(sandbox)) as pool:
        pool.run(job)
        found["first result"] = 1e3 * (time.perf_counter() - began)
        for _ in range(WARM_UP):
            pool.run(job)
        began = time.perf_counter()
        for _ in range(JOBS):
            pool.run(job)
        found["round trip"] = 1e6 * (time.perf_counter() - began) / JOBS
    began, used = time.perf_counter(), cpu_seconds()
    with Pool(workers=1, recycle=Recycle(max_jobs=1), **models(sandbox)) as pool:
        for _ in range(STARTS):
            pool.run(job)
        found["start"] = 1e3 * (time.perf_counter() - began) / STARTS
    found["start, processor"] = 1e3 * (cpu_seconds() - used) / STARTS
    with Pool(workers=1, **models(sandbox)) as pool:
        pid = pool.run(Call("os:getpid"))
        worker = psutil.Process(pid).memory_full_info()
        found["worker"], found["worker, RSS"] = worker.uss / MIB, worker.rss / MIB
        found["parent"] = psutil.Process().memory_full_info().uss / MIB
    return found


def measured(tree: Path, sandbox: str) -> dict[str, float]:
    """Measure a tree in a process of its own."""
    environ = {**os.environ, "PYTHONPATH": f"{tree}{os.pathsep}{tree / 'worker'}"}
    command = [sys.executable, __file__, str(tree), "--measure", sandbox]
    done = subprocess.run(command, env=environ, stdout=subprocess.PIPE, check=True, timeout=DEADLINE_S)
    return dict(json.loads(done.stdout))


def commit_of(tree: Path) -> str:
    """Return the commit that a tree is of, and when it was made."""
    command = ["git", "-C", str(tree), "log", "-1", "--format=%h, %cs"]
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout.strip()


def compared(turns: list[dict[str, dict[str, float]]], one: str, other: str) -> list[dict[str, Any]]:
    """Return a row for each figure: the medians of both, and of the ratios within each round."""
    rows = []
    for name, (unit, what) in FIGURES.items():
        ratios = [turn[other][name] / turn[one][name] for turn in turns]
        low, _, high = statistics.quantiles(ratios, n=4)
        medians = [statistics.median(turn[which][name] for turn in turns) for which in (one, other)]
        rows.append(
            {
                "figure": what,
                "unit": unit,
                one: round(medians[0], 3),
                other: round(medians[1], 3),
                "ratio": round(statistics.median(ratios), 3),
                "quartiles": [round(low, 3), round(high, 3)],
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("before", type=Path)
    parser.add_argument("--after", type=Path, default=Path(__file__).resolve().parents[1])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.measure:
        import orchestrator  # noqa: PLC0415

        assert Path(str(orchestrator.__file__)).is_relative_to(said.before.resolve())
        print(json.dumps(measure(said.measure)))
        return
    before, after = said.before.resolve(), said.after.resolve()
    ways = {"before": (before, "off"), "after": (after, "off"), "strict": (after, "strict")}
    turns: list[dict[str, dict[str, float]]] = []
    for number in range(said.rounds):
        order = list(ways.items()) if number % 2 else list(ways.items())[::-1]
        turns.append({name: measured(*way) for name, way in order})
    pairs = [("before", "after"), ("after", "strict")]
    tables = {f"{other} / {one}": compared(turns, one, other) for one, other in pairs}
    for (one, other), rows in zip(pairs, tables.values(), strict=True):
        header = ["figure", "unit", one, other, "ratio", "quartiles"]
        show(f"{other} against {one}", header, [[row[name] for name in header] for row in rows])
    document = {
        "command": f"python benchmarks/bench_before_after.py BEFORE --rounds {said.rounds}",
        "host": host("msgspec", "psutil"),
        "before": commit_of(before),
        "after": commit_of(after),
        "tables": tables,
        "turns": turns,
    }
    print(f"\nwritten to {record('before_after', document)}")


if __name__ == "__main__":
    main()
