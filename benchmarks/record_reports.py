"""Runs docs/reports/kinds.toml and keeps its last screen, its report page and what a notebook shows, for the site.

    python benchmarks/record_reports.py       # writes kinds.txt, kinds.html and notebook.html in docs/reports

The engine is `synthetic`, so no model is needed; it takes about a minute. The page that is kept is the one that
`orchestrator report` makes, without the code for charts that answer to the mouse, a megabyte, and without the further
charts of each experiment. Paths of the machine are cut to the names of their files.
"""

from __future__ import annotations

import os
import re
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
    re.compile(r'<link rel="icon"[^>]*>'),
)
_END_OF_HEAD = "</header>"


def main() -> None:
    """Run, and keep the three files."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "kinds.toml").write_text((REPORTS / "kinds.toml").read_text("utf-8"), "utf-8")
        printed = run(["run", "kinds.toml"], folder)
        page = (folder / "results/report.html").read_text("utf-8")
        shown = Results(folder / "results")._repr_html_()
    screen = without_paths(printed[printed.index("RESULT") :], folder)
    head = "# python benchmarks/record_reports.py: the last screen of orchestrator run kinds.toml\n\n"
    (REPORTS / "kinds.txt").write_text(head + screen.rstrip() + "\n", "utf-8")
    (REPORTS / "kinds.html").write_text(without_paths(light(page), folder), "utf-8")
    (REPORTS / "notebook.html").write_text(f"{shown}\n", "utf-8")


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
    page = page.replace(_END_OF_HEAD, NOTE + _END_OF_HEAD, 1)
    return "\n".join(line.rstrip() for line in page.splitlines()) + "\n"


def without_paths(text: str, folder: Path) -> str:
    """Return the text with paths below ``folder``, the repository and Python cut to what is below them."""
    for place in (folder, TOP, sys.prefix, sys.base_prefix):
        text = text.replace(f"{place}/", "").replace(str(place), ".")
    return text


if __name__ == "__main__":
    main()
