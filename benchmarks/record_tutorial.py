"""Does what docs/tutorial.md says, in an empty folder, and keeps what was printed: benchmarks/results/tutorial.txt.

    python benchmarks/record_tutorial.py

The excerpts in the tutorial are lines of that file.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).parents[1]
sys.path.insert(0, str(TOP / "tests"))

from orchestrator.process.host.cores import usable_cores  # noqa: E402
from snippets import snippets  # noqa: E402

RECORD = TOP / "benchmarks/results/tutorial.txt"


def main() -> None:
    printed = [
        f"# python benchmarks/record_tutorial.py, {usable_cores()} cores, load average {os.getloadavg()[0]:.1f}",
        "",
    ]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for block in snippets(TOP / "docs/tutorial.md"):
            if block.file_name:
                (folder / block.file_name).write_text(block.text, "utf-8")
            elif block.language == "sh" and "pip install" not in block.text:
                printed += [f"$ {line}" for line in block.text.splitlines()]
                printed += [run(block.text, folder).replace(f"{folder}/", "").replace(str(folder), "."), ""]
    RECORD.write_text("\n".join(printed), "utf-8")


def run(script: str, folder: Path) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"exit code {done.returncode}:\n{script}\n{done.stdout}")
    return done.stdout.rstrip()


if __name__ == "__main__":
    main()
