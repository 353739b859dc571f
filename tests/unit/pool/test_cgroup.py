"""What a pool reads of its control group: how often the kernel killed in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.pool.runtime.oom_kills import OomKills, oom_kills
from orchestrator.process.usable_memory import default_budget_bytes


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
