"""What waiting at OpenMP's barriers costs a small model: by spin count, threads, and how busy the machine is.

    python benchmarks/bench_openmp.py [--rounds 7] [--realtime]

ggml divides each operation of a model among its threads and waits for all of them: thousands of barriers an input.
How a thread waits (asleep, or awake for so many turns) is decided by the environment when the process starts. *Quiet*
is the program alone, *busy* beside as many processes that compute as there are cores. ``--realtime`` gives quiet
rounds real-time priority, for a machine on which others work, too (needs the right to). Rounds take turns; the figures
are medians of seconds, and a run that took 10 s or more counts as 10. Writes ``benchmarks/results/openmp.json``. Needs
gcc (libgomp; other runtimes read other variables).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from recording import host, record, show

SOURCE = Path(__file__).with_suffix("").with_name("openmp_waiting.c")
SETTINGS: dict[str, dict[str, str]] = {
    "default": {},
    "OMP_WAIT_POLICY=active": {"OMP_WAIT_POLICY": "active"},
    "OMP_WAIT_POLICY=passive": {"OMP_WAIT_POLICY": "passive"},
    "GOMP_SPINCOUNT=1000": {"GOMP_SPINCOUNT": "1000"},
    "GOMP_SPINCOUNT=10000": {"GOMP_SPINCOUNT": "10000"},
}
OPERATIONS, MICROSECONDS = 5_000, 20
LIMIT_S = 10.0


def seconds_of(program: Path, threads: int, env: dict[str, str], *, realtime: bool) -> float:
    """Run it once."""
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_", "KMP_"))
    }
    words = [str(program), str(threads), str(OPERATIONS), str(MICROSECONDS)]
    try:
        done = subprocess.run(
            ["chrt", "-f", "1", *words] if realtime else words,
            env=clean | env,
            check=True,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )
    except subprocess.TimeoutExpired:
        return LIMIT_S
    return float(done.stdout)


@contextmanager
def computing(processes: int) -> Iterator[None]:
    """Keep so many cores busy."""
    burners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def measure(program: Path, rounds: int, *, realtime: bool) -> dict[str, list[float]]:
    """Return the seconds of every round, by machine, threads and setting."""
    cores = os.cpu_count() or 1
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        for busy in (False, True):
            with computing(cores if busy else 0):
                for threads in dict.fromkeys((max(1, cores - 1), cores)):
                    for name, env in SETTINGS.items():
                        took = seconds_of(program, threads, env, realtime=realtime and not busy)
                        found.setdefault(
                            f"{'busy' if busy else 'quiet'}, {threads} threads, {name}", []
                        ).append(took)
    return found


def main() -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--realtime", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder, "openmp_waiting")
        subprocess.run(["gcc", "-O2", "-fopenmp", str(SOURCE), "-o", str(program)], check=True)
        before = host()
        seconds = measure(program, asked.rounds, realtime=asked.realtime)
    document: dict[str, Any] = {
        "command": f"python benchmarks/bench_openmp.py --rounds {asked.rounds}"
        + " --realtime" * asked.realtime,
        "host": before,
        "operations": OPERATIONS,
        "microseconds_each": MICROSECONDS,
        "median_s": {name: round(statistics.median(values), 4) for name, values in seconds.items()},
        "seconds": {name: [round(value, 4) for value in values] for name, values in seconds.items()},
    }
    print(record("openmp", document))
    rows = [
        (name, f"{statistics.median(values):.3f}", f"{max(values):.3f}") for name, values in seconds.items()
    ]
    show("seconds, median and most", ("machine, threads, setting", "median", "most"), rows)


if __name__ == "__main__":
    main()
