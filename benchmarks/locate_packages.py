"""Real packages that leak in one release and not in the next: does ``locate`` name the site, and nothing afterwards?

``python benchmarks/locate_packages.py [PACKAGE …]`` installs each release into a folder of its own, runs
``orchestrator locate --call`` on the functions of ``leaky_packages.py``, and writes
``results/locate_packages.json``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAIRS = {
    "hiredis": ("3.1.0", "3.2.1"),
    "multidict": ("6.3.2", "6.4.3"),
    "orjson": ("3.9.5", "3.9.6"),
    "ujson": ("5.12.0", "5.12.1"),
    "pydantic": ("2.5.2", "2.5.3"),
}


def located(package: str, release: str) -> dict[str, Any]:
    """Install one release and return what was located in it, in short."""
    with tempfile.TemporaryDirectory() as folder:
        install = [sys.executable, "-m", "pip", "install", "-q", "--target", folder, f"{package}=={release}"]
        subprocess.run(install, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        path = os.pathsep.join([folder, str(HERE)])
        done = subprocess.run(
            [sys.executable, "-m", "orchestrator", "locate", "--call", f"leaky_packages:{package}", "--json"],
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=True,
        )
    return shortened(json.loads(done.stdout))


def shortened(found: dict[str, Any]) -> dict[str, Any]:
    """Return outcome, sites as words, and what they explain."""
    measured = found["measured"]["rate"] if found["measured"] else None
    return {
        "outcome": found["outcome"],
        "sites": [
            {
                "bytes_per_call": round(site["held"]["per_iteration"], 1),
                "type": site["python_type"],
                "frames": [
                    frame["function"] + (f" [{frame['module']}]" if frame.get("module") else "")
                    for frame in site["frames"]
                ],
                "innermost": [frame["function"] for frame in site["stack"][:8]],
            }
            for site in found["sites"]
        ],
        "measured_bytes_per_call": measured and round(measured["per_iteration"] * 1024**2, 1),
        "passed_on_bytes_per_call": round(found["passed_on_mb"] * 1024**2, 1),
        "explained_percent": found["explained_percent"] and round(found["explained_percent"], 1),
        "seconds": round(found["cost"]["seconds"], 1) if found["cost"] else None,
    }


def main(wanted: list[str]) -> None:
    results = {
        package: {release: located(package, release) for release in releases}
        for package, releases in PAIRS.items()
        if package in wanted or not wanted
    }
    document = {
        "command": " ".join(["python", "benchmarks/locate_packages.py", *wanted]),
        "python": sys.version.split()[0],
        "memray": version("memray"),
        "packages": results,
    }
    (HERE / "results" / "locate_packages.json").write_text(json.dumps(document, indent=1) + "\n")
    for package, releases in results.items():
        for release, found in releases.items():
            sites = "; ".join(f"{site['bytes_per_call']} {site['frames'][0]}" for site in found["sites"])
            print(f"{package} {release}: {found['outcome']} {sites}")


if __name__ == "__main__":
    main(sys.argv[1:])
