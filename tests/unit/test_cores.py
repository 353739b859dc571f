"""How many cores we may use: affinity and quota, and that every default takes that number and no other."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from orchestrator.pool.submission.model_configuration import load_models
from orchestrator.process.cgroup import CgroupLimits
from orchestrator.process.host import cores
from orchestrator.process.host.cores import default_workers, usable_cores, within_quota

V2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
TOP = Path(__file__).parents[2]
ASKS_THE_SYSTEM = re.compile(r"\b(cpu_count|sched_getaffinity|process_cpu_count)\(")


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


def on_a_machine(monkeypatch: pytest.MonkeyPatch, affinity: int, cpus: float | None) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(affinity)))
    monkeypatch.setattr(cores, "cgroup_limits", lambda _root=None: CgroupLimits(None, cpus))


@pytest.mark.parametrize(
    ("affinity", "cpus", "expected"),
    [
        (64, 2.0, 2),
        (2, 0.5, 1),
        (2, 0.01, 1),
        (8, 1.5, 2),
        (8, 2.25, 3),
        (4, 16.0, 4),
        (4, None, 4),
        (1, 1.5, 1),
    ],
)
def test_the_smaller_of_both_limits(affinity: int, cpus: float | None, expected: int) -> None:
    assert within_quota(affinity, cpus) == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"cgroup": "0::/job\n", "job/cpu.max": "50000 100000\n", "cpu.max": "max 100000\n"}, 1),
        ({"cgroup": "0::/a/b\n", "a/b/cpu.max": "max 100000\n", "a/cpu.max": "300000 100000\n"}, 3),
        ({"cgroup": "0::/a/b\n", "a/b/cpu.max": "800000 100000\n", "a/cpu.max": "300000 100000\n"}, 3),
        ({"cgroup": "0::/a\n", "a/cpu.max": "max\n"}, 16),
        ({"cgroup": "0::/../../elsewhere\n", "cpu.max": "250000 100000\n"}, 3),
    ],
)
def test_version_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], expected: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(16)))
    made = {f"sys/fs/cgroup/{name}": content for name, content in files.items() if name != "cgroup"}
    made |= {"proc/self/cgroup": files["cgroup"], "proc/self/mountinfo": V2}
    assert usable_cores(tree(tmp_path, made)) == expected


@pytest.mark.parametrize(("quota", "expected"), [("-1", 16), ("200000", 2), ("20000", 1)])
def test_version_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str, expected: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(16)))
    files = {
        "proc/self/cgroup": "3:cpu,cpuacct:/job\n0::/\n",
        "proc/self/mountinfo": V1,
        "sys/fs/cgroup/cpu/job/cpu.cfs_quota_us": f"{quota}\n",
        "sys/fs/cgroup/cpu/job/cpu.cfs_period_us": "100000\n",
    }
    assert usable_cores(tree(tmp_path, files)) == expected


def test_a_mount_whose_root_only_begins_like_the_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(16)))
    files = {
        "proc/self/cgroup": "0::/docker/abcdef\n",
        "proc/self/mountinfo": V2.replace(" / /sys", " /docker/abc /sys"),
        "sys/fs/cgroup/cpu.max": "400000 100000\n",
        "sys/fs/cgroup/def/cpu.max": "100000 100000\n",  # another group, in the group abc
    }
    assert usable_cores(tree(tmp_path, files)) == 4


@pytest.mark.parametrize(
    ("affinity", "cpus", "workers"), [(64, None, 8), (64, 2.0, 1), (64, 6.0, 3), (2, 0.5, 1), (1, None, 1)]
)
def test_the_default_number_of_workers(
    monkeypatch: pytest.MonkeyPatch, affinity: int, cpus: float | None, workers: int
) -> None:
    on_a_machine(monkeypatch, affinity, cpus)
    assert default_workers() == workers


def test_the_models_of_a_file_get_no_more_threads_than_the_quota(monkeypatch: pytest.MonkeyPatch) -> None:
    on_a_machine(monkeypatch, 64, 0.5)
    monkeypatch.delenv("INFERENCE_THREADS", raising=False)
    models, _ = load_models(TOP / "experiments.toml", "embedded")
    assert {model.threads for model in models} == {1}


def test_nothing_else_asks_the_system_for_cores() -> None:
    sources = [*TOP.glob("orchestrator/**/*.py"), *TOP.glob("worker/**/*.py"), *TOP.glob("examples/**/*.py")]
    asking = {path.name for path in sources if ASKS_THE_SYSTEM.search(path.read_text())}
    assert asking == {"cores.py", "host.py"}  # the host's facts name the whole machine too


@pytest.mark.parametrize(
    ("topology_of", "expected"),
    [({0: "0", 1: "1"}, 2), ({0: "0", 1: "0"}, 1), ({0: "0", 1: "0", 2: "1", 3: "1"}, 2), ({}, 2)],
)
def test_two_threads_of_one_core_count_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, topology_of: dict[int, str], expected: int
) -> None:
    """Where the system does not say, all count."""
    monkeypatch.setattr(cores, "affinity", lambda: set(topology_of) or {0, 1})
    for cpu, core in topology_of.items():
        topology = tmp_path / f"sys/devices/system/cpu/cpu{cpu}/topology"
        topology.mkdir(parents=True)
        (topology / "physical_package_id").write_text("0\n")
        (topology / "core_id").write_text(core + "\n")
    assert cores.physical_cores(tmp_path) == expected
