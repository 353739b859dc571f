"""Inverse text normalisation of Chinese: how many of our cases a library writes as the table wants, by kind.

    python benchmarks/bench_itn.py [--failures ours]

The table is ``tests/data/itn_cases.tsv``, each case in simplified and in traditional characters. Libraries follow
conventions of their own for dates, times, units and money (2026/11/21, 3:15, km, ¥): those kinds say how far their
conventions are from ours; digits, cardinals, decimals, percentages, fractions and words leave little to convention.
Prints a table and writes ``benchmarks/results/itn.json``. wetext and cn2an are measured where they are installed.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from opencc import OpenCC
from recording import host, record, show

from orchestrator.text import inverse_normalize

TABLE = Path(__file__).parents[1] / "tests/data/itn_cases.tsv"
Writer = Callable[[str], str]


def cases() -> list[tuple[str, str, str]]:
    """Return kind, spoken and written form, in both scripts."""
    rows = [line.split("\t") for line in TABLE.read_text("utf-8").splitlines() if line and line[0] != "#"]
    twin = OpenCC("s2t").convert
    plain = [(kind, spoken, written) for kind, spoken, written in rows]
    return plain + [(kind, twin(spoken), twin(written)) for kind, spoken, written in plain]


def writers() -> dict[str, Writer]:
    """Return what can be measured here, by name."""
    found: dict[str, Writer] = {"ours": inverse_normalize}
    if importlib.util.find_spec("wetext"):
        from wetext import Normalizer  # noqa: PLC0415 - only where it is installed

        for name, singles in (("wetext", False), ("wetext 0-9", True)):
            normalizer = Normalizer(lang="zh", operator="itn", enable_0_to_9=singles)
            found[name] = normalizer.normalize
    if importlib.util.find_spec("cn2an"):
        import cn2an  # noqa: PLC0415 - only where it is installed

        found["cn2an"] = lambda text: cn2an.transform(text, "cn2an")
    return found


def passes(writer: Writer, spoken: str, written: str) -> bool:
    """Say whether the writer gives what the table wants; a library that raises does not."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return writer(spoken) == written
    except Exception:
        return False


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--failures", metavar="NAME", help="list the cases that NAME fails")
    listed: str | None = parser.parse_args().failures
    table, found = cases(), writers()
    kinds = list(dict.fromkeys(kind for kind, _, _ in table))
    rates: dict[str, dict[str, int]] = {}
    seconds: dict[str, float] = {}
    for name, writer in found.items():
        began = time.perf_counter()
        right = [case for case in table if passes(writer, case[1], case[2])]
        seconds[name] = time.perf_counter() - began
        rates[name] = {kind: sum(case[0] == kind for case in right) for kind in kinds}
        if name == listed:
            for kind, spoken, written in table:
                if (kind, spoken, written) not in right:
                    print(f"{kind}\t{spoken}\t{written}\t{writer(spoken)}", file=sys.stderr)
    totals = {kind: sum(case[0] == kind for case in table) for kind in kinds}
    rows = [
        [kind, totals[kind], *(f"{100 * rates[name][kind] / totals[kind]:.0f} %" for name in found)]
        for kind in kinds
    ]
    overall = {name: 100 * sum(rates[name].values()) / len(table) for name in found}
    rows.append(["all", len(table), *(f"{overall[name]:.1f} %" for name in found)])
    show("Cases written as the table wants", ["kind", "cases", *found], rows)
    packages = ["opencc-python-reimplemented", *(each for each in ("wetext", "cn2an") if each in found)]
    document = {
        "command": "python benchmarks/bench_itn.py",
        "host": host(*packages),
        "cases": len(table),
        "pass_percent": {name: round(rate, 2) for name, rate in overall.items()},
        "passed_by_kind": rates,
        "cases_by_kind": totals,
        "seconds": {name: round(each, 3) for name, each in seconds.items()},
        "installed_mb": {name: installed_mb(name) for name in packages},
    }
    print(f"\nwritten to {record('itn', document)}")


def installed_mb(package: str) -> float:
    """Return what a package takes on the disk, in MB of 1024² bytes, without its dependencies."""
    files = importlib.metadata.files(package) or []
    sizes = [Path(str(each.locate())).stat().st_size for each in files if Path(str(each.locate())).is_file()]
    return round(sum(sizes) / 1024**2, 1)


if __name__ == "__main__":
    main()
