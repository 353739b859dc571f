"""Where a Ray cluster of ours is made, and which one of the machine is joined instead."""

import os
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.cluster.own_cluster import (
    LONGEST_PARENT,
    answers,
    cluster_to_join,
    lend_token,
    make_folder,
    places,
    rays_folder,
)
from orchestrator.errors import EngineUnavailableError


@pytest.fixture
def port() -> Iterator[int]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


@pytest.fixture
def note(tmp_path: Path) -> Path:
    (tmp_path / "ray").mkdir()
    return tmp_path / "ray/ray_current_cluster"


def joined(tmp_path: Path) -> bool:
    return cluster_to_join({"RAY_TMPDIR": str(tmp_path)})


def test_on_a_fresh_machine_there_is_nothing_to_join(tmp_path: Path) -> None:
    assert not joined(tmp_path / "missing")
    assert not joined(tmp_path)


def test_a_cluster_that_answers_is_joined_and_one_that_is_gone_is_not(
    tmp_path: Path, note: Path, port: int
) -> None:
    note.write_text(f"127.0.0.1:{port}\n")
    assert joined(tmp_path)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        note.write_text(f"127.0.0.1:{closed.getsockname()[1]}")
        assert not joined(tmp_path)


@pytest.mark.parametrize(
    "text", ["", "nonsense", "127.0.0.1:", "127.0.0.1:no", "127.0.0.1:99999999", ":", "\0:1"]
)
def test_a_note_that_makes_no_sense_is_no_cluster(tmp_path: Path, note: Path, text: str) -> None:
    note.write_text(text)
    assert not joined(tmp_path)


def test_a_note_that_is_no_file_is_no_cluster_and_nobody_waits_for_it(tmp_path: Path, note: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    os.mkfifo(note)
    assert not joined(tmp_path)
    note.unlink()
    note.mkdir()
    assert not joined(tmp_path)
    assert len(os.listdir("/proc/self/fd")) == before


def test_an_address_is_asked_before_ray_is_and_other_forms_are_rays(port: int) -> None:
    assert answers(f"127.0.0.1:{port}", 0)
    assert answers(f"ray://127.0.0.1:{port}", 0)
    assert answers("anyscale://somebody/cluster", 0)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        assert not answers(f"ray://127.0.0.1:{closed.getsockname()[1]}", 0.2)
    assert not answers("no address", 0)


def test_a_cluster_that_is_about_to_start_is_waited_for() -> None:
    with socket.socket() as late:
        late.bind(("127.0.0.1", 0))
        starting = threading.Timer(0.3, late.listen)
        starting.start()
        assert answers(f"127.0.0.1:{late.getsockname()[1]}", 60)
        starting.join()


def test_another_users_cluster_is_left_alone(
    tmp_path: Path, note: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    note.write_text(f"127.0.0.1:{port}")
    owner = note.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    assert joined(tmp_path) is (owner == 0), "root's is for everybody"
    if owner == 0:
        monkeypatch.setattr(
            os, "fstat", lambda descriptor: os.stat_result([stat.S_IFREG, 0, 0, 1, 54321, *[0] * 5])
        )
        assert not joined(tmp_path)


def test_rays_own_variable_comes_before_the_systems() -> None:
    assert rays_folder({}) == Path("/tmp/ray")
    assert rays_folder({"TMPDIR": "/t"}) == Path("/t/ray")
    assert rays_folder({"TMPDIR": "/t", "RAY_TMPDIR": "/r"}) == Path("/r/ray")
    assert places({"TMPDIR": "/t", "RAY_TMPDIR": "/r", "HOME": "/h"}) == [
        "/r",
        "/t",
        "/tmp",
        "/var/tmp",
        "/h",
    ]


def test_two_clusters_share_no_folder_and_nobody_else_enters_it() -> None:
    folders = [make_folder(["/tmp", "/var/tmp"]) for _ in range(2)]
    try:
        assert folders[0] != folders[1]
        assert [folder.stat().st_mode & 0o777 for folder in folders] == [0o700] * 2
    finally:
        for folder in folders:
            folder.rmdir()


def test_without_a_place_that_can_be_used_all_are_named() -> None:
    far = "/" + "x" * LONGEST_PARENT
    with pytest.raises(EngineUnavailableError) as caught:
        make_folder(["/proc/none", far])
    assert "/proc/none (No such file or directory)" in str(caught.value)
    assert f"{far} (longer than {LONGEST_PARENT} characters)" in str(caught.value)
    assert "RAY_TMPDIR" in caught.value.how_to_get_it
    made = make_folder(["/proc/none", far, "/tmp"])
    made.rmdir()
    assert made.parent == Path("/tmp")


@pytest.mark.parametrize(
    ("given", "home", "lent"),
    [
        ({}, "writable", False),
        ({}, "missing", True),
        ({}, "token", False),
        ({"RAY_AUTH_TOKEN": "mine"}, "missing", False),
        ({"RAY_AUTH_TOKEN_PATH": "/somewhere"}, "missing", False),
    ],
)
def test_a_token_is_lent_only_where_ray_could_not_write_one(
    given: dict[str, str], home: str, lent: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if home == "token":
        (tmp_path / "token/.ray").mkdir(parents=True)
        (tmp_path / "token/.ray/auth_token").touch()
    elif home == "writable":
        (tmp_path / home).mkdir()
    monkeypatch.setenv("HOME", "/proc/none" if home == "missing" else str(tmp_path / home))
    env = dict(given)
    lend_token(env)
    assert (env != given) is lent
    assert len(env.get("RAY_AUTH_TOKEN", "")) == (64 if lent else len(given.get("RAY_AUTH_TOKEN", "")))
