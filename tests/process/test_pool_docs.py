"""Every Python example of docs/pool.md, run as it stands there; and what its tables list is all there is."""

import ast
import importlib
import re
import sys
from pathlib import Path

import pytest

from orchestrator.pool import events
from orchestrator.pool.core.states import ExitReason
from snippets import ROOT, snippets

PAGE_FILE = ROOT / "docs/pool.md"
PAGE = PAGE_FILE.read_text()
BLOCKS = snippets(PAGE_FILE, "python")
EXAMPLES = [block for block in BLOCKS if block.file_name is None]


class Claims(ast.NodeTransformer):
    """Notes each assert that holds: one behind an ``except`` that is never entered must not pass for true."""

    def visit_Assert(self, node: ast.Assert) -> list[ast.stmt]:
        note = ast.parse(f"reached({node.lineno})").body[0]
        return [node, ast.copy_location(note, node)]


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with the page's module, where the example runs and workers look for functions."""
    (module,) = [block for block in BLOCKS if block.file_name == "work.py"]
    (tmp_path / "work.py").write_text(module.text)
    (tmp_path / "samples").symlink_to(ROOT / "samples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{ROOT}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delitem(sys.modules, "work", raising=False)
    importlib.invalidate_caches()


@pytest.mark.usefixtures("nothing_left", "workshop")
@pytest.mark.parametrize(
    ("line", "source"),
    [pytest.param(block.line, block.text, id=f"{block.heading}:{block.line}") for block in EXAMPLES],
)
def test_the_example_does_what_it_says(line: int, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = ast.parse("\n" * (line - 1) + source)
    claims = {node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)}
    reached: set[int] = set()
    program = compile(ast.fix_missing_locations(Claims().visit(tree)), "docs/pool.md", "exec")
    exec(program, {"__name__": "example", "reached": reached.add})
    monkeypatch.delitem(sys.modules, "work", raising=False)
    assert claims, "it claims nothing"
    assert reached == claims, "an error that the example expects was not raised"


def test_every_promise_has_its_example() -> None:
    promises = PAGE.split("## What other pools lack\n")[1].split("\n## ")[0]
    sections = promises.split("\n### ")[1:]
    assert len(sections) == 21
    assert all("```python" in section for section in sections)


def test_the_page_knows_every_exit_reason_and_every_event() -> None:
    rows = PAGE.split("| exit reason |")[1].split("\n\n")[0].splitlines()[2:]
    reasons = {reason for row in rows for reason in re.findall(r"`([\w-]+)`", row.split("|")[1])}
    assert reasons == {reason.value for reason in ExitReason}
    looking = PAGE.split("\n## Looking at it\n")[1].split("\n### ")[0]
    for kind in events.PoolEvent.__args__:  # type: ignore[attr-defined]
        assert f"`{kind.__name__}`" in looking
