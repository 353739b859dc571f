"""docs/architecture.md answers "where is … decided?" with one file each: the files and names exist."""

import ast
import re
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
PAGE = (TOP / "docs/architecture.md").read_text("utf-8")
ROW = re.compile(r"^\| (?P<question>.+\?) \| `(?P<file>[^`]+\.py)` \| `(?P<name>[\w.]+)` \|$", re.MULTILINE)
ANSWERS = [(row["question"], row["file"], row["name"]) for row in ROW.finditer(PAGE)]


def _defines(body: list[ast.stmt], name: str) -> bool:
    first, _, rest = name.partition(".")
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.name == first:
            return not rest or _defines(node.body, rest)
    return False


@pytest.mark.parametrize(("question", "file", "name"), ANSWERS, ids=[row[0] for row in ANSWERS])
def test_the_file_exists_and_defines_the_name(question: str, file: str, name: str) -> None:
    path = TOP / file
    assert path.is_file(), f"{question} is answered with {file}, which does not exist"
    assert _defines(ast.parse(path.read_text("utf-8")).body, name), f"{question}: {file} defines no {name}"


@pytest.mark.parametrize("topic", ["too long", "killed", "queue", "leak", "dates"])
def test_the_questions_that_newcomers_ask_are_there(topic: str) -> None:
    files = {file for question, file, _ in ANSWERS if topic in question}
    assert len(files) == 1, f"{topic}: one file should answer, found {sorted(files)}"


def test_every_path_on_the_page_exists() -> None:
    for path in set(re.findall(r"`((?:orchestrator|worker|tests|docs|benchmarks)/[\w./]+)`", PAGE)):
        assert (TOP / path).exists(), path


def test_every_room_names_its_files_in_its_init() -> None:
    for init in sorted([*TOP.glob("orchestrator/**/__init__.py"), *TOP.glob("worker/**/__init__.py")]):
        text = init.read_text("utf-8")
        if "reading order" not in text:
            continue
        files = {path.stem for path in init.parent.glob("*.py")} - {"__init__"}
        named = set(re.findall(r"`(?::mod:`)?(?:[\w.]*\.)?(\w+)`", text))
        assert files <= named, f"{init.relative_to(TOP)} leaves out {sorted(files - named)}"
