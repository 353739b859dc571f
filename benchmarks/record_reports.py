"""Records the pages of the gallery: runs what docs/reports names, and keeps what came out as light HTML.

    python benchmarks/record_reports.py               # all of them, about eight minutes
    python benchmarks/record_reports.py kinds         # docs/reports: kinds.html, kinds.txt, notebook.html; a minute
    python benchmarks/record_reports.py embedded      # docs/reports/embedded.html; five minutes, two engines
    python benchmarks/record_reports.py mended        # docs/reports/mended.html; a minute

Pages of runs are kept as `orchestrator report` makes them, without the code for charts that answer to the mouse, a
megabyte, and without the further charts of each experiment; the page of a comparison is kept as it is. Paths of the
machine are cut to the names of their files.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from orchestrator import Results

TOP = Path(__file__).resolve().parents[1]
REPORTS = TOP / "docs/reports"
NOTE = (
    "<p>To keep this page small, the further charts of each experiment are left out, and the code that lets charts "
    "answer to the mouse; <code>orchestrator report</code> has both.</p>"
)
_CUT = (
    re.compile(r"<script.*?</script>", re.DOTALL),
    re.compile(r"<details><summary>More charts.*?</details>", re.DOTALL),
    re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>'),
)
_ICON = re.compile(r'<link rel="icon"[^>]*>\n?')
_END_OF_HEAD = "</header>"
RUNS = 3
"""Runs of each release: fewer tell nothing of speed."""


def kinds(folder: Path) -> None:
    """Keep page and last screen of six things that memory can do, and what a notebook shows of them."""
    shutil.copy(REPORTS / "kinds.toml", folder)
    printed = run(["run", "kinds.toml"], folder)
    screen = without_paths(printed[printed.index("RESULT") :], folder)
    head = "# python benchmarks/record_reports.py: the last screen of orchestrator run kinds.toml\n\n"
    (REPORTS / "kinds.txt").write_text(head + screen.rstrip() + "\n", "utf-8")
    keep("kinds", light((folder / "results/report.html").read_text("utf-8")), folder)
    shown = Results(folder / "results")._repr_html_()
    (REPORTS / "notebook.html").write_text(f"{shown}\n", "utf-8")


def embedded(folder: Path) -> None:
    """Keep the page of the five experiments on the embedded engines."""
    shutil.copy(TOP / "experiments.toml", folder)
    shutil.copytree(TOP / "samples", folder / "samples")
    run(["run", "experiments.toml", "--profile", "embedded", "--quiet"], folder)
    keep("embedded", light((folder / "results/report.html").read_text("utf-8")), folder)


def mended(folder: Path) -> None:
    """Keep the comparison of two releases, three runs each, in turn."""
    shutil.copy(REPORTS / "mended.toml", folder)
    for _ in range(RUNS):
        for release in ("before", "after"):
            run(["run", "mended.toml", "--profile", release, "--results", release, "--quiet"], folder)
    run(["compare", "before", "after", "--all-runs", "--report", "mended.html"], folder)
    keep("mended", compact((folder / "mended.html").read_text("utf-8")), folder)


PAGES = {"kinds": kinds, "embedded": embedded, "mended": mended}


def main() -> None:
    """Record the pages that are named, or all."""
    named = sys.argv[1:] or list(PAGES)
    if unknown := [name for name in named if name not in PAGES]:
        sys.exit(f"no page {', '.join(unknown)}; there are {', '.join(PAGES)}")
    for name in named:
        with tempfile.TemporaryDirectory() as place:
            PAGES[name](Path(place))


def keep(name: str, page: str, folder: Path) -> None:
    """Write a page of the gallery."""
    (REPORTS / f"{name}.html").write_text(without_paths(page, folder), "utf-8")


def run(arguments: list[str], folder: Path) -> str:
    """Return what the command printed; a crash of an engine is one of its results, not its failure."""
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator", *arguments],
        cwd=folder,
        env=os.environ | {"XDG_CACHE_HOME": str(folder / "cache"), "PYTHONPATH": f"{TOP}:{TOP / 'worker'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"exit code {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done.stdout


def light(page: str) -> str:
    """Return a report page without scripts and without the further charts."""
    for part in _CUT:
        page = part.sub("", page)
    return compact(page.replace(_END_OF_HEAD, NOTE + _END_OF_HEAD, 1))


def compact(page: str) -> str:
    """Return a page without spaces at the ends of its lines, and without an icon: the site has none either."""
    return "\n".join(line.rstrip() for line in _ICON.sub("", page).splitlines()) + "\n"


def without_paths(text: str, folder: Path) -> str:
    """Return the text with paths below ``folder``, the repository and Python cut to what is below them."""
    for place in (folder, TOP, sys.prefix, sys.base_prefix):
        text = text.replace(f"{place}/", "").replace(str(place), ".")
    return text


if __name__ == "__main__":
    main()
