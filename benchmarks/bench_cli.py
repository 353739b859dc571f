"""What a command costs before and while it does its work, beside importing the library that reads its flags.

    python benchmarks/bench_cli.py [--rounds 15]

Each round starts every command once, in turns; CPU is user and system time of the process, waited for. ``analyze``
judges one CSV file of 60 iterations, once into a pipe and once on a terminal, where its lines have colours.
Prints a table and writes ``benchmarks/results/cli.json``. Compare the ratios, not the milliseconds.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pty
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bytecode import compiled_modules
from recording import host, record, show
from rounds import cpu_seconds

BASE = "import typer"
SCRIPT = "from orchestrator.cli import main; main()"
"""What the installed ``orchestrator`` script does."""
GOALS = {"orchestrator --help": 2.5, "orchestrator analyze FILE": 8.0}


def commands(series: Path) -> dict[str, list[str]]:
    """Return the arguments of the interpreter for each row."""
    analyze = ["-c", SCRIPT, "analyze", str(series)]
    return {
        "pass": ["-c", "pass"],
        BASE: ["-c", BASE],
        "orchestrator --help": ["-c", SCRIPT, "--help"],
        "orchestrator analyze FILE": analyze,
        "the same on a terminal": analyze,
        "import numpy": ["-c", "import numpy"],
    }


def write_series(path: Path) -> None:
    """Write a leak of 0.3 MB an iteration under noise of 0.2 MB."""
    noise = random.Random(1)
    lines = [f"{number},{100 + 0.3 * number + noise.gauss(0, 0.2):.3f}" for number in range(1, 61)]
    path.write_text("\n".join(["iteration,rss_mb", *lines]) + "\n")


@contextlib.contextmanager
def terminal() -> Iterator[int]:
    """Yield a terminal's descriptor, whose output is thrown away."""
    ours, theirs = pty.openpty()

    def drain() -> None:
        with contextlib.suppress(OSError):  # the last one has closed the terminal
            while os.read(ours, 65536):
                pass

    reader = threading.Thread(target=drain)
    reader.start()
    try:
        yield theirs
    finally:
        os.close(theirs)
        reader.join()
        os.close(ours)


def once(arguments: list[str], out: int) -> dict[str, float]:
    """Run one command; return its seconds by the clock and of CPU."""
    began, cpu = time.perf_counter(), cpu_seconds()
    mine = time.process_time()
    subprocess.run([sys.executable, *arguments], stdout=out, check=True)
    mine = time.process_time() - mine
    return {"wall_s": time.perf_counter() - began, "cpu_s": cpu_seconds() - cpu - mine}


def measure(rounds: int) -> dict[str, list[dict[str, float]]]:
    """Return what each command took in each round."""
    with compiled_modules(), tempfile.TemporaryDirectory() as folder, terminal() as screen:
        series = Path(folder) / "series.csv"
        write_series(series)
        todo = commands(series)
        found: dict[str, list[dict[str, float]]] = {name: [] for name in todo}
        for number in range(-1, rounds):  # round -1 fills the caches of files and compiled modules
            for name in todo if number % 2 == 0 else reversed(todo):
                took = once(todo[name], screen if "terminal" in name else subprocess.DEVNULL)
                if number >= 0:
                    found[name].append(took)
    return found


def row(name: str, found: dict[str, list[dict[str, float]]]) -> list[object]:
    """Return medians in ms, and how many times the base they are."""
    cells: list[object] = [name]
    for key in ("cpu_s", "wall_s"):
        median = statistics.median(turn[key] for turn in found[name])
        base = statistics.median(turn[key] for turn in found[BASE])
        cells += [f"{median * 1e3:.0f}", f"{median / base:.2f}"]
    return [*cells, f"{GOALS[name]:g}" if name in GOALS else ""]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15)
    rounds: int = parser.parse_args().rounds
    found = measure(rounds)
    rows = [row(name, found) for name in found]
    header = ["python -c, or command", "CPU ms", "× typer", "wall ms", "× typer", "goal"]
    show(f"Medians of {rounds} rounds", header, rows)
    document: dict[str, Any] = {
        "command": f"python benchmarks/bench_cli.py --rounds {rounds}",
        "host": host("typer", "numpy", "msgspec", "rich"),
        "header": header,
        "rows": rows,
        "rounds": found,
    }
    print(f"\nwritten to {record('cli', document)}")


if __name__ == "__main__":
    main()
