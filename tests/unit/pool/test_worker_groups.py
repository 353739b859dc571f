"""A control group for each worker: where one is delegated, in a tree that only looks like the kernel's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from fake_pool import FakePool

from orchestrator.pool.recycling import Recycle
from orchestrator.pool.runtime import worker_groups
from orchestrator.pool.runtime.worker_groups import HOST, NOT_WANTED, OWN, WorkerGroups

MIB = 1 << 20
ME, CHILD, STRANGER = 100, 101, 999


class Tree:
    """The files by which this process finds its group, and those in it. What nobody reads back is a plain file."""

    def __init__(self, root: Path, path: str = "/user/app.scope", mount_root: str = "/") -> None:
        self.root = root
        self.mount = root / "sys/fs/cgroup"
        self.group = self.mount / path.strip("/")
        self.group.mkdir(parents=True)
        (root / "proc/self").mkdir(parents=True)
        (root / "proc/self/cgroup").write_text(f"0::{path}\n")
        (root / "proc/self/mountinfo").write_text(
            f"30 23 0:26 {mount_root} /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
        )
        (self.group / "cgroup.controllers").write_text("cpu memory pids\n")
        (self.group / "cgroup.subtree_control").write_text("")
        (self.group / "cgroup.procs").write_text(f"{ME}\n{CHILD}\n")

    def groups(self) -> WorkerGroups:
        return WorkerGroups(self.root, lambda: {ME, CHILD})


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    monkeypatch.setattr(worker_groups, "_marked", lambda _folder, name: name == "user.delegate")
    return Tree(tmp_path)


def read(folder: Path, name: str) -> str:
    return (folder / name).read_text()


def test_a_delegated_group_is_arranged_and_each_worker_has_its_own(tree: Tree) -> None:
    groups = tree.groups()
    assert groups.state == NOT_WANTED
    group = groups.new(150 * MIB)
    assert group is not None
    assert groups.state == OWN
    assert read(tree.group, "cgroup.subtree_control") == "+memory +pids"
    assert read(tree.group / HOST, "cgroup.procs") == str(CHILD), (
        "one write for each process; this is the last"
    )
    assert group.folder.parent == tree.group
    assert read(group.folder, "memory.max") == str(150 * MIB)
    assert read(group.folder, "memory.swap.max") == "0"
    assert read(group.folder, "pids.max") == str(worker_groups.MOST_PROCESSES)
    group.take(CHILD)
    assert read(group.folder, "cgroup.procs") == str(CHILD)
    other = groups.new(MIB)
    assert other is not None
    assert other.folder != group.folder


def test_without_a_limit_nothing_is_touched(tree: Tree) -> None:
    groups = tree.groups()
    assert groups.new(None) is None
    assert groups.state == NOT_WANTED
    assert read(tree.group, "cgroup.subtree_control") == ""


def test_a_kill_for_the_limit_is_told_from_any_other(tree: Tree) -> None:
    group = tree.groups().new(MIB)
    assert group is not None
    assert not group.killed
    (group.folder / "memory.events").write_text("low 0\nmax 7\noom 1\noom_kill 0\n")
    assert not group.killed
    (group.folder / "memory.events").write_text("low 0\nmax 7\noom 1\noom_kill 1\n")
    assert group.killed


def test_what_is_left_in_a_group_is_ended_and_the_group_removed(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_groups, "LAST_WAIT_S", 0.0)
    groups = tree.groups()
    group = groups.new(MIB)
    assert group is not None
    groups.give_back(group)
    assert read(group.folder, "cgroup.kill") == "1"
    groups.close()
    assert group.folder.exists(), "somebody is still in it"
    for file in group.folder.iterdir():  # the kernel's vanish with their folder
        file.unlink()
    groups.close()
    assert not group.folder.exists()
    groups.give_back(group)  # again is harmless


def test_a_second_pool_finds_the_arrangement(tree: Tree) -> None:
    assert tree.groups().new(MIB) is not None
    (tree.group / "cgroup.procs").write_text("")
    (tree.root / "proc/self/cgroup").write_text(f"0::/user/app.scope/{HOST}\n")
    second = tree.groups()
    group = second.new(MIB)
    assert group is not None
    assert group.folder.parent == tree.group


def arrange(tree: Tree, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    match what:
        case "another's process":
            (tree.group / "cgroup.procs").write_text(f"{ME}\n{STRANGER}\n")
        case "no controllers":
            (tree.group / "cgroup.controllers").write_text("cpu\n")
        case "not marked":
            monkeypatch.setattr(worker_groups, "_marked", lambda _folder, _name: False)
            monkeypatch.setattr(os, "getuid", lambda: 0)
        case "not writable":
            monkeypatch.setattr(os, "access", lambda _path, _mode: False)
        case "refused":
            (tree.group / "cgroup.subtree_control").unlink()
            (tree.group / "cgroup.subtree_control").mkdir()
        case _:
            (tree.root / "proc/self/cgroup").write_text("4:memory:/job\n")


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("another's process", "1 processes that are not ours"),
        ("no controllers", "no controller for memory and pids"),
        ("not marked", "not delegated to us"),
        ("not writable", "not writable"),
        ("refused", "cannot be arranged"),
        ("version 1", "no control group of version 2"),
    ],
)
def test_everything_else_is_left_alone_and_said(
    tree: Tree, what: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrange(tree, what, monkeypatch)
    groups = tree.groups()
    assert groups.new(MIB) is None
    assert groups.state.startswith("none: ")
    assert why in groups.state
    assert groups.new(MIB) is None, "and not tried again"


def test_the_top_of_a_containers_view_is_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_groups, "_marked", lambda _folder, _name: False)
    monkeypatch.setattr(os, "getuid", lambda: 0)
    tree = Tree(tmp_path, path="/")
    group = tree.groups().new(MIB)
    assert group is not None
    assert group.folder.parent == tree.mount


def test_a_death_by_the_groups_limit_is_hard_rss() -> None:
    pool = FakePool(recycle=Recycle(hard_rss="150MiB", jitter=0))
    job = pool.submit()
    pool.ready_all()
    worker = pool.worker()
    pool.links[0].killed_in_group = True
    pool.oom = True
    pool.die(worker, -9)
    assert pool.exits() == {"hard-rss": 1}
    assert "killed by the kernel: its own control group may have 150 MiB" in str(pool.ending(job))
