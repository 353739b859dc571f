"""What is said of a file that cannot be written: whose folder it is, and how to be them."""

import errno
import os
from pathlib import Path

import pytest

from orchestrator.files.writing import whose_it_is, write_problem


def test_a_folder_of_another_user_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = tmp_path.stat()
    monkeypatch.setattr(os, "geteuid", lambda: owner.st_uid + 1000)
    error = write_problem(tmp_path / "results/.lock", PermissionError(errno.EACCES, "Permission denied"))
    said = str(error)
    assert f"({tmp_path} belongs to user {owner.st_uid}, this is user {owner.st_uid + 1000};" in said
    assert f"docker run --user {owner.st_uid}:{owner.st_gid}" in said
    assert "choose --results DIR" in said


def test_our_own_folder_needs_no_such_words(tmp_path: Path) -> None:
    assert whose_it_is(tmp_path / "not/there") == ""
    said = str(write_problem(tmp_path, PermissionError(errno.EACCES, "Permission denied")))
    assert "docker" not in said


def test_other_problems_have_nothing_to_do_with_owners(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1000)
    assert "docker" not in str(write_problem(tmp_path, OSError(errno.ENOSPC, "No space left on device")))
