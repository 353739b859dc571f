"""Score the verdicts, and the rules that others use, on folders of labelled series.

    python benchmarks/score_verdicts.py DIR… [--real DIR] [--early]

A folder has CSV series and truth.json: by file name the ``class`` (``leak``: grows beyond the tolerance; ``subtol``:
grows, but less; ``ok``; others are left open), ``truth``, ``family``, ``rate`` in MB per iteration and ``n``. Slow
families (``slow_…``) count only under ``all``; what no record can tell (``UNKNOWABLE``) is left out.
``--real`` adds a folder of recorded series without labels, ``--early`` what early
stopping saves. Writes ``results/verdicts.json``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from bench_verdicts import CHANNELS, Columns, early_table, judge_columns, read_series
from recording import host, record, show
from scipy.stats import kendalltau, linregress

from orchestrator.analysis import CLEAN

Answer = tuple[str, float, float, float]  # leak, clean or inconclusive; rate and its interval
Row = tuple[dict[str, Any], Answer]

_NOTHING = (float("nan"), float("nan"), float("nan"))

UNKNOWABLE = {"flush_beyond": True, "growing_input": False}
"""Families without a leak that grow like one to the end of the record; True: with the heap channel too."""

_FEWEST_BLOCKS = 4


def ours(channels: str) -> Callable[[Columns], Answer]:
    """Return our rule for a set of channels."""

    def judged(columns: Columns) -> Answer:
        found = judge_columns(columns, channels)
        answer = "leak" if found.verdict == "leak" else "clean" if found.verdict in CLEAN else "inconclusive"
        return answer, found.rate_mb_per_iteration, found.ci_low, found.ci_high

    return judged


def blocks_keep_growing(columns: Columns) -> Answer:
    """The rule of psleak 0.1.6: blocks of 2, 3, 4 … calls; clean when growth per call fades twice in a row, or stops.

    To fade is to lose a fifth. Its run starts with 200 calls and makes each block half as long again, up to ten; a
    series of N has room for as many as fit. The heap is trimmed before each of its readings, which a recorded
    series cannot have.
    """
    rss = columns["rss_mb"]
    length, at, before, streak = max(2, rss.size // 20), rss.size // 10, 0.0, 0
    while at + length < rss.size:
        growth = float(rss[at + length] - rss[at])
        per_call = growth / length
        streak = streak + 1 if per_call <= 0.8 * before else 0
        if growth <= 0 or streak == 2:
            return ("clean", *_NOTHING)
        before, at, length = per_call, at + length, int(length * 1.5)
    return ("leak", *_NOTHING)


def regression(columns: Columns) -> Answer:
    """Ordinary regression of RSS, the first ten readings left out: a leak when it rises with p < 0.05."""
    rss = columns["rss_mb"][10:]
    fit = linregress(np.arange(rss.size), rss)
    half = 1.96 * fit.stderr
    leaking = fit.slope > 0 and fit.pvalue < 0.05
    return "leak" if leaking else "clean", float(fit.slope), float(fit.slope - half), float(fit.slope + half)


def mann_kendall(columns: Columns) -> Answer:
    """Mann-Kendall on all of RSS: a leak when Kendall's tau with the time is above zero with p < 0.05."""
    rss = columns["rss_mb"]
    if np.ptp(rss) == 0:
        return ("clean", *_NOTHING)
    found = kendalltau(np.arange(rss.size), rss)
    return ("leak" if found.statistic > 0 and found.pvalue < 0.05 else "clean", *_NOTHING)


def last_less_first(columns: Columns) -> Answer:
    """(last - first) / N > 0.1 MB per iteration."""
    rss = columns["rss_mb"]
    rate = float(rss[-1] - rss[0]) / rss.size
    return ("leak" if rate > 0.1 else "clean"), rate, float("nan"), float("nan")


RULES: dict[str, Callable[[Columns], Answer]] = {
    **{f"ours, {channels}": ours(channels) for channels in CHANNELS},
    "psleak's rule on RSS": blocks_keep_growing,
    "regression of RSS": regression,
    "Mann-Kendall on RSS": mann_kendall,
    "(last - first) / N of RSS": last_less_first,
}


def shares(rows: Iterable[Row], prefix: str) -> dict[str, float]:
    """Return how many percent got each answer."""
    found = Counter(answer[0] for _, answer in rows)
    total = max(found.total(), 1)
    return {
        f"{prefix}_{name}_percent": round(100 * found[name] / total, 2)
        for name in ("leak", "clean", "inconclusive")
    }


