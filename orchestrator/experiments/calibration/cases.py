"""The cases of a calibration: what the synthetic engine is told to do, and what is true of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from orchestrator.analysis.planning.calibration import Truth
from orchestrator.config.model import BoundModel
from orchestrator.config.types import Experiment, MethodName, Series, Step

KIB_PER_MB = 1024.0
LEAK_MB = 0.5
_LEAK_KIB = LEAK_MB * KIB_PER_MB
RARE_EVERY = 50
FEWEST_STEPS = 5
"""Steps below which rare ones can be the last of a pool as well as those of a leak."""
TIMEOUT_S = 60.0
SAMPLE_INTERVAL_MS = 20
"""As in ordinary runs."""


@dataclass(frozen=True, slots=True)
class Case:
    """One case; ``true_rate_mb`` is per iteration, of a ``held`` one the growth of RSS.

    ``beyond`` says why nobody can know it from a record of this length; empty where it can be known.
    """

    name: str
    what: str
    truth: Truth
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    true_rate_mb: float = 0.0
    method: MethodName = "reuse"
    engine: str = "synthetic"
    beyond: str = ""


def known_cases(iterations: int) -> list[Case]:
    """Return all cases; what fills up does so early enough in ``iterations`` to be seen at rest."""
    return [*_leaks(iterations), *_without_leak(iterations)]


def _leak(name: str, what: str, *, method: MethodName = "reuse", **options: Any) -> Case:
    return Case(name, what, "leak", options, LEAK_MB, method)


def _leaks(iterations: int) -> list[Case]:
    return [
        *_leaks_of_native_memory(iterations * 2 // 5),
        *_leaks_harder_to_see(),
        _rare_leak(iterations),
        *_leaks_per_load(),
    ]


def _leaks_of_native_memory(late: int) -> list[Case]:
    return [
        _leak("malloc leak", "0.5 MB of malloc lost with every job", leak_kib_per_job=_LEAK_KIB),
        _leak(
            "mmap leak",
            "0.5 MB of mmap lost with every job, unseen by the allocator",
            leak_kib_per_job=_LEAK_KIB,
            leak_source="mmap",
        ),
        _leak(
            "leak in chunks",
            "2 MB lost with every fourth job on average, at random places",
            leak_kib_per_job=_LEAK_KIB,
            leak_shape="chunks",
            chunk_kib=4 * _LEAK_KIB,
        ),
        _leak(
            "late leak",
            f"0.5 MB lost with every job from the {late}th on",
            leak_kib_per_job=_LEAK_KIB,
            leak_starts_at_job=late,
        ),
        _leak(
            "leak in a noisy process",
            "0.5 MB lost with every job, working memory anywhere between 0 and 4 MB",
            leak_kib_per_job=_LEAK_KIB,
            noise_kib=4 * KIB_PER_MB,
        ),
    ]


def _leaks_harder_to_see() -> list[Case]:
    return [
        _leak(
            "Python objects",
            "0.5 MB of small Python objects kept with every job, in the interpreter's own arenas",
            leak_kib_per_job=_LEAK_KIB,
            leak_source="python",
        ),
        _leak(
            "shared memory",
            "0.5 MB of shared memory lost with every job",
            leak_kib_per_job=_LEAK_KIB,
            leak_source="shared",
        ),
        _leak(
            "random leak sizes",
            "another size lost with every job, 0.5 MB on average",
            leak_kib_per_job=_LEAK_KIB,
            leak_shape="random",
        ),
    ]


def _leaks_per_load() -> list[Case]:
    return [
        _leak("leak per load", "0.5 MB lost with every load", method="recreate", leak_kib_per_load=_LEAK_KIB),
        Case(
            "leak per restart",
            "0.5 MB lost with every restart()",
            "leak",
            {"leak_kib_per_restart": _LEAK_KIB},
            LEAK_MB,
            "restart",
            "synthetic-restart",
        ),
    ]


def _rare_leak(iterations: int) -> Case:
    """Return a leak every 50th job: with fewer than three of them it looks like a pool that was allocated late."""
    seen = iterations // RARE_EVERY
    return Case(
        f"leak every {RARE_EVERY}th job",
        f"{RARE_EVERY * LEAK_MB:g} MB lost with one job in {RARE_EVERY}",
        "leak",
        {"leak_kib_per_job": _LEAK_KIB, "leak_shape": "chunks", "chunk_kib": RARE_EVERY * _LEAK_KIB},
        LEAK_MB,
        beyond=f"{seen} in {iterations} iterations: {FEWEST_STEPS * RARE_EVERY} would show {FEWEST_STEPS}"
        if seen < FEWEST_STEPS
        else "",
    )


def _without_leak(iterations: int) -> list[Case]:
    tenth, quarter = iterations // 10, iterations // 4
    mb = KIB_PER_MB

    def clean(name: str, what: str, **options: Any) -> Case:
        return Case(name, what, "no leak", options)

    return [
        clean("nothing", "a process that does its jobs and keeps nothing"),
        clean("pool", f"64 MB taken over the first {tenth} jobs", pool_kib=64 * mb, pool_fill_jobs=tenth),
        clean(
            "cache",
            f"1 MB a job into a cache that is full after about {quarter} jobs and then evicts",
            cache_kib=quarter * mb,
            cache_entries_kib=mb,
        ),
        clean(
            "slowly filling cache",
            f"each job asks for one of {iterations // 6} keys, a new one keeps 1 MB: ever fewer are new",
            cache_keys=max(1, iterations // 6),
            cache_entries_kib=mb,
        ),
        clean(
            "flush",
            f"0.5 MB a job into a buffer that is flushed after {2 * iterations // 5} jobs",
            sawtooth_kib=(2 * iterations // 5) * _LEAK_KIB,
            sawtooth_period=2 * iterations // 5,
        ),
        clean(
            "sawtooth", "grows by 32 MB over 10 jobs, then drops", sawtooth_kib=32 * mb, sawtooth_period=10
        ),
        clean("noise", "working memory anywhere between 0 and 8 MB", noise_kib=8 * mb),
        clean(
            "mapped file",
            f"32 MB of a file's pages read in over the first {quarter} jobs",
            file_kib=32 * mb,
            file_fill_jobs=quarter,
        ),
        clean(
            "held, then at rest",
            f"0.5 MB freed but held by the allocator with each of the first {2 * tenth} jobs",
            fragment_kib=_LEAK_KIB,
            fragment_jobs=2 * tenth,
        ),
        Case(
            "held for ever",
            "just under 0.5 MB freed but held by the allocator with every job",
            "held",
            {"fragment_kib": _LEAK_KIB},
            LEAK_MB,
        ),
    ]


BACKGROUNDS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "quiet": ("nothing but the leak", {}),
    "busy": (
        "working memory anywhere between 0 and 4 MB, and a pool of 32 MB that fills over the first 5 jobs",
        {"noise_kib": 4 * KIB_PER_MB, "pool_kib": 32 * KIB_PER_MB, "pool_fill_jobs": 5},
    ),
}
"""What goes on beside the leak that is searched: words and options, by name."""


def background_case(background: str, rate_mb: float, run: int) -> Case:
    """Return the ``run``-th run (from 0) of a leak of ``rate_mb`` per job before a background; 0: without a leak."""
    options: dict[str, Any] = {**BACKGROUNDS[background][1], "seed": run}
    if rate_mb:
        options["leak_kib_per_job"] = rate_mb * KIB_PER_MB
    truth: Truth = "leak" if rate_mb else "no leak"
    return Case(f"{background}-{rate_mb:g}-{run}", background, truth, options, rate_mb)


def with_seed(case: Case, seed: int) -> Case:
    """Return the case with other random choices, by another name."""
    if not seed:
        return case
    return replace(case, name=f"{case.name}, run {seed + 1}", options={**case.options, "seed": seed})


def experiment_of(case: Case, iterations: int) -> Experiment:
    """Return the experiment that runs ``case`` by its method, as a file could have said it."""
    model = BoundModel(name="calibration", engine=case.engine, label=case.name, options=dict(case.options))
    return Experiment(
        name=case.name,
        title=case.what,
        series=[Series(case.method)],
        iterations=iterations,
        recycle_after=1,
        sample_interval_ms=SAMPLE_INTERVAL_MS,
        heap=True,
        timeout_s=TIMEOUT_S,
        output="calibration-case.json",
        steps=[Step("synthetic", model, None, None)],
    )
