"""What Ray adds: the same jobs in turns through ``Pool``, and through ``RayPool`` with a node for each of its workers.

    python benchmarks/bench_ray.py [--rounds 3] [--jobs 200] [--calls 2000]

The nodes are processes of this machine, so the figures are of Ray's own cost and of the dispatcher's, not of a network.
Jobs that sleep 20 ms stand for an engine's work and need no core; no-op jobs show the cost of one; a round trip is one
job at a time. Prints a table and writes ``benchmarks/results/ray.json``. Needs the extra ``ray``.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import ray
from ray.cluster_utils import Cluster
from recording import host, record, show
from rounds import percentile

from orchestrator import Call, Pool, RayPool

NODES = (1, 2, 4)
JOB_S = 0.02
TRIPS = 200
OBJECT_STORE_BYTES = 80 * 1024 * 1024


def start_cluster(folder: Path) -> Any:
    """Return a cluster of a head that does no work and four nodes; 1, 2 and all 4 of them share a resource's name."""
    # Ray keeps the address of "the" cluster of a machine in a folder that it does not always make, nor share well.
    (folder / "ray").mkdir()
    os.environ["RAY_TMPDIR"] = str(folder)
    small = {"num_cpus": 0, "object_store_memory": OBJECT_STORE_BYTES}
    cluster = Cluster(initialize_head=True, head_node_args={**small, "include_dashboard": False})
    for number in range(max(NODES)):
        cluster.add_node(resources={f"of{count}": 1 for count in NODES if number < count}, **small)
    ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
    return cluster


def measure(pool: Pool, workers: int, jobs: int, calls: int) -> dict[str, float]:
    """Return what one pool does, warm."""
    warm = [Call("time:sleep", 0.2) for _ in range(4 * workers)]
    assert list(pool.map(warm)) == [None] * len(warm)
    began = time.perf_counter()
    assert (
        sum(1 for _ in pool.map(Call("time:sleep", JOB_S) for _ in range(jobs * workers))) == jobs * workers
    )
    working_s = time.perf_counter() - began
    began = time.perf_counter()
    assert (
        sum(pool.map(Call("operator:add", number, 0) for number in range(calls))) == calls * (calls - 1) // 2
    )
    calling_s = time.perf_counter() - began
    trips: list[float] = []
    for _ in range(TRIPS):
        began = time.perf_counter()
        pool.run(Call("operator:add", 1, 1))
        trips.append(time.perf_counter() - began)
    return {
        "working_jobs_per_s": jobs * workers / working_s,
        "noop_jobs_per_s": calls / calling_s,
        "round_trip_p50_ms": percentile(sorted(trips), 0.5) * 1000,
        "round_trip_p99_ms": percentile(sorted(trips), 0.99) * 1000,
    }


def pools(count: int, address: str) -> dict[str, Pool]:
    return {
        "Pool": Pool(workers=count),
        "RayPool": RayPool(address=address, node_resource=f"of{count}"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=200, help="jobs of 20 ms for each worker and round")
    parser.add_argument("--calls", type=int, default=2000, help="no-op jobs in each round")
    said = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        turns = measure_all(start_cluster(Path(folder)), said)
    report(turns, said)


def measure_all(cluster: Any, said: argparse.Namespace) -> dict[str, dict[str, list[dict[str, float]]]]:
    """Return each turn's figures by number of workers and pool; end the cluster, whatever happens."""
    try:
        return _measure_all(cluster, said)
    finally:
        ray.shutdown()
        cluster.shutdown()


def _measure_all(cluster: Any, said: argparse.Namespace) -> dict[str, dict[str, list[dict[str, float]]]]:
    turns: dict[str, dict[str, list[dict[str, float]]]] = {}
    for count in NODES:
        both = pools(count, cluster.address)
        turns[str(count)] = {name: [] for name in both}
        for turn in range(said.rounds):
            for name in both if turn % 2 == 0 else reversed(both):
                turns[str(count)][name].append(measure(both[name], count, said.jobs, said.calls))
        for pool in both.values():
            pool.close()
    return turns


def report(turns: dict[str, dict[str, list[dict[str, float]]]], said: argparse.Namespace) -> None:
    """Print the table and write it down."""
    header = [
        "workers",
        "pool",
        "20 ms jobs/s",
        "of what is possible",
        "no-op jobs/s",
        "round trip ms, p50",
        "p99",
    ]
    rows: list[list[object]] = []
    for count in NODES:
        for name, found in turns[str(count)].items():
            middle = {key: statistics.median(turn[key] for turn in found) for key in found[0]}
            share = middle["working_jobs_per_s"] * JOB_S / count
            rows.append(
                [
                    count,
                    name,
                    f"{middle['working_jobs_per_s']:.1f}",
                    f"{share:.0%}",
                    f"{middle['noop_jobs_per_s']:,.0f}",
                    f"{middle['round_trip_p50_ms']:.2f}",
                    f"{middle['round_trip_p99_ms']:.2f}",
                ]
            )
    show(f"Pool, and RayPool with as many nodes, medians of {said.rounds} rounds", header, rows)
    document = {
        "command": f"python benchmarks/bench_ray.py --rounds {said.rounds} --jobs {said.jobs} --calls {said.calls}",
        "host": host("ray", "msgspec"),
        "header": header,
        "rows": rows,
        "turns": turns,
    }
    print(f"\nwritten: {record('ray', document)}")


if __name__ == "__main__":
    main()