def score(rows: list[Row]) -> dict[str, Any]:
    """Return the figures of one rule on one folder."""
    table: dict[str, Any] = {}
    for name, slow_too in (("main", False), ("all", True)):
        kept = [row for row in rows if slow_too or not row[0]["family"].startswith("slow")]
        ok = [
            row
            for row in kept
            if row[0]["class"] == "ok"
            or (slow_too and row[0]["class"] == "subtol" and row[0]["truth"] != "leak")
        ]
        leak = [row for row in kept if row[0]["class"] == "leak"]
        table[name] = {"ok": len(ok), "leak": len(leak), **shares(ok, "ok"), **shares(leak, "leak")}
    hits = [
        (label["rate"], answer)
        for label, answer in rows
        if (label["class"], label["truth"], answer[0]) == ("leak", "leak", "leak")
        and label["family"] != "leak_masked"
    ]
    table["hits_rated"] = len(hits)
    errors = [100 * abs(answer[1] - rate) / rate for rate, answer in hits if np.isfinite(answer[1])]
    inside = [answer[2] <= rate <= answer[3] for rate, answer in hits if np.isfinite(answer[2])]
    table["rate_error_median_percent"] = round(statistics.median(errors), 2) if errors else None
    table["interval_coverage_percent"] = round(100 * sum(inside) / len(inside), 1) if inside else None
    return table


def _unknowable(label: dict[str, Any], columns: Columns, heap: bool) -> bool:
    """Whether the truth about a series lies outside its record, for a rule with or without the heap channel.

    Fewer than four large blocks at random could as well be a pool that grew.
    """
    if label["family"] == "rare_big_random":
        return int(np.count_nonzero(np.diff(columns["live_mb"]) > 2)) < _FEWEST_BLOCKS
    whatever = UNKNOWABLE.get(label["family"])
    return whatever is not None and (whatever or not heap)


def by_family(rows: list[Row]) -> dict[str, dict[str, int]]:
    """Return how often each answer came, by family and class."""
    table: dict[str, Counter[str]] = {}
    for label, answer in rows:
        table.setdefault(label["family"], Counter())[f"{label['class']}: {answer[0]}"] += 1
    return {family: dict(sorted(counts.items())) for family, counts in sorted(table.items())}


def score_folder(directory: Path) -> dict[str, Any]:
    """Score every rule on one folder of labelled series."""
    truth = json.loads((directory / "truth.json").read_text())
    series = {name: read_series(directory / name) for name in truth}
    rules: dict[str, Any] = {}
    for name, rule in RULES.items():
        started = time.process_time()
        heap = name == "ours, rss,heap"
        kept = {file: label for file, label in truth.items() if not _unknowable(label, series[file], heap)}
        rows = [(label, rule(series[file])) for file, label in kept.items()]
        spent = time.process_time() - started
        rules[name] = {
            **score(rows),
            "cpu_ms_per_series": round(1000 * spent / len(rows), 2),
            "families": by_family(rows),
        }
    show(f"{directory.name}: {len(truth)} series", HEADER, [line(name, rules[name]) for name in RULES])
    return {"series": directory.name, "count": len(truth), "rules": rules}


HEADER = ("rule", "false leak, main", "all", "ok inconclusive", "leak found", "called clean, main", "all",
          "leak inconclusive", "rate error", "coverage")  # fmt: skip


def line(name: str, scored: dict[str, Any]) -> tuple[object, ...]:
    """Return one line of the table, in percent."""
    main, everything = scored["main"], scored["all"]
    return (
        name,
        main["ok_leak_percent"],
        everything["ok_leak_percent"],
        main["ok_inconclusive_percent"],
        main["leak_leak_percent"],
        main["leak_clean_percent"],
        everything["leak_clean_percent"],
        main["leak_inconclusive_percent"],
        scored["rate_error_median_percent"],
        scored["interval_coverage_percent"],
    )


def judge_real(directory: Path) -> dict[str, dict[str, str]]:
    """Return verdict and rate of recorded series after 30 iterations and after all, by channels."""
    table: dict[str, dict[str, str]] = {}
    for path in sorted(directory.glob("*_re[uc]*.csv")):
        columns = read_series(path)
        if columns["rss_mb"].size < 30:
            continue
        table[path.stem] = {}
        for channels in CHANNELS:
            for count in (30, None):
                found = judge_columns(columns, channels, count)
                key = f"{channels}, {'first 30' if count else 'all'}"
                table[path.stem][key] = f"{found.verdict} {found.rate_mb_per_iteration:.3f}"
    return table


def main() -> None:
    """Score, print and record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("directory", type=Path, nargs="+")
    parser.add_argument("--real", type=Path, help="folder of recorded series")
    parser.add_argument("--early", action="store_true", help="early stopping too")
    arguments = parser.parse_args()
    document: dict[str, Any] = {"host": host("numpy", "scipy")}
    document["scores"] = [score_folder(directory) for directory in arguments.directory]
    if arguments.real:
        document["real"] = judge_real(arguments.real)
        columns = next(iter(document["real"].values()))
        show("recorded", ("series", *columns), [(n, *row.values()) for n, row in document["real"].items()])
    if arguments.early:
        document["early_stopping"] = [early_table(directory) for directory in arguments.directory]
    print(record("verdicts", document))


if __name__ == "__main__":
    main()
