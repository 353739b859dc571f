"""What replacing workers costs: a fresh process for every job, and an engine replaced every k jobs.

    python benchmarks/bench_recycle.py [--rounds 3] [--jobs 150] [--engine-jobs 60]

First table: jobs a second through one worker, each job in a process of its own. Only some peers give it a *fresh
interpreter*; a fork of the host (mp.Pool) inherits whatever the host has loaded, locks and all. CPU is of the host and
all its children together.

Second table: hot replacement. Moonshine transcribes one clip again and again, replaced every k jobs, against never;
``allowed`` is what the CPU allows, c_job / (c_job + c_start / k), from CPU seconds measured in the same run, for a
machine that is busy anyway. ``synthetic`` sleeps in its load and its jobs, so that a core is free. Writes
``benchmarks/results/recycle.json``. Needs pebble and billiard; Moonshine with the extra ``embedded``.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bytecode import compiled_modules
from peers import PACKAGES, PEERS, opened
from recording import host, record, show
from rounds import cpu_seconds, median_of, take_turns
from small_jobs import process_number

FRESH = {"ours", "executor, forkserver", "executor, spawn", "mp.Pool, spawn", "billiard", "pebble"}
FEW_JOBS = 12
"""For peers that manage a few jobs a second."""
WARM_UP = 3
CLIP = Path(__file__).parents[1] / "samples" / "jfk.wav"
EVERY = (1, 10, 50)
SYNTHETIC = {"load_ms": 100, "job_ms": 40}


def fresh_process(name: str, jobs: int) -> dict[str, float]:
    """Return jobs a second and CPU milliseconds a job, each job in a new process."""
    if name not in {"ours", "mp.Pool, fork"}:
        jobs = min(jobs, FEW_JOBS)
    with opened(name, 1, 1) as peer:

        def processes_of(count: int) -> set[int]:
            if name == "billiard":  # its ``imap`` breaks when a worker leaves
                return {peer.run(process_number, number) for number in range(count)}
            return set(peer.results(process_number, range(count)))

        processes_of(WARM_UP)
        time.sleep(
            0.5 if name == "ours" else 0
        )  # until the fork server, begun at the first replacement, is ready
        began = time.perf_counter()
        processes = processes_of(jobs)
        seconds = time.perf_counter() - began
    assert len(processes) > 0.9 * jobs, "jobs shared a process"
    return {"jobs_per_s": jobs / seconds, "cpu_ms": cpu_seconds() / (jobs + WARM_UP) * 1000}


def recycled(engine: str, every: int | None, jobs: int) -> dict[str, float]:
    """Return seconds and CPU seconds of ``jobs`` jobs through one worker, replaced every ``every`` jobs."""
    from orchestrator.pool.jobs import EngineJob, Transcribe  # noqa: PLC0415
    from orchestrator.pool.models import Model  # noqa: PLC0415
    from orchestrator.pool.pool import Pool  # noqa: PLC0415
    from orchestrator.pool.recycling import Recycle  # noqa: PLC0415

    model = Model(name="model", engine=engine, options=SYNTHETIC if engine == "synthetic" else {})
    job = EngineJob("model", "synthetic") if engine == "synthetic" else Transcribe("model", CLIP)
    recycle = None if every is None else Recycle(max_jobs=every, jitter=0)
    with Pool(models=[model], recycle=recycle) as pool:
        pool.run(job)
        began = time.perf_counter()
        for _ in pool.map(itertools.repeat(job, jobs)):
            pass
        seconds = time.perf_counter() - began
    return {"seconds": seconds, "cpu_s": cpu_seconds(), "jobs": jobs}


def measure(name: str, said: argparse.Namespace) -> dict[str, float]:
    """Run one contestant of either table."""
    if name in PEERS:
        return fresh_process(name, said.jobs)
    engine, _, every = name.partition(" ")
    jobs = said.engine_jobs if engine == "moonshine" else 3 * said.engine_jobs
    return recycled(engine, int(every) if every.isdigit() else None, jobs)


def first_table(said: argparse.Namespace) -> tuple[list[list[str]], dict[str, Any]]:
    """Measure a fresh process for every job."""
    names = [name for name in PEERS if name != "loky"]
    turns = take_turns(__file__, names, said.rounds, "--jobs", str(said.jobs))
    ours = median_of(turns["ours"], "jobs_per_s")
    rows = [
        [
            name,
            "yes" if name in FRESH else "no",
            f"{median_of(turns[name], 'jobs_per_s'):.1f}",
            f"{ours / median_of(turns[name], 'jobs_per_s'):.2f}",
            f"{median_of(turns[name], 'cpu_ms'):.1f}",
        ]
        for name in names
    ]
    return rows, turns


def engines() -> Iterator[str]:
    """Yield the contestants of the second table."""
    for engine in ("moonshine", "synthetic"):
        if engine == "synthetic" or importlib.util.find_spec("moonshine_voice") is not None:
            yield from (f"{engine} {every}" for every in ("never", *EVERY))


def second_table(said: argparse.Namespace) -> tuple[list[list[str]], dict[str, Any]]:
    """Measure hot replacement."""
    names = list(engines())
    turns = take_turns(__file__, names, said.rounds, "--engine-jobs", str(said.engine_jobs))
    rows: list[list[str]] = []
    for name in names:
        engine, _, every = name.partition(" ")
        never = turns[f"{engine} never"]
        jobs = median_of(never, "jobs")
        speed = median_of(never, "seconds") / median_of(turns[name], "seconds")
        allowed = _allowed(never, turns[f"{engine} 1"], int(every)) if every.isdigit() else 1.0
        rows.append(
            [
                engine,
                every,
                f"{jobs / median_of(turns[name], 'seconds'):.2f}",
                f"{speed:.3f}",
                f"{allowed:.3f}" if engine == "moonshine" else "–",
                f"{speed / allowed:.2f}" if engine == "moonshine" else "–",
            ]
        )
    return rows, turns


def _allowed(never: list[dict[str, Any]], each: list[dict[str, Any]], every: int) -> float:
    """Return c_job / (c_job + c_start / k); a run without replacement has one start, one with k = 1 one a job more."""
    jobs = median_of(never, "jobs")
    start = (median_of(each, "cpu_s") - median_of(never, "cpu_s")) / jobs
    job = (median_of(never, "cpu_s") - start) / (jobs + 1)
    return job / (job + start / every)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=150)
    parser.add_argument("--engine-jobs", type=int, default=60)
    parser.add_argument("--only", choices=["fresh", "engines"], help="one table; nothing is recorded then")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.measure:
        print(json.dumps(measure(said.measure, said)))
        return
    document: dict[str, Any] = {
        "command": f"python benchmarks/bench_recycle.py --rounds {said.rounds} --jobs {said.jobs}"
        f" --engine-jobs {said.engine_jobs}",
        "host": host(*PACKAGES),
    }
    if said.only != "engines":
        header = ["pool", "fresh interpreter", "jobs/s", "ours / it", "CPU ms/job"]
        with compiled_modules():
            rows, turns = first_table(said)
        show(f"a process for every job, 1 worker, medians of {said.rounds} rounds", header, rows)
        document["fresh"] = {"header": header, "rows": rows, "turns": turns}
    if said.only != "fresh":
        header = ["engine", "replaced every", "jobs/s", "of never", "allowed", "of allowed"]
        with compiled_modules():
            rows, turns = second_table(said)
        show(f"an engine replaced while it works, 1 worker, medians of {said.rounds} rounds", header, rows)
        document["engines"] = {"header": header, "rows": rows, "turns": turns}
    if said.only is None:
        print(f"\nwritten to {record('recycle', document)}")


if __name__ == "__main__":
    main()
