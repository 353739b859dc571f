"""Leak checks on real leaky releases and made functions: ours, psleak and pytest-memray, finds, false alarms, seconds.

    python benchmarks/leak_check/compare.py [--folder DIR] [--jobs N] [--only NAME …]

Installs seven releases that leak, the releases that mended it, and the two peers, each into a throwaway folder that
goes first on the path of the pytest run that needs it. Every function is checked by every tool in a pytest run of its
own, one call a job, as their documentation shows it; psleak with the environment that it asks for, without which it
skips its tests; pytest-memray with a loop of 1000 calls around the job and 10 KB allowed a place in the code. A tool
that fails for another reason than a leak, or needs longer than two minutes, counts as ``error``: neither a find nor a
false alarm. Writes ``benchmarks/results/leak_check.json``.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

import made_leaks  # noqa: E402
import ordinary  # noqa: E402
from recording import host, record, show  # noqa: E402

LIMIT_S = 120.0
RELEASES = {
    "hiredis_map": ("hiredis", "3.1.0", "3.2.1"),
    "multidict_add": ("multidict", "6.3.2", "6.4.3"),
    "multidict_pop": ("multidict", "6.6.3", "6.6.4"),
    "ujson_dump": ("ujson", "5.12.0", "5.12.1"),
    "orjson_array": ("orjson", "3.9.5", "3.9.6"),
    "pydantic_adapter": ("pydantic", "2.5.2", "2.5.3"),
    "pydantic_iterable": ("pydantic", "2.7.0", "2.7.1"),
}
BESIDE = {"orjson": ["numpy<2"]}
"""What the function needs besides."""

OURS = """
import {module}


def test_it(leak_check):
    leak_check({module}.{name})
"""
PSLEAK = """
import psleak
import {module}


class Test(psleak.MemoryLeakTestCase):
    def test_it(self):
        self.execute({module}.{name})
"""
MEMRAY = """
import pytest
import {module}


@pytest.mark.limit_leaks("{limit}")
def test_it():
    for _ in range({calls}):
        {module}.{name}()
