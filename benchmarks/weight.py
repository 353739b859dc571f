"""How many megabytes an install is: each distribution, the base, and what each extra adds to it.

    python benchmarks/weight.py [--fresh]

Sizes are those of the files that a distribution's RECORD names, compiled modules included, as they lie in the
running environment; 1 MB is 10**6 bytes. The project must be installed with the extras that pyproject.toml has now.
Whatever an extra needs and is not installed is named, and its figure is then too small. ``--fresh`` also installs the
project without extras into a new virtual environment and measures the files there, whoever they belong to, without pip
and setuptools. Prints tables and writes ``benchmarks/results/weight.json``.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import tomllib
import venv
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from recording import host, record, show

PROJECT = "orchestrator"
GOAL_MB = 150.0
ROOT = Path(__file__).parent.parent
SHOWN = 12


def installed(name: str) -> Distribution | None:
    """Return what is installed under this name, or None."""
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def megabytes(found: Distribution) -> float:
    """Return the size of the files of a distribution; a file that two names lead to counts once."""
    files = {Path(str(file.locate())).resolve() for file in found.files or ()}
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e6


def needed(extra: str = "") -> tuple[set[str], set[str]]:
    """Return the names of all distributions that the project with this extra needs, and of those not installed."""
    seen: set[tuple[str, str]] = set()
    names, absent = {PROJECT}, set[str]()
    waiting = [(PROJECT, ""), (PROJECT, extra)]
    while waiting:
        one = waiting.pop()
        if one in seen:
            continue
        seen.add(one)
        name, its_extra = one
        found = installed(name)
        if found is None:
            absent.add(name)
            continue
        names.add(name)
        for text in found.requires or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": its_extra}):
                other = canonicalize_name(requirement.name)
                waiting += [(other, ""), *((other, each) for each in sorted(requirement.extras))]
    return names, absent


def extras() -> list[str]:
    """Return the extras of the project, as it is installed."""
    return sorted(
        canonicalize_name(name) for name in distribution(PROJECT).metadata.get_all("Provides-Extra") or []
    )


def declared() -> list[str]:
    """Return the extras that pyproject.toml has now."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return sorted(canonicalize_name(name) for name in project["optional-dependencies"])


def fresh_install() -> float:
    """Install the project without extras into a new environment; return the MB of its packages."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / "bin/python"
        subprocess.run([python, "-m", "pip", "install", "-q", str(ROOT)], check=True)
        (site,) = Path(folder).glob("lib/python*/site-packages")
        tools = ("pip", "setuptools", "pkg_resources", "_distutils_hack", "distutils-precedence")
        files = [
            file
            for file in site.rglob("*")
            if file.is_file() and not file.relative_to(site).parts[0].startswith(tools)
        ]
        return sum(file.stat().st_size for file in files) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fresh", action="store_true", help="also install into a new environment")
    fresh: bool = parser.parse_args().fresh
    if extras() != declared():
        differ = ", ".join(sorted({*extras()} ^ {*declared()}))
        sys.exit(f"installed before pyproject.toml had its extras of now ({differ}): pip install -e .")
    base, missing = needed()
    if missing:
        sys.exit(f"not installed, and the base needs it: {', '.join(sorted(missing))}")
    sizes: dict[str, float] = {}

    def total(names: set[str]) -> float:
        for name in names - sizes.keys():
            found = installed(name)
            sizes[name] = megabytes(found) if found else 0.0
        return sum(sizes[name] for name in names)

    rows: list[list[Any]] = [["(none)", len(base), f"{total(base):.1f}", "", f"{GOAL_MB:g}"]]
    for extra in extras():
        names, absent = needed(extra)
        added = total(names) - total(base)
        rows.append([extra, len(names - base), f"+{added:.1f}", ", ".join(sorted(absent)), ""])
    largest = sorted(base, key=lambda name: -sizes[name])
    parts = [[name, f"{sizes[name]:.1f}"] for name in largest]
    header = ["extra", "distributions", "MB", "not installed here", "goal"]
    show("An install, and what each extra adds", header, rows)
    show(f"The base: the {SHOWN} largest", ["distribution", "MB"], parts[:SHOWN])
    document: dict[str, Any] = {
        "command": "python benchmarks/weight.py" + (" --fresh" if fresh else ""),
        "host": host("numpy"),
        "header": header,
        "rows": rows,
        "base": parts,
        "distributions": {name: round(size, 2) for name, size in sorted(sizes.items())},
    }
    if fresh:
        document["fresh_mb"] = round(fresh_install(), 1)
        print(f"\na fresh install without extras: {document['fresh_mb']} MB")
    print(f"\nwritten to {record('weight', document)}")


if __name__ == "__main__":
    main()
