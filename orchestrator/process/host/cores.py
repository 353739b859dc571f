"""How many processor cores this process may use, and what follows from that number.

This is the only place that asks the system: every default of threads, workers and plans comes from here. Two limits
count. The *affinity* says on which cores the process may run (``taskset``, the cpuset of a container). The *quota* of
its control groups says how much processor time it gets (``docker run --cpus``, a limit in Kubernetes, ``CPUQuota=`` of
systemd). A machine with 64 cores and a quota of 2 does the work of 2: more threads only stop each other.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

from orchestrator.process.cgroup import cgroup_limits

CORES_PER_WORKER = 2
"""Speech engines use several threads each."""
MOST_WORKERS = 8
"""The default number of workers goes no higher: each holds a model of its own in memory."""


def usable_cores(root: Path = Path("/")) -> int:
    """Return the number of cores: the affinity, or the quota where that is less; at least 1.

    ``root`` is where ``/proc`` and ``/sys`` are looked for.
    """
    return within_quota(affinity_cores(), cgroup_limits(root).cpus)


def within_quota(cores: int, quota_cpus: float | None) -> int:
    """Return the smaller of ``cores`` and the quota in cores (None: no quota), at least 1.

    A part of a core counts as one, as container runtimes do it: with 1.5 one thread alone would leave a third unused.
    """
    granted = cores if quota_cpus is None else math.ceil(quota_cpus)
    return max(1, min(cores, granted))


def physical_cores(root: Path = Path("/")) -> int:
    """Return the number of cores without their second hardware threads: as :func:`usable_cores`, or fewer.

    Two threads of one core share its arithmetic: threads that only compute gain nothing from it, and wait for each
    other. ``root`` is where ``/proc`` and ``/sys`` are looked for.
    """
    usable = usable_cores(root)
    found: set[tuple[str, str]] = set()
    for cpu in affinity():
        topology = root / f"sys/devices/system/cpu/cpu{cpu}/topology"
        try:
            found.add(((topology / "physical_package_id").read_text(), (topology / "core_id").read_text()))
        except OSError:
            return usable  # not told: all count
    return max(1, min(usable, len(found) or usable))


def cores_per_worker(workers: int) -> int:
    """Return how many physical cores each of so many workers has; at least 1."""
    return max(1, physical_cores() // max(1, workers))


def affinity() -> set[int]:
    """Return the processors that the process may run on; without such a system call, all there are."""
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def affinity_cores() -> int:
    """Return how many cores the process may run on; without such a system call, how many there are."""
    return len(affinity()) or 1


def default_workers(cores: int | None = None) -> int:
    """Return how many workers suit ``cores``; None: those that this process may use."""
    usable = usable_cores() if cores is None else cores
    return max(1, min(MOST_WORKERS, usable // CORES_PER_WORKER))
