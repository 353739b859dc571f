"""Files that cannot be read, that are no TOML, or that are written for another version."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator.config import load
from orchestrator.config.load import load_file
from orchestrator.errors import ConfigError, ConfigProblem

ProblemsIn = Callable[[str], list[ConfigProblem]]


def the_problem_of(path: Path) -> ConfigProblem:
    with pytest.raises(ConfigError) as caught:
        load_file(path)
    assert str(path) in str(caught.value)
    [problem] = caught.value.problems
    return problem


def test_a_missing_file(tmp_path: Path) -> None:
    assert "there is no such file" in str(the_problem_of(tmp_path / "x.toml"))
    assert "orchestrator init" in the_problem_of(tmp_path / "x.toml").hint


def test_a_folder(tmp_path: Path) -> None:
    problem = the_problem_of(tmp_path)
    assert "this is a folder" in str(problem)
    assert str(tmp_path / "experiments.toml") in problem.hint


def test_a_pipe_without_a_writer_is_empty_to_who_does_not_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "experiments.toml")
    with pytest.raises(ConfigError, match="schema: missing"):
        load_file(tmp_path / "experiments.toml", waits=False)


@pytest.mark.timeout(60, method="signal")
def test_a_pipe_is_read_when_somebody_writes(tmp_path: Path) -> None:
    path = tmp_path / "experiments.toml"
    os.mkfifo(path)
    with ThreadPoolExecutor(1) as threads:
        loading = threads.submit(load_file, path)
        path.write_text("schema = 1\n")  # opens once the reader is there
        assert loading.result().schema == 1


def test_a_file_as_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "cannot be read: Not a directory" in str(the_problem_of(tmp_path / "file" / "experiments.toml"))


def test_a_path_that_no_system_has() -> None:
    assert "cannot be read: its name has a NUL character" in str(the_problem_of(Path("a\0b")))


def test_a_loop_of_links(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert "cannot be read" in str(the_problem_of(tmp_path / "a"))


def test_an_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, **_: object) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(load, "read_named", refuse)
    assert "cannot be read: Permission denied" in str(the_problem_of(tmp_path / "experiments.toml"))


def test_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "experiments.toml"
    path.write_bytes(b"schema = 1\n# caf\xe9\n")
    assert "not UTF-8: byte 0xe9 at offset 16" in str(the_problem_of(path))


def test_the_mark_that_some_editors_put_first_is_no_problem(tmp_path: Path) -> None:
    path = tmp_path / "experiments.toml"
    path.write_bytes("schema = 1\r\n".encode("utf-8-sig"))
    assert load_file(path).schema == 1


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("schema = 1\nx =\n", "line 2, column 4", "not TOML: Invalid value"),
        ("schema = 1\n[a\n", "line 2, column 3", "not TOML"),
        ("schema = 1\nschema = 1\n", "line 2, column 11", "not TOML: Cannot overwrite a value"),
        ("schema = 1\nx = [1,", "line 2, column 8", "not TOML"),
        ("x = " + "9" * 5000, "$", "not TOML: Exceeds the limit"),
        ("x = " + "[" * 5000, "$", "nested too deeply"),
    ],
    ids=["value", "bracket", "twice", "end", "digits", "depth"],
)
def test_what_is_no_toml(problems_in: ProblemsIn, text: str, place: str, said: str) -> None:
    [problem] = problems_in(text)
    assert problem.key_path == place
    assert said in str(problem)
    assert "(at " not in str(problem)


@pytest.mark.parametrize("schema", [0, 2, 10**40])
def test_another_version_of_the_format_is_the_only_problem(problems_in: ProblemsIn, schema: int) -> None:
    [problem] = problems_in(f"schema = {schema}\nwhatever = 1\n")
    assert problem.key_path == "$.schema"
    assert "this version reads schema 1" in str(problem)


def test_an_empty_file_lacks_its_schema(problems_in: ProblemsIn) -> None:
    [problem] = problems_in("")
    assert problem.key_path == "$.schema"


def test_a_file_without_experiments_loads(problems_in: ProblemsIn) -> None:
    assert problems_in("schema = 1\n[recycle]\nmax_jobs = 3\n") == []


def test_the_error_lists_every_problem_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "experiments.toml"
    path.write_text("a = 1\nb = 2\n")
    with pytest.raises(ConfigError) as caught:
        load_file(str(path))
    assert str(caught.value).splitlines()[0] == f"{path}: 3 problems"
    assert len(str(caught.value).splitlines()) == 4
    assert caught.value.key_path == "$.a"
