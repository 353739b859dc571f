"""What a pool reads of its control group: how often the kernel killed in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.pool.runtime.oom_kills import OomKills, oom_kills
from orchestrator.process.host.usable_memory import default_budget_bytes, free_budget_bytes


def group(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("memory.events", "low 0\nhigh 0\nmax 3\noom 2\noom_kill 2\noom_group_kill 0\n"),
        ("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"),
    ],
)
def test_kills_are_counted_by_either_version(tmp_path: Path, name: str, text: str) -> None:
    assert oom_kills([tmp_path / "absent", group(tmp_path / "job", name, text)]) == 2


def test_the_innermost_group_that_tells_is_asked(tmp_path: Path) -> None:
    own = group(tmp_path / "slice/job", "memory.events", "oom_kill 1\n")
    above = group(tmp_path / "slice", "memory.events", "oom_kill 9\n")
    assert oom_kills([own, above]) == 1


def test_where_nobody_tells_nothing_is_known(tmp_path: Path) -> None:
    assert oom_kills([tmp_path]) is None
    assert not OomKills([tmp_path]).rose()


def test_a_look_tells_of_what_came_since_the_last(tmp_path: Path) -> None:
    kills = OomKills([group(tmp_path, "memory.events", "oom_kill 1\n")])
    assert not kills.rose()
    group(tmp_path, "memory.events", "oom_kill 2\n")
    assert kills.rose()
    assert not kills.rose()


def test_a_pool_leaves_some_memory_to_others() -> None:
    assert 0 < default_budget_bytes() < 2**50


GIB = 1 << 30


def test_what_is_free_is_the_machines_or_the_groups_less_what_is_used(tmp_path: Path) -> None:
    proc = group(tmp_path / "proc", "meminfo", f"MemTotal: {16 << 20} kB\nMemAvailable: {8 << 20} kB\n")
    assert free_budget_bytes(tmp_path) == 8 * GIB - int(0.8 * GIB)
    group(proc / "self", "cgroup", "0::/job\n")
    group(proc / "self", "mountinfo", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
    job = group(tmp_path / "sys/fs/cgroup/job", "memory.max", f"{4 * GIB}\n")
    group(job, "memory.current", f"{3 * GIB}\n")
    group(job, "memory.stat", f"anon 5\ninactive_file {2 * GIB}\n")
    assert free_budget_bytes(tmp_path) == 3 * GIB - int(0.3 * GIB), (
        "4 GiB less 3 used, 2 of which can be taken back"
    )
