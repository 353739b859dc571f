"""The house as a reader finds it: no import circle, small folders, and lists of files that are true."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
PACKAGES = {
    "orchestrator": TOP / "orchestrator",
    "orchestrator_worker": TOP / "worker" / "orchestrator_worker",
}
MOST_CORE_MODULES = 20
MOST_FILES = 20
MOST_LINES = 400
MOST_LINES_OF_A_FUNCTION = 60
LISTED = [
    "orchestrator/pool/core",
    "orchestrator/pool/core/recycling",
    "orchestrator/pool/core/warm",
    "orchestrator/pool/runtime",
    "orchestrator/pool/submission",
]


def modules() -> dict[str, Path]:
    """Return every module of ours by its dotted name."""
    found: dict[str, Path] = {}
    for name, folder in PACKAGES.items():
        for path in folder.rglob("*.py"):
            parts = [name, *path.relative_to(folder).with_suffix("").parts]
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def python_files() -> list[Path]:
    """Return every file of Python in the folders of the project."""
    folders = ("orchestrator", "worker", "tests", "benchmarks", "docs", "examples")
    return [path for name in folders for path in sorted((TOP / name).rglob("*.py"))]


def imports(source: str, known: set[str]) -> set[str]:
    """Return the modules of ``known`` that a source imports, in functions and for type checkers too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are written in full"
            base = node.module or ""
            named = {f"{base}.{alias.name}" for alias in node.names}
            found |= (named & known) or {base}
    return found & known


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the sets of modules that reach each other: strongly connected components (R. Tarjan, 1972)."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        number[name] = lowest[name] = len(number)
        stack.append(name)
        for other in sorted(graph[name]):
            if other not in number:
                visit(other)
                lowest[name] = min(lowest[name], lowest[other])
            elif other in stack:
                lowest[name] = min(lowest[name], number[other])
        if lowest[name] == number[name]:
            at = stack.index(name)
            if len(stack) - at > 1:
                found.append(sorted(stack[at:]))
            del stack[at:]

    for name in sorted(graph):
        if name not in number:
            visit(name)
    return found


def test_no_modules_import_each_other_in_a_circle() -> None:
    known = modules()
    graph = {name: imports(path.read_text(), set(known)) - {name} for name, path in known.items()}
    assert circles(graph) == []


def test_a_circle_is_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [["b", "c"]]
    source = (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from x.y import z\ndef f():\n    import x\n"
    )
    assert imports(source, {"x", "x.y", "x.y.z"}) == {"x", "x.y.z"}


def test_the_core_stays_small() -> None:
    files = [path for path in (TOP / "orchestrator/pool/core").glob("*.py") if path.stem != "__init__"]
    assert len(files) <= MOST_CORE_MODULES


def test_the_core_starts_no_process() -> None:
    """The import contract leaves ``os`` to the modules below, which need its types of paths."""
    for path in (TOP / "orchestrator/pool/core").rglob("*.py"):
        assert not imports(path.read_text(), {"os", "signal.pthread_kill", "psutil"}), path.name


@pytest.mark.parametrize(
    "folder", sorted({path.parent for path in modules().values()}), ids=lambda path: path.name
)
def test_no_folder_is_above_what_a_reader_can_hold_in_mind(folder: Path) -> None:
    assert len(list(folder.glob("*.py"))) <= MOST_FILES + 1  # with __init__


def test_no_file_is_above_what_a_reader_takes_in_at_one_sitting() -> None:
    long = {
        path.relative_to(TOP).as_posix(): lines
        for path in python_files()
        if (lines := path.read_text().count("\n")) > MOST_LINES
    }
    assert long == {}


def test_no_function_is_above_a_screen() -> None:
    long = {
        f"{path.relative_to(TOP).as_posix()}: {node.name}": lines
        for path in python_files()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or 0) - node.lineno + 1) > MOST_LINES_OF_A_FUNCTION
    }
    assert long == {}


@pytest.mark.parametrize("folder", LISTED)
def test_a_room_names_each_of_its_files(folder: str) -> None:
    text = ast.get_docstring(ast.parse((TOP / folder / "__init__.py").read_text())) or ""
    listed = [
        name
        for line in re.findall(r"^- (.*?):", text, re.MULTILINE)
        for name in re.findall(r"``(\w+)``", line)
    ]
    there = {path.stem for path in (TOP / folder).glob("*.py")} - {"__init__"}
    assert sorted(listed) == sorted(there)


def test_names_of_files_are_possible_everywhere() -> None:
    """A name with a colon cannot be checked out on Windows, and is mostly what a program wrote by mistake."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=TOP, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("no git checkout: the files that belong to the project are not known")
    assert [name for name in listed.stdout.split("\0") if set(name) & set('<>:"|?*\\')] == []


def test_no_two_test_files_have_one_name() -> None:
    """Pytest imports them by their names alone, since the folders of tests are no packages."""
    names = [path.name for path in (TOP / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))
