"""One no-op job after the other, each waited for: the round trip through one worker of every pool, and the floor.

    python benchmarks/bench_roundtrip.py [--rounds 5] [--jobs 4000]

The floor is a bare loop over two pipes with msgpack on both sides. Every contestant is measured in a process of its
own, in turns. Prints a table and writes ``benchmarks/results/roundtrip.json``. Needs pebble, loky and billiard.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import msgspec
from peers import PACKAGES, PEERS, opened
from recording import host, record, show
from rounds import median_of, percentile, take_turns
from small_jobs import nothing

WARM_UP = 300
FLOOR, ASYNC = "floor: two pipes", "ours, asyncio"
ECHO = """
import os, msgspec
decode, encode = msgspec.msgpack.Decoder().decode, msgspec.msgpack.Encoder().encode
while chunk := os.read(0, 65536):
    os.write(1, encode(decode(chunk)))
"""


def time_each(call: Callable[[], object], jobs: int) -> list[float]:
    """Return the seconds of each of ``jobs`` calls, after some that do not count."""
    seconds: list[float] = []
    for _ in range(WARM_UP + jobs):
        began = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - began)
    return seconds[WARM_UP:]


def floor(jobs: int) -> list[float]:
    encode, decode = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder().decode
    with subprocess.Popen(
        [sys.executable, "-c", ECHO], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        there, back = process.stdin.fileno(), process.stdout.fileno()

        def call() -> None:
            os.write(there, encode(["nothing", 1]))
            decode(os.read(back, 65536))

        return time_each(call, jobs)


async def through_asyncio(jobs: int) -> list[float]:
    from orchestrator.pool.async_pool import AsyncPool  # noqa: PLC0415 - only who is measured is loaded
    from orchestrator.pool.jobs import Call  # noqa: PLC0415

    seconds: list[float] = []
    async with AsyncPool(workers=1) as pool:
        for _ in range(WARM_UP + jobs):
            began = time.perf_counter()
            await pool.run(Call("small_jobs:nothing", 1))
            seconds.append(time.perf_counter() - began)
    return seconds[WARM_UP:]


def measure(name: str, jobs: int) -> dict[str, Any]:
    """Return one contestant's percentiles in microseconds."""
    if name == FLOOR:
        seconds = floor(jobs)
    elif name == ASYNC:
        seconds = asyncio.run(through_asyncio(jobs))
    else:
        with opened(name) as peer:
            seconds = time_each(lambda: peer.run(nothing, 1), jobs)
    ordered = sorted(second * 1e6 for second in seconds)
    return {"p50_us": percentile(ordered, 0.5), "p99_us": percentile(ordered, 0.99)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=4000)
    parser.add_argument("--only", nargs="*", help="names of contestants; nothing is recorded then")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.measure:
        print(json.dumps(measure(said.measure, said.jobs)))
        return
    contestants = said.only or [FLOOR, "ours", ASYNC, *(name for name in PEERS if name != "ours")]
    turns = take_turns(__file__, contestants, said.rounds, "--jobs", str(said.jobs))
    p50 = {name: median_of(found, "p50_us") for name, found in turns.items()}
    p99 = {name: median_of(found, "p99_us") for name, found in turns.items()}
    ours = p50.get("ours", float("nan"))
    rows = [
        [
            name,
            f"{p50[name]:.1f}",
            f"{p99[name]:.1f}",
            f"{p50[name] / ours:.2f}",
            f"{p99[name] / p50[name]:.2f}",
        ]
        for name in contestants
    ]
    header = ["pool", "p50 µs", "p99 µs", "p50 / ours", "p99 / p50"]
    show(f"round trip of a no-op job, 1 worker, medians of {said.rounds} rounds", header, rows)
    if said.only:
        return
    document = {
        "command": f"python benchmarks/bench_roundtrip.py --rounds {said.rounds} --jobs {said.jobs}",
        "host": host(*PACKAGES),
        "header": header,
        "rows": rows,
        "turns": turns,
    }
    print(f"\nwritten to {record('roundtrip', document)}")


if __name__ == "__main__":
    main()
