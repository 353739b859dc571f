"""Recycle plans on drawn lives, and ``recycle="auto"`` on workers that are noisy, that cache and that leak.

Plans: growth per job is drawn from a law, 60 jobs of it are "measured" and planned from, then lives are drawn and
ended as a pool would end them, by the plan's ``max_jobs`` and ``max_rss``. A life passes its budget when its size and
the peak of a job are above it. ``one mean job`` is the plan without the quantile and the spread, as it was before.

Auto: jobs a second of one worker under ``recycle="auto"`` and without recycling, by turns, in a budget of 128 MiB.
Writes ``benchmarks/results/recycle_plans.json``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from recording import host, record, show

from orchestrator.analysis.planning.job_growth import growth_spread, upper_job_growth
from orchestrator.analysis.planning.recycling import WorkerFigures, plan_recycling
from orchestrator.pool.jobs import EngineJob
from orchestrator.pool.models import Model
from orchestrator.pool.pool import Pool

Draw = Callable[[np.random.Generator, int], NDArray[np.float64]]
MEASURED_JOBS = 60
BASE_MB, PEAK_MB, START_S, JOB_S = 300.0, 60.0, 1.5, 0.5
BUDGETS_MB = (700.0, 900.0, 2000.0)
LAWS: dict[str, Draw] = {
    "constant, 2 MB": lambda _rng, jobs: np.full(jobs, 2.0),
    "uniform, 0 to 4 MB": lambda rng, jobs: rng.uniform(0, 4, jobs),
    "exponential, mean 2 MB": lambda rng, jobs: rng.exponential(2.0, jobs),
    "gamma 0.5, mean 2 MB": lambda rng, jobs: rng.gamma(0.5, 4.0, jobs),
    "lognormal, sigma 1": lambda rng, jobs: rng.lognormal(0.0, 1.0, jobs),
    "21 MB every tenth": lambda rng, jobs: np.where(rng.random(jobs) < 0.1, 21.0, 0.0),
    "2 MB, and noise of 10 MB": lambda rng, jobs: 2.0 + np.diff(rng.normal(0, 3.0, jobs + 1)),
}
CASES: dict[str, dict[str, Any]] = {
    "nothing grows, jobs of 20 ms": {"job_ms": 20},
    "nothing grows, jobs below 1 ms": {},
    "noise of 8 MB, jobs of 5 ms": {"job_ms": 5, "noise_kib": 8192},
    "noise of 30 MB, jobs of 20 ms": {"job_ms": 20, "noise_kib": 30_720},
    "noise of 4 MB, jobs below 2 ms": {"noise_kib": 4096},
    "a cache of 60 MB": {"job_ms": 5, "load_ms": 100, "cache_kib": 61_440, "cache_entries_kib": 512},
    "noise of 30 MB and a leak of 0.1 MB a job": {
        "job_ms": 5, "load_ms": 300, "noise_kib": 30_720, "leak_kib_per_job": 100, "leak_source": "mmap",
    },
    "a leak of 1 MB a job": {"job_ms": 20, "load_ms": 300, "leak_kib_per_job": 1024, "leak_source": "mmap"},
}  # fmt: skip


def figures_of(growth: NDArray[np.float64]) -> WorkerFigures:
    """Return what a run of these jobs would have measured; the rate with the upper end of its 95 % interval."""
    half = 1.96 * float(growth.std(ddof=1)) / np.sqrt(growth.size)
    return WorkerFigures(
        rate_high_mb=float(growth.mean()) + half,
        base_mb=BASE_MB,
        peak_above_base_mb=PEAK_MB,
        start_s=START_S,
        job_s=JOB_S,
        job_high_mb=upper_job_growth(growth),
        spread_mb=growth_spread(growth),
    )


def share_that_passes(
    draw: Draw, rng: np.random.Generator, budget_mb: float, lives: int, *, quantile: bool
) -> float:
    """Return the share of drawn lives that pass the budget under a plan made from drawn measurements."""
    figures = figures_of(draw(rng, MEASURED_JOBS))
    if not quantile:
        figures = replace(figures, job_high_mb=0.0, spread_mb=0.0)
    plan = plan_recycling(figures, budget_mb=budget_mb, workers=1)
    if plan.max_jobs is None or plan.max_rss_mb is None:
        return 0.0
    sizes = BASE_MB + np.cumsum(draw(rng, lives * plan.max_jobs).reshape(lives, plan.max_jobs), axis=1)
    above = sizes > plan.max_rss_mb
    ends = np.where(above.any(axis=1), above.argmax(axis=1), plan.max_jobs - 1)
    reached = np.maximum.accumulate(sizes, axis=1)[np.arange(lives), ends]
    return float((reached + PEAK_MB > budget_mb + 1e-6).mean())


def drawn_lives(runs: int, lives: int) -> tuple[list[list[str]], dict[str, Any]]:
    """Return the table of plans on drawn lives."""
    rows: list[list[str]] = []
    raw: dict[str, Any] = {}
    for law, draw in LAWS.items():
        cells = [law]
        for quantile in (False, True):
            shares = [
                share_that_passes(
                    draw, np.random.default_rng([run, int(budget)]), budget, lives, quantile=quantile
                )
                for budget in BUDGETS_MB
                for run in range(runs)
            ]
            cells.append(f"{100 * np.mean(shares):.2f}")
            raw.setdefault(law, {})["quantile" if quantile else "one mean job"] = float(np.mean(shares))
        rows.append(cells)
    return rows, raw


def speed(options: dict[str, Any], recycle: str | None, jobs: int) -> tuple[float, dict[str, int]]:
    """Return jobs a second of one worker, and why workers left."""
    model = Model(name="model", engine="synthetic", options=options)
    job = EngineJob("model", "synthetic")
    with Pool(models=[model], memory_budget="128MiB", recycle=recycle) as pool:  # type: ignore[arg-type]
        for _ in range(3):
            pool.run(job)
        began = time.perf_counter()
        for _ in pool.map(job for _ in range(jobs)):
            pass
        seconds = time.perf_counter() - began
        return jobs / seconds, {str(reason): count for reason, count in pool.stats().exits.items()}


def automatic(rounds: int, jobs: int) -> tuple[list[list[str]], dict[str, Any]]:
    """Return the table of throughput under automatic recycling."""
    rows: list[list[str]] = []
    raw: dict[str, Any] = {}
    for case, options in CASES.items():
        count = jobs if options.get("job_ms") else 10 * jobs
        turns = [(speed(options, None, count), speed(options, "auto", count)) for _ in range(rounds)]
        share = median(auto[0] / never[0] for never, auto in turns)
        exits = [sum(auto[1].values()) for _, auto in turns]
        rows.append(
            [case, f"{median(never[0] for never, _ in turns):.0f}", f"{share:.3f}", f"{median(exits):g}"]
        )
        raw[case] = [{"never": never[0], "auto": auto[0], "exits": auto[1]} for never, auto in turns]
    return rows, raw


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=300)
    parser.add_argument("--runs", type=int, default=40, help="measured runs of every law and budget")
    parser.add_argument("--lives", type=int, default=500, help="lives drawn for each of them")
    said = parser.parse_args()
    plans = ["growth per job", "one mean job, % pass", "quantile, % pass"]
    rows, raw = drawn_lives(said.runs, said.lives)
    show(f"lives that pass their budget, {MEASURED_JOBS} jobs measured", plans, rows)
    auto = ["worker", "never, jobs/s", "auto / never", "replaced"]
    auto_rows, auto_raw = automatic(said.rounds, said.jobs)
    show(f"recycle=auto in 128 MiB, medians of {said.rounds} rounds", auto, auto_rows)
    document = {
        "command": f"python benchmarks/bench_recycle_plans.py --rounds {said.rounds} --jobs {said.jobs}"
        f" --runs {said.runs} --lives {said.lives}",
        "host": host(),
        "plans": {"header": plans, "rows": rows, "shares": raw},
        "auto": {"header": auto, "rows": auto_rows, "turns": auto_raw},
    }
    print(f"\nwritten to {record('recycle_plans', document)}")


if __name__ == "__main__":
    main()
