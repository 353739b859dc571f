"""Every command line in the pages is one that the program takes; every Python example is run by some test."""

from __future__ import annotations

import ast
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer.main

from orchestrator.cli.app import app
from orchestrator.cli.examples import EXAMPLES
from snippets import PAGES, ROOT, Snippet, commands, mentions, orchestrator_commands, snippets

ROOT_COMMAND: Any = typer.main.get_command(app)
ELSEWHERE = {
    "docs/pool.md": "tests/process/test_pool_docs.py",
    "docs/chatllm.md": "tests/process/test_chatllm_docs.py",
    "docs/hosts.md": "tests/process/test_host_supported.py",
    "docs/text.md": "tests/e2e/test_docs_walks.py",
    "docs/index.md": "tests/e2e/test_docs_walks.py",
    "README.md": "tests/e2e/test_docs_walks.py",
    "docs/leakgate.md": "tests/e2e/test_docs_walks.py",
    "docs/pipelines.md": "tests/e2e/test_docs_walks.py",
    "docs/scaling.md": "tests/e2e/test_docs_walks.py",
    "docs/tutorial.md": "tests/e2e/test_docs_walks.py",
}
"""Pages with Python in them, and the test that runs it; all of docs/howto is walked."""
OTHER_PROGRAMS = set(
    re.findall(
        r"\S+",
        """
        . apt-get cat cd cmake ct2-transformers-converter curl docker echo export git hf kill lint-imports ls mkdir
        mmdebstrap mypy nice pip pre-commit pyright pytest python python3 ruff sphinx-build unshare uvicorn
        """,
    )
)


def page_id(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", [page for page in PAGES if orchestrator_commands(page)], ids=page_id)
def test_each_command_line_is_taken(page: Path) -> None:
    for words in orchestrator_commands(page):
        if not words or words[0].startswith("-"):
            continue
        command = ROOT_COMMAND.commands[words[0]]
        arguments = ["4711" if word.startswith("$") else word for word in words[1:]]
        command.make_context(words[0], arguments)  # raises a usage error that names what is wrong


@pytest.mark.parametrize("page", [page for page in PAGES if mentions(page)], ids=page_id)
def test_each_flag_that_a_sentence_names_exists(page: Path) -> None:
    for mention in mentions(page):
        name, *rest = mention.split()
        command = ROOT_COMMAND.commands[name]
        known = {flag for each in command.params for flag in (*each.opts, *each.secondary_opts)} | {"--help"}
        flags = set(re.findall(r"(?<!\S)\[?(--?[a-z][\w-]*)", " ".join(rest)))
        assert flags <= known, f"{page_id(page)}: `orchestrator {mention}`"


@pytest.mark.parametrize("page", [page for page in PAGES if snippets(page, "sh")], ids=page_id)
def test_other_programs_are_few_and_their_files_exist(page: Path) -> None:
    for snippet in snippets(page, "sh"):
        for program, *arguments in commands(snippet.text):
            assert program in {"orchestrator", *OTHER_PROGRAMS}, f"{snippet.place}: {program}"
            scripts = [each for each in arguments if re.fullmatch(r"[\w./]*/\w+\.py", each)]
            assert all((ROOT / script).exists() for script in scripts), f"{snippet.place}: {scripts}"


def python_blocks() -> list[Snippet]:
    return [snippet for page in PAGES for snippet in snippets(page, "python")]


def test_each_page_with_python_has_a_test_that_runs_it() -> None:
    pages = {page_id(snippet.page) for snippet in python_blocks()}
    walked = {page for page in pages if page.startswith("docs/howto/")}
    assert len(walked) >= 6
    assert pages - walked == set(ELSEWHERE)
    for page, test in ELSEWHERE.items():
        assert Path(page).name in (ROOT / test).read_text("utf-8"), page


@pytest.mark.parametrize("snippet", python_blocks(), ids=lambda snippet: snippet.place)
def test_python_is_python(snippet: Snippet) -> None:
    assert ast.parse(snippet.text).body


@pytest.mark.parametrize(
    "snippet",
    [snippet for page in PAGES for snippet in snippets(page, "toml")],
    ids=lambda snippet: snippet.place,
)
def test_toml_is_toml(snippet: Snippet) -> None:
    assert tomllib.loads(snippet.text)


def test_a_line_of_shell_is_read_as_a_shell_does() -> None:
    found = list(
        commands(
            "A=1 orchestrator run x --only a,b  # why\npython s.py & orchestrator plan >> f || echo $?\n"
        )
    )
    assert found == [
        ["orchestrator", "run", "x", "--only", "a,b"],
        ["python", "s.py"],
        ["orchestrator", "plan"],
        ["echo", "$?"],
    ]
    assert list(commands("a 'b c' \\\n  d && e")) == [["a", "b c", "d"], ["e"]]


@pytest.mark.parametrize("name", list(ROOT_COMMAND.commands))
def test_each_help_ends_with_examples_that_are_taken(name: str) -> None:
    command = ROOT_COMMAND.commands[name]
    shown = command.get_help(command.context_class(command, info_name=name)).split("Examples:")
    assert len(shown) == 2, "one list of examples, at the end"
    lines = [line.strip() for line in shown[1].strip().splitlines()]
    assert lines == list(EXAMPLES[name])
    for line in lines:
        program, said, *arguments = shlex.split(re.sub(r">.*", "", line))
        assert (program, said) == ("orchestrator", name)
        command.make_context(name, arguments)  # raises a usage error that names what is wrong
