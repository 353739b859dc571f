"""Chinese as Taiwan writes it: how many of our sentences each way of converting writes as the table wants, by domain.

    python benchmarks/bench_zh_tw.py [--opencc DIR] [--failures NAME]

The tables are ``tests/data/zh_tw_cases.tsv`` and ``zh_tw_held_out.tsv``. Measured are the configurations of
``opencc-python-reimplemented``, the same after cutting the text into words, and ours, which also knows the senses of
words. The ``opencc`` package cannot be installed beside ``opencc-python-reimplemented`` (both are ``opencc``): it is
measured from DIR, filled by ``pip install --target DIR opencc``. Prints a table and writes
``benchmarks/results/zh_tw.json``, with what the first use costs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

from opencc import OpenCC
from recording import host, record, show
from zh_tw_cases import HELD_OUT, TABLE, Sentence, is_right, sentences

from orchestrator.text import to_zh_tw
from orchestrator.text.segmentation import words

_PACKAGE = "import json, sys, opencc; make = opencc.OpenCC(sys.argv[1]).convert; "
_PACKAGE += "print(json.dumps([opencc.__version__, [make(each) for each in json.load(sys.stdin)]]))"
_FIRST_USE = """
import json, sys, time
def rss_kib():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS"))
from orchestrator.text import inverse_normalize, to_zh_tw
before = rss_kib()
began = time.process_time()
to_zh_tw("他展示了软件。") if sys.argv[1] == "zh-TW" else inverse_normalize("三十五个")
first_ms = 1000 * (time.process_time() - began)
mib = (rss_kib() - before) / 1024
began = time.process_time()
for _ in range(200):
    to_zh_tw("他三年后展示了如何把软件变成生意。") if sys.argv[1] == "zh-TW" else inverse_normalize("三十五个人。")
print(json.dumps({"cpu_ms": round(first_ms), "mib": round(mib, 1),
                  "later_ms_per_sentence": round(5 * (time.process_time() - began), 3)}))
"""


def ways() -> dict[str, Callable[[str], str]]:
    """Return what is measured in this process, by name."""
    made = {config: OpenCC(config).convert for config in ("s2t", "s2tw", "s2twp")}
    cut: dict[str, Callable[[str], str]] = {
        f"{config}, word by word": lambda text, make=make: "".join(map(make, words(text)))
        for config, make in made.items()
        if config != "s2t"
    }
    return {**made, **cut, "ours": to_zh_tw}


def from_package(folder: str, config: str, texts: list[str]) -> tuple[str, list[str]]:
    """Return the version of the ``opencc`` package in a folder and what it makes of texts."""
    done = subprocess.run(
        [sys.executable, "-c", _PACKAGE, config],
        input=json.dumps(texts),
        env={**os.environ, "PYTHONPATH": folder},
        capture_output=True,
        text=True,
        check=True,
    )
    version, written = json.loads(done.stdout)
    return version, written


def measured(table: list[Sentence], folder: str | None) -> tuple[dict[str, list[str]], str | None]:
    """Return what each way writes, and the version of the package."""
    written = {name: [way(each.simplified) for each in table] for name, way in ways().items()}
    version = None
    for config in ("s2tw", "s2twp") if folder else ():
        version, texts = from_package(folder or "", config, [each.simplified for each in table])
        written[f"opencc {config}"] = texts
    return written, version


def first_use(what: str) -> dict[str, float]:
    """Return what the first conversion costs in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", _FIRST_USE, what], capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--opencc", metavar="DIR", help="where the opencc package is installed")
    parser.add_argument("--failures", metavar="NAME", help="list the sentences that NAME does not write so")
    given = parser.parse_args()
    document: dict[str, Any] = {
        "command": "python benchmarks/bench_zh_tw.py --opencc DIR",
        "host": host("opencc-python-reimplemented", "rjieba"),
        "first_use": {"zh-TW": first_use("zh-TW"), "digits only": first_use("itn")},
    }
    for path in (TABLE, HELD_OUT):
        table = sentences(path)
        written, version = measured(table, given.opencc)
        right = {
            name: [each for each, text in zip(table, texts, strict=True) if is_right(text, each.taiwan)]
            for name, texts in written.items()
        }
        totals = Counter(each.domain for each in table)
        by_domain = {name: Counter(each.domain for each in found) for name, found in right.items()}
        percent = {name: round(100 * len(found) / len(table), 1) for name, found in right.items()}
        rows = [[domain, n, *(by_domain[name][domain] for name in right)] for domain, n in totals.items()]
        show(path.name, ["domain", "sentences", *right], [*rows, ["right, %", len(table), *percent.values()]])
        document[path.stem] = {
            "sentences": dict(totals),
            "opencc_package": version,
            "right_percent": percent,
            "right_by_domain": {name: dict(found) for name, found in by_domain.items()},
            "worse_than_s2twp": [
                each.simplified for each in right["s2twp"] if each not in set(right["ours"])
            ],
        }
        for each, text in zip(table, written.get(given.failures or "", []), strict=False):
            if not is_right(text, each.taiwan):
                print(f"{each.domain}\t{each.simplified}\t{each.taiwan}\t{text}", file=sys.stderr)
    print(f"\nfirst use: {document['first_use']}")
    print(f"written to {record('zh_tw', document)}")


if __name__ == "__main__":
    main()
