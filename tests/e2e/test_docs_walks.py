"""The tutorial and the how-to pages, walked from top to bottom as a reader would: each file written, each command run.

What a page prints under a command is held against what the command prints, but for the numbers. Where a page speaks
of models, the synthetic engine sits in their place.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from lab import SETTINGS, experiment, synthetic, toml

from short_paths import new_short_folder
from snippets import ROOT, Snippet, snippets

DOCS = ROOT / "docs"
NOT_WALKED = {"index", "examples", "qwen3"}
"""A table of contents, files that tests/process/test_examples.py runs, and a library that is built by hand."""
WALKS = [
    DOCS / "tutorial.md",
    *sorted(page for page in (DOCS / "howto").glob("*.md") if page.stem not in NOT_WALKED),
]
SCRIPTS = [
    DOCS / "pipelines.md",
    DOCS / "text.md",
    DOCS / "leakgate.md",
    ROOT / "README.md",
    DOCS / "index.md",
]
"""Pages whose Python blocks stand for themselves."""
NEEDS = {"notebook": ("pandas", "polars", "pyarrow")}
"""Packages that a page asks its reader to install."""
PATIENCE_S = 200.0
TEXT = "ask not what your country"


@dataclass
class Walk:
    """A reader's folder."""

    folder: Path
    printed: str = ""
    port: int | None = None
    """In the place of 8000, where a page starts a server."""

    def step(self, snippet: Snippet) -> None:
        """Do what a block says; a block without a language is for looking at."""
        if snippet.file_name:
            (self.folder / snippet.file_name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / snippet.file_name).write_text(snippet.text, "utf-8")
        elif snippet.language == "python":
            self.python(snippet)
        elif snippet.language == "toml":
            self.install(tomllib.loads(snippet.text))
        elif snippet.language == "sh" and "pip install" not in snippet.text:
            script = snippet.text if self.port is None else snippet.text.replace("8000", str(self.port))
            self.printed = self.run(["bash", "-euo", "pipefail", "-c", script], snippet.place)
        elif snippet.language == "text":
            seen = masked(self.printed).splitlines()
            for line in masked(snippet.text).splitlines():
                assert line in seen, f"{snippet.place}: {line!r} is not in:\n{self.printed}"

    def python(self, snippet: Snippet) -> None:
        """Run a block as a program, or as a test where it asks for the plugin."""
        if "leak_check" in snippet.text:
            (self.folder / "mylibrary.py").write_text("def transcribe(path):\n    return path.upper()\n")
            (self.folder / "test_speech.py").write_text(snippet.text)
            assert "1 passed" in self.run(["pytest", "-q", "test_speech.py"], snippet.place)
            return
        self.run([sys.executable, "-W", "error", "-c", snippet.text], snippet.place)

    def install(self, project: dict[str, object]) -> None:
        """Make the entry points of a pyproject.toml known, as an installation would."""
        match project:
            case {"project": {"entry-points": dict(groups)}}:
                info = self.folder / "walked-1.0.dist-info"
                info.mkdir()
                (info / "METADATA").write_text("Metadata-Version: 2.1\nName: walked\nVersion: 1.0\n")
                lines = [
                    line
                    for group, points in groups.items()
                    for line in (f"[{group}]", *(f"{name} = {target}" for name, target in points.items()))
                ]
                (info / "entry_points.txt").write_text("\n".join(lines) + "\n")

    def run(self, command: list[str], place: str) -> str:
        """Run to a good end; return what was printed, line ends and all."""
        kept = {
            key: value
            for key, value in os.environ.items()
            if key not in SETTINGS and not key.startswith("PYTEST_")
        }
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={
                **kept,
                "PATH": f"{self.folder.parent / 'bin'}:{os.environ['PATH']}",
                "PYTHONPATH": str(self.folder),
                "PYTHONIOENCODING": "utf-8",
                "XDG_CACHE_HOME": str(self.folder.parent / "cache"),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PATIENCE_S,
        )
        printed = done.stdout.decode()
        assert done.returncode == 0, f"{place}: exit code {done.returncode}\n{printed}"
        assert "Traceback" not in printed, f"{place}:\n{printed}"
        return printed


def masked(text: str) -> str:
    """Return text with each number as #, and blanks between words as one."""
    numbers = re.sub(r"-?\d+(\.\d+)?", "#", text)
    return "\n".join(" ".join(line.split()) for line in numbers.splitlines() if line.strip())


