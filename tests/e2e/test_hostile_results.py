"""Runs, result files and series of strangers: whatever is in them, a command answers, or refuses in one sentence."""

from __future__ import annotations

import contextlib
import io
import json
import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from lab import Lab, experiment
from mutations import changed_bytes, changed_json

from located_builders import answer, site
from orchestrator.cli import app
from orchestrator.experiments.storage.stored_located import write_located

SEED = 20261129
BLOCK = 125
"""Files of one test."""
ALLOWED = {0, 2, 3}
"""Done, refused, nothing could run. 1 would say that a gate is broken."""
Mutate = Callable[[Path, random.Random], list[str]]
"""Changes files in a copy of the run, and returns the command to try on it."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with one real run in it; every test takes a copy."""
    lab = Lab(tmp_path_factory.mktemp("hostile"))
    lab.write(experiment("any", "recreate", "recycle", iterations=6, recycle_after=2, output="any.json"))
    done = lab.run("run", "-q", "--no-report")
    assert done.code == 0, done.err
    sites = (site(300, "get_shape", "run"), site(100, "get_type"))
    write_located(the_run(lab.results), [answer(*sites, name="any", method="recreate")])
    rows = "".join(f"{number},{100 + number % 3}.5,{number % 7}\n" for number in range(40))
    (lab.results / "plain.csv").write_text("seconds,rss_mb,threads\n" + rows)
    return lab.results


def command(arguments: list[str]) -> tuple[int, str, str]:
    """Run a command in this process; return its exit code and what it printed. An unexpected error is the test's."""
    out, err = io.StringIO(), io.StringIO()
    before = sys.argv
    sys.argv = ["orchestrator", *arguments]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = app._exit_code()
    finally:
        sys.argv = before
    return code, out.getvalue(), err.getvalue()


def the_run(folder: Path) -> Path:
    return next(iter((folder / "runs").iterdir()))


def change_document(path: Path, chance: random.Random) -> None:
    content = path.read_bytes()
    mutate_tree = chance.random() < 0.8
    path.write_bytes(
        changed_json(json.loads(content), chance) if mutate_tree else changed_bytes(content, chance)
    )


def change_entries(path: Path, chance: random.Random) -> None:
    lines = path.read_bytes().splitlines()
    for _ in range(chance.choice((1, 1, 3))):
        at = chance.randrange(len(lines))
        changed = chance.random() < 0.85
        lines[at] = (
            changed_json(json.loads(lines[at]), chance) if changed else changed_bytes(lines[at], chance)
        )
        if not changed:
            break
    path.write_bytes(b"\n".join(lines) + b"\n")


def a_result_file(folder: Path, chance: random.Random) -> list[str]:
    change_document(folder / "any.json", chance)
    return [str(folder / "any.json")]


def a_run(folder: Path, chance: random.Random) -> list[str]:
    run = the_run(folder)
    which = chance.choice(
        ("manifest.json", "iterations.jsonl", "iterations.jsonl", "samples.json", "samples.bin")
    )
    if which == "iterations.jsonl":
        change_entries(run / which, chance)
    elif which == "samples.bin":
        (run / which).write_bytes(changed_bytes((run / which).read_bytes(), chance))
    else:
        change_document(run / which, chance)
    return [str(run)]


def a_located(folder: Path, chance: random.Random) -> list[str]:
    run = the_run(folder)
    change_document(run / "located.json", chance)
    return [str(run)]


def a_table(folder: Path, chance: random.Random) -> list[str]:
    path = folder / "plain.csv"
    path.write_bytes(changed_bytes(path.read_bytes(), chance))
    return [str(path)]


def page_beside(paths: list[str]) -> list[str]:
    return ["--report", str(Path(paths[0]).with_name("compared.html"))]


TRIED: dict[str, tuple[int, Callable[[list[str], Path], list[str]], Mutate]] = {
    "analyze a table": (8, lambda paths, _: ["analyze", *paths], a_table),
    "analyze a result file": (12, lambda paths, _: ["analyze", "--json", *paths], a_result_file),
    "analyze a run": (6, lambda paths, _: ["analyze", *paths], a_run),
    "compare a result file": (
        6,
        lambda paths, good: ["compare", *paths, str(good / "any.json"), *page_beside(paths)],
        a_result_file,
    ),
    "compare a run": (
        3,
        lambda paths, good: ["compare", str(the_run(good)), *paths, *page_beside(paths)],
        a_run,
    ),
    "plan": (3, lambda paths, _: ["plan", *paths], a_result_file),
    "report where it leaks": (1, lambda paths, _: ["report", *paths, "--markdown"], a_located),
    "report": (2, lambda paths, _: ["report", *paths, "--markdown"], a_run),
}
BLOCKS = [(name, number) for name, (blocks, _, _) in TRIED.items() for number in range(blocks)]


def test_five_thousand_files_are_tried() -> None:
    assert len(BLOCKS) * BLOCK >= 5000


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("name", "number"), BLOCKS)
def test_a_stranger_gets_an_answer_or_one_sentence(name: str, number: int, run: Path, tmp_path: Path) -> None:
    _, words, mutate = TRIED[name]
    wrong: list[str] = []
    for case in range(BLOCK):
        seed = f"{SEED}/{name}/{number}/{case}"
        chance = random.Random(seed)
        copy = tmp_path / "copy"
        shutil.copytree(run, copy)
        arguments = words(mutate(copy, chance), run)
        try:
            code, out, err = command(arguments)
        except Exception as error:
            wrong.append(f"{seed}: {type(error).__name__}: {error}"[:300])
        else:
            if code not in ALLOWED or (code == 2 and "orchestrator: " not in err) or "Traceback" in out + err:
                wrong.append(f"{seed}: exit {code}: {out[-100:]}{err[-200:]}")
            if name.startswith("report") and "<script>alert" in page(copy):
                wrong.append(f"{seed}: the page runs a script of the run")
        shutil.rmtree(copy)
    assert not wrong, "\n".join(wrong)


def page(folder: Path) -> str:
    written = the_run(folder) / "report.html"
    return written.read_text() if written.exists() else ""
