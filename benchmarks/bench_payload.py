"""Large arrays into a worker: by shared memory (ours) against pools that pickle them through a pipe.

    python benchmarks/bench_payload.py [--rounds 3] [--jobs 5]

Arrays of float32, 1, 10 and 100 MB, one job at a time. ``handed over`` is a job that does not look at them; in
``digested`` each worker also computes a checksum of all bytes, the same everywhere. ``there and back`` is a function
that returns its argument: ours by sealed shared memory above 64 MiB, below it by the pipe as the others. Writes
``benchmarks/results/payload.json``. Needs pebble, loky and billiard.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from peers import PACKAGES, opened
from recording import host, record, show
from rounds import median_of, take_turns
from small_jobs import checksum, length, nothing

SIZES_MB = (1, 10, 100)
CONTESTANTS = ("ours", "billiard", "executor, spawn", "mp.Pool, spawn", "pebble", "loky")
HOWS = ("handed over", "digested", "there and back")
RATE_HZ = 16_000
Samples = npt.NDArray[np.float32]


def seconds_of(call: Callable[[Samples], object], megabytes: int, jobs: int) -> float:
    """Return the median of a few calls, each with an array of its own content."""
    found: list[float] = []
    for number in range(jobs + 1):
        samples = np.full(megabytes * 1_000_000 // 4, number / 1000, dtype=np.float32)
        began = time.perf_counter()
        call(samples)
        found.append(time.perf_counter() - began)
    return statistics.median(found[1:])


def measure(name: str, jobs: int) -> dict[str, float]:
    """Return milliseconds by size, handed over and digested."""
    found: dict[str, float] = {}

    def note(how: str, call: Callable[[Samples], object]) -> None:
        for megabytes in SIZES_MB:
            found[f"{how} {megabytes}"] = seconds_of(call, megabytes, jobs) * 1000

    if name == "ours":
        from orchestrator.pool.jobs import Call, EngineJob  # noqa: PLC0415
        from orchestrator.pool.models import Model  # noqa: PLC0415
        from orchestrator.pool.pool import Pool  # noqa: PLC0415

        with Pool(models=[Model(name="model", engine="synthetic")]) as pool:
            note("handed over", lambda array: pool.run(_job(EngineJob, array, "heard")))
            note("digested", lambda array: pool.run(_job(EngineJob, array, "{digest}")))
            note("there and back", lambda array: pool.run(Call("small_jobs:nothing", array)))
    else:
        with opened(name) as peer:
            note("handed over", lambda array: peer.run(length, array))
            note("digested", lambda array: peer.run(checksum, array))
            note("there and back", lambda array: peer.run(nothing, array))
    return found


def _job(kind: Any, array: Samples, text: str) -> Any:
    return kind("model", "synthetic", audio=(array, RATE_HZ), text=text)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=5)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.measure:
        print(json.dumps(measure(said.measure, said.jobs)))
        return
    turns = take_turns(__file__, CONTESTANTS, said.rounds, "--jobs", str(said.jobs))
    keys = [f"{how} {megabytes}" for how in HOWS for megabytes in SIZES_MB]
    middle = {name: {key: median_of(turns[name], key) for key in keys} for name in CONTESTANTS}
    rows = [
        [
            name,
            *(f"{middle[name][key]:.1f}" for key in keys),
            f"{middle[name]['handed over 100'] / middle['ours']['handed over 100']:.1f}",
        ]
        for name in CONTESTANTS
    ]
    header = ["ms, pool", *(f"{key} MB" for key in keys), "handed over 100 MB / ours"]
    show(f"one array a job, medians of {said.rounds} rounds", header, rows)
    document = {
        "command": f"python benchmarks/bench_payload.py --rounds {said.rounds} --jobs {said.jobs}",
        "host": host(*PACKAGES, "numpy"),
        "header": header,
        "rows": rows,
        "turns": turns,
    }
    print(f"\nwritten to {record('payload', document)}")


if __name__ == "__main__":
    main()