@pytest.fixture
def walk(tmp_path: Path) -> Iterator[Walk]:
    """A folder with recordings and an experiments.toml of the synthetic engine, and the programs on PATH."""
    folder, programs = tmp_path / "reader", tmp_path / "bin"
    (folder / "samples").mkdir(parents=True)
    for name in ("jfk.wav", "jfk.txt", "phone-en.wav"):
        (folder / "samples" / name).symlink_to(ROOT / "samples" / name)
    programs.mkdir()
    for name, module in {"orchestrator": "orchestrator", "pytest": "pytest", "python": ""}.items():
        start = f"-m {module}" if module else ""
        (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {start} "$@"\n')
        (programs / name).chmod(0o755)
    models = {
        "asr-small": synthetic(text=TEXT, tokens=4, leak_kib_per_job=2048, job_ms=5),
        "aligner": {"engine": "synthetic"},
    }
    sample = {"jfk": {"audio": "samples/jfk.wav", "reference": "samples/jfk.txt"}}
    steps = [{"task": "asr", "model": "asr-small", "sample": "jfk"}]
    document = {
        "schema": 1,
        "profiles": {"embedded": {"models": models, "samples": sample}},
        "experiment": [experiment("exp2", "restart", "recycle", steps=steps, iterations=12)],
    }
    # Ends with a table, so that a reader can append another
    *first, _ = (f"{key} = {toml(value)}\n" for key, value in document.items())
    (only,) = document["experiment"]  # type: ignore[misc]
    last = "".join(f"{key} = {toml(value)}\n" for key, value in only.items())
    (folder / "experiments.toml").write_text("".join(first) + "[[experiment]]\n" + last)
    yield Walk(folder)
    if (folder / "serve.pid").exists():
        _end(int((folder / "serve.pid").read_text()))


def _end(pid: int) -> None:
    """See that a server that a page has started is gone; the page itself stops it."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        try:
            process.wait(PATIENCE_S)
        except psutil.TimeoutExpired:
            process.kill()
            raise


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@pytest.mark.timeout(600)  # the tutorial runs, plans, serves and compares: half a minute on an idle machine
@pytest.mark.parametrize("page", WALKS, ids=lambda page: page.stem)
def test_a_reader_gets_what_the_page_promises(page: Path, walk: Walk) -> None:
    for package in NEEDS.get(page.stem, ()):
        pytest.importorskip(package, reason=f"the page has its reader install {package}")
    blocks = snippets(page)
    assert any(block.language == "sh" for block in blocks)
    if page.stem == "tutorial":
        (walk.folder / "experiments.toml").unlink()
    if page.stem == "serve":
        walk.port = _free_port()
    for block in blocks:
        walk.step(block)


@pytest.mark.parametrize(
    "snippet",
    [snippet for page in SCRIPTS for snippet in snippets(page, "python")],
    ids=lambda snippet: snippet.place,
)
def test_a_block_runs_by_itself(snippet: Snippet, walk: Walk) -> None:
    walk.python(snippet)


_ON_A_CLUSTER = """
import os, sys
folder, block = sys.argv[1:]
os.environ["RAY_TMPDIR"] = folder  # shares nothing with another cluster of the machine
os.mkdir(f"{folder}/ray")
from ray.cluster_utils import Cluster

head = {"num_cpus": 1, "object_store_memory": 80 * 1024 * 1024, "include_dashboard": False}
cluster = Cluster(initialize_head=True, head_node_args=head)
os.environ["RAY_ADDRESS"] = cluster.address
try:
    exec(block)
finally:
    cluster.shutdown()
"""


@pytest.mark.timeout(600)
def test_the_first_block_about_scaling_runs_on_a_cluster(walk: Walk) -> None:
    """The other one, for Ray Data, is tests/process/test_ray_pool.py's, with data of its own."""
    pytest.importorskip("ray", reason="needs the packages of the extra 'ray'")
    first = snippets(DOCS / "scaling.md", "python")[0]
    with new_short_folder("ray-") as folder:
        printed = walk.run([sys.executable, "-c", _ON_A_CLUSTER, str(folder), first.text], first.place)
    assert "[0.0, 1.0, 1.4142135623730951, 1.7320508075688772, 2.0]" in printed


def test_the_tutorials_numbers_are_those_of_its_record() -> None:
    record = (ROOT / "benchmarks/results/tutorial.txt").read_text("utf-8").splitlines()
    shown = [line for block in snippets(DOCS / "tutorial.md", "text") for line in block.text.splitlines()]
    assert len(shown) > 8
    assert [line for line in shown if line not in record] == []


def test_a_wrong_promise_is_noticed(walk: Walk) -> None:
    page = walk.folder / "page.md"
    page.write_text("```sh\necho 5 blue\n```\n\n```text\n7 blue\n```\n\n```text\n7 red\n```\n")
    command, right, wrong = snippets(page)
    walk.step(Snippet(ROOT / "page.md", "", 1, command.language, command.text))
    walk.step(Snippet(ROOT / "page.md", "", 2, right.language, right.text))
    with pytest.raises(AssertionError, match="# red"):
        walk.step(Snippet(ROOT / "page.md", "", 3, wrong.language, wrong.text))