"""


@dataclass(frozen=True)
class Tool:
    """How a tool is asked: the test, its flags and environment, what its folder has, and the words of a finding."""

    test: str
    finding: tuple[str, ...]
    flags: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    packages: tuple[str, ...] = ()
    calls: int = 1
    limit: str = "1 KB"


TOOLS = {
    "ours": Tool(OURS, ("leak_check(",), ("-p", "orchestrator.leakgate.plugin")),
    "psleak": Tool(
        PSLEAK,
        ("MemoryLeakError", "Unclosed", "Uncollectable"),
        env=(("PYTHONMALLOC", "malloc"), ("PYTHONUNBUFFERED", "1")),
        packages=("psleak",),
    ),
    "pytest-memray": Tool(
        MEMRAY,
        ("allowed to leak",),
        ("-p", "pytest_memray.plugin", "--memray", "--trace-python-allocators"),
        packages=("pytest-memray",),
        calls=1000,
        limit="10 KB",
    ),
}


@dataclass(frozen=True)
class Case:
    """A function, whether it leaks, and the packages of the release it is called in."""

    title: str
    module: str
    name: str
    leaks: bool
    packages: tuple[str, ...] = ()


def cases() -> Iterator[Case]:
    """Yield every function, each release apart."""
    for name, (package, leaky, mended) in RELEASES.items():
        for version, leaks in ((leaky, True), (mended, False)):
            packages = (f"{package}=={version}", *BESIDE.get(package, ()))
            yield Case(f"{package} {version}", "leaky_releases", name, leaks, packages)
    for module, leaks in ((made_leaks, True), (ordinary, False)):
        for name, found in vars(module).items():
            code = getattr(found, "__code__", None)
            if code is not None and found.__module__ == module.__name__ and not code.co_argcount:
                yield Case(name.replace("_", " "), module.__name__, name, leaks)


def install(root: Path, packages: tuple[str, ...]) -> Path | None:
    """Return a folder with the packages, made once; None for none."""
    if not packages:
        return None
    folder = root / "_".join(packages).replace("=", "").replace("<", "")
    if not folder.exists():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder), *packages]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return folder


def check(root: Path, tool: Tool, case: Case) -> tuple[str, float]:
    """Return ``leak``, ``clean`` or ``error``, and the seconds of the whole pytest run."""
    folders = [install(root, case.packages), install(root, tool.packages), HERE]
    with tempfile.TemporaryDirectory() as place:
        test = tool.test.format(module=case.module, name=case.name, calls=tool.calls, limit=tool.limit)
        Path(place, "test_it.py").write_text(test)
        env = os.environ | dict(tool.env) | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        env["PYTHONPATH"] = os.pathsep.join(str(folder) for folder in folders if folder)
        began = time.monotonic()
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tool.flags, "test_it.py"]
        try:
            done = subprocess.run(
                command, cwd=place, env=env, capture_output=True, text=True, timeout=LIMIT_S, check=False
            )
        except subprocess.TimeoutExpired:
            return "error", LIMIT_S
        seconds = time.monotonic() - began
    if done.returncode == 0:
        return "clean", seconds
    return ("leak" if any(word in done.stdout for word in tool.finding) else "error"), seconds


def row(root: Path, case: Case) -> dict[str, Any]:
    """Return what every tool says of one function."""
    found = {name: check(root, tool, case) for name, tool in TOOLS.items()}
    words = {name: word for name, (word, _) in found.items()}
    print(f"{case.title:28} {'leaks' if case.leaks else 'clean':6} {words}", flush=True)
    return {
        "title": case.title,
        "module": case.module,
        "function": case.name,
        "leaks": case.leaks,
        "found": words,
        "seconds": {name: round(seconds, 2) for name, (_, seconds) in found.items()},
    }


def summary(rows: list[dict[str, Any]], tool: str) -> dict[str, Any]:
    """Return how many of the leaks a tool found, its false alarms, its errors and its seconds."""
    found = [row["found"][tool] for row in rows]
    real = [row["module"] == "leaky_releases" for row in rows]
    leaks = [row["leaks"] for row in rows]
    seconds = sorted(row["seconds"][tool] for row in rows)
    return {
        "real_found": sum(r and k and f == "leak" for r, k, f in zip(real, leaks, found, strict=True)),
        "real": sum(r and k for r, k in zip(real, leaks, strict=True)),
        "made_found": sum(not r and k and f == "leak" for r, k, f in zip(real, leaks, found, strict=True)),
        "made": sum(not r and k for r, k in zip(real, leaks, strict=True)),
        "false_alarms": sum(not k and f == "leak" for k, f in zip(leaks, found, strict=True)),
        "clean": sum(not k for k in leaks),
        "errors": sum(f == "error" for f in found),
        "seconds_median": round(seconds[len(seconds) // 2], 2),
        "seconds_most": round(seconds[-1], 2),
    }


def versions(root: Path) -> dict[str, str]:
    """Return the releases of the peers."""
    found: dict[str, str] = {}
    for package in ("psleak", "pytest-memray", "memray"):
        path = [str(root / "psleak"), str(root / "pytest-memray")]
        for each in importlib.metadata.distributions(name=package, path=path):
            found[package] = each.version
    return found


def main() -> None:
    """Check everything and record it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, help="keep what is installed here")
    parser.add_argument("--only", nargs="*", default=[], help="names of functions or modules")
    parser.add_argument("--jobs", type=int, default=1, help="functions checked at the same time")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, ThreadPoolExecutor(chosen.jobs) as pool:
        root = chosen.folder or Path(temporary)
        wanted = [each for each in cases() if not chosen.only or {each.name, each.module} & set(chosen.only)]
        for packages in {each.packages for each in (*wanted, *TOOLS.values())}:
            install(root, packages)
        rows = list(pool.map(lambda case: row(root, case), wanted))
        totals = {name: summary(rows, name) for name in TOOLS}
        peers = versions(root)
    keys = list(next(iter(totals.values())))
    show("leak checks", ["tool", *keys], [[name, *total.values()] for name, total in totals.items()])
    if not chosen.only:
        record(
            "leak_check",
            {
                **host("orchestrator", "pytest"),
                "jobs": chosen.jobs,
                "peers": peers,
                "totals": totals,
                "rows": rows,
            },
        )


if __name__ == "__main__":
    main()
