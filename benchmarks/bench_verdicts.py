"""Judge a directory of CSV series with the analysis package, and time it.

    python benchmarks/bench_verdicts.py DIR [--channels rss|outside|rss,heap] [--out FILE] [--only-n 30]

Reads ``*.csv`` with the columns iteration, rss_mb[, rss_anon_mb, live_mb, held_mb]; writes JSON lines
``{file, verdict, rate_mb_per_iteration, ci_low, ci_high, ...}`` that ``score_series.py --verdicts`` reads.
``rss`` uses RSS alone, ``outside`` adds RssAnon, ``rss,heap`` everything.
With ``--early`` prints the table of early stopping instead (needs truth.json beside the series), one a folder.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
from recording import host

from orchestrator.analysis import MemorySeries, Verdict, judge
from orchestrator.analysis.judging.settled import LOOKS, Answer, agrees, answer_of, has_kept

Columns = dict[str, npt.NDArray[np.float64]]

CHANNELS = ("rss", "outside", "rss,heap")


def read_series(path: Path) -> Columns:
    """Return the columns of one CSV by their names."""
    with path.open() as file:
        names = file.readline().strip().split(",")
        table = np.loadtxt(file, delimiter=",", ndmin=2)
    return {name: table[:, i] for i, name in enumerate(names)}


def judge_columns(columns: Columns, channels: str, count: int | None = None) -> Verdict:
    """Judge the first ``count`` iterations of a series by the channels asked for."""
    series = memory_series(columns, channels)
    return judge(series if count is None else series.first(count))


def memory_series(columns: Columns, channels: str) -> MemorySeries:
    """Return a series by the channels asked for."""
    rss = columns["rss_mb"]
    outside, heap = channels != "rss", channels == "rss,heap"
    return MemorySeries.of(
        rss,
        rss_anon_mb=columns.get("rss_anon_mb") if outside else None,
        swap_mb=columns.get("swap_mb") if outside else None,
        live_mb=columns.get("live_mb") if heap else None,
        held_mb=columns.get("held_mb") if heap else None,
    )


def stop_early(columns: Columns, length: int) -> tuple[int, Verdict]:
    """Return when a series of ``length`` stops by the rule of ``settled``, and its verdict then."""
    seen: list[tuple[int, Answer]] = []
    for look in LOOKS:
        if look >= length:
            break
        found = judge_columns(columns, "rss,heap", look)
        seen.insert(0, (look, answer_of(found)))
        if agrees(seen, length)[0] and (
            seen[0][1] != "leak" or has_kept(memory_series(columns, "rss,heap").first(look), found)
        ):
            return look, found
    return length, judge_columns(columns, "rss,heap", length)


def early_table(directory: Path, length: int = 100) -> dict[str, float | int | str]:
    """Print and return what early stopping saves and costs on series of one length (slow families left out)."""
    truth = json.loads((directory / "truth.json").read_text())
    rows: list[tuple[str, str, str, int]] = []
    for name, label in truth.items():
        if (
            label["n"] == length
            and label["class"] in ("ok", "leak")
            and not label["family"].startswith("slow")
        ):
            stop, found = stop_early(read_series(directory / name), length)
            rows.append((label["class"], label["family"], answer_of(found), stop))
    ok = [row for row in rows if row[0] == "ok"]
    leak = [row for row in rows if row[0] == "leak"]
    early_leak = [row for row in leak if row[1] not in ("leak_late", "leak_masked")]

    def share(part: list[tuple[str, str, str, int]], answer: str) -> float:
        return 100 * sum(row[2] == answer for row in part) / max(len(part), 1)

    def mean(part: list[tuple[str, str, str, int]]) -> float:
        return sum(row[3] for row in part) / max(len(part), 1)

    table: dict[str, float | int | str] = {
        "series": directory.name,
        "iterations": length,
        "ok": len(ok),
        "leak": len(leak),
        "false_leak_percent": round(share(ok, "leak"), 2),
        "ok_confirmed_percent": round(share(ok, "clean"), 1),
        "hit_percent": round(share(leak, "leak"), 1),
        "called_clean_percent": round(share(leak, "clean"), 2),
        "called_clean_late_and_masked_aside_percent": round(share(early_leak, "clean"), 2),
        "mean_stop_ok": round(mean(ok)),
        "mean_stop_leak": round(mean(leak)),
        "saved_percent": round(100 - 100 * mean(rows) / length),
    }
    sys.stdout.write("".join(f"{name:44} {value}\n" for name, value in table.items()) + "\n")
    return table


def main() -> None:
    """Judge every series of a directory and print how long it took."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("directory", type=Path, nargs="+", help="folders of series; one without --early")
    parser.add_argument("--channels", default="rss,heap", choices=CHANNELS)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--only-n", type=int, help="judge only the first so many iterations")
    parser.add_argument("--early", action="store_true", help="print the table of early stopping")
    arguments = parser.parse_args()
    if arguments.early:
        tables = [early_table(directory) for directory in arguments.directory]
        if arguments.out:
            document = {"host": host("numpy"), "tables": tables}
            arguments.out.write_text(json.dumps(document, indent=1) + "\n")
        return
    paths = sorted(arguments.directory[0].glob("*.csv"))
    series = [(path.name, read_series(path)) for path in paths]
    lines: list[str] = []
    started = time.perf_counter()
    for name, columns in series:
        found = judge_columns(columns, arguments.channels, arguments.only_n)
        lines.append(
            json.dumps(
                {
                    "file": name,
                    "verdict": found.verdict,
                    "rate_mb_per_iteration": found.rate_mb_per_iteration,
                    "ci_low": found.ci_low,
                    "ci_high": found.ci_high,
                    "rate_channel": found.rate_channel,
                    "warm_up": found.warm_up,
                    "reasons": found.reasons,
                }
            )
        )
    took = time.perf_counter() - started
    text = "\n".join(lines) + "\n"
    if arguments.out:
        arguments.out.write_text(text)
    else:
        sys.stdout.write(text)
    sys.stderr.write(
        f"{len(series)} series in {took:.1f} s, {1000 * took / max(len(series), 1):.2f} ms each\n"
    )


if __name__ == "__main__":
    main()
