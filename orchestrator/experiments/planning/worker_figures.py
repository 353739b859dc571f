"""What a plan reckons with, read from results: per series and model growth, base, peak, start and job time.

Here: which readings stand for what. A worker of a pool keeps its model and does job after job, so that its RSS
between jobs is the reading after infer, whatever boundary the series was judged at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from typing import Any

import msgspec

from orchestrator.analysis.judging.decision import CLEAN
from orchestrator.analysis.judging.judgement import Judgement
from orchestrator.analysis.planning.job_growth import growth_spread, upper_job_growth
from orchestrator.analysis.planning.recycling import WorkerFigures
from orchestrator.errors import ResultsError
from orchestrator.experiments.judging.model_summary import mean
from orchestrator.experiments.judging.readings import FRESH_METHODS
from orchestrator.experiments.planning.own_growth import OwnGrowth, own_growth
from orchestrator.experiments.planning.warm_figures import warm_figures
from orchestrator.experiments.results.results_file import Results

BASELINE = "recycle"
WARM = "warm"


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredWorker:
    """One model in one series.

    Attributes:
        experiment, series, method: Where it was measured; ``series`` is the method, or ``method@variant``.
        environment: What the series sets beyond the experiment's own, as ``NAME=value``; empty without a variant.
        model: The whole of its configuration, as the results keep it.
        judgement: Of the series.
        sharing: Models in the series' process.
        jobs_per_iteration: Jobs of this model in an iteration.
        iterations: How many were measured.
        figures: What a plan needs; None when something was not measured, which ``lacking`` then names.
        grown_mb: RSS after the last job less that after the first.
        trim_released_mb: What came back in the heap trim at the end; None without one.
        abandoned: Whether its models were left behind, which no pool does: their growth tells nothing of one.
        template_mb: Of the method warm the memory of the model's template; ``figures`` are then of one fork of it,
            without what it shares.
        own: The model's own part of the growth, where models of one process, or loads and jobs, can be told apart.
        not_possible: Whether the series could not run because its models cannot be treated so, whatever is installed.
    """

    experiment: str
    series: str
    method: str
    environment: str
    model: Mapping[str, Any]
    judgement: Judgement
    sharing: int
    jobs_per_iteration: float
    iterations: int
    figures: WorkerFigures | None
    lacking: str
    grown_mb: float
    trim_released_mb: float | None
    own: OwnGrowth | None = None
    abandoned: bool = False
    template_mb: float | None = None
    not_possible: bool = False

    @property
    def role(self) -> str:
        """The model's name."""
        return str(self.model["role"])

    def per_job(self, per_iteration: float) -> float:
        """Return growth per job from growth per iteration."""
        return per_iteration / max(self.jobs_per_iteration, 1.0)


def measured_workers(results: Results) -> list[MeasuredWorker]:
    """Return every model of every series, the baseline too.

    Raises:
        ResultsError: The results lack what makes them ours.
    """
    try:
        return list(_workers(results))
    except (KeyError, TypeError, ValueError, msgspec.ValidationError) as error:
        where = results.config.get("experiment", "results")
        raise ResultsError(
            f"{where}: cannot be planned from ({type(error).__name__}: {error}); name a run, or measure again"
        ) from error


def growth_high_mb(worker_judgement: Judgement) -> float | None:
    """Return the growth per iteration to plan with: the upper end of the interval of the RSS rate.

    0 for a series judged clean. A leak that the heap shows and RSS not yet, because free memory in hand hides it,
    counts with the heap's upper end. None when no interval is known.
    """
    if worker_judgement.verdict in CLEAN:
        return 0.0
    high = worker_judgement.rss_ci_high
    if high is None:
        return None
    hidden = worker_judgement.heap_ci_high if worker_judgement.verdict == "leak" else None
    return max(high, hidden or 0.0, 0.0)


def _workers(results: Results) -> Iterator[MeasuredWorker]:
    models = {step["model"]["role"]: step["model"] for step in results.config["steps"]}
    settings: dict[str, Mapping[str, str]] = {
        one["method"] + (f"@{one['variant']}" if one["variant"] else ""): {
            **one["env"],
            **({"allocator": one["allocator"]} if one.get("allocator") else {}),
        }
        for one in results.config["series"]
    }
    plain = {key: env for key, env in settings.items() if "@" not in key}
    for key, summary in results.summary.items():
        method, judgement = summary.method, summary.judgement
        if judgement is None:
            raise ValueError(f"no judgement of {key}")
        entries = _entries(results, method, summary.variant)
        fresh = _entries(results, BASELINE, summary.variant) or _entries(results, BASELINE, None)
        for role, model in models.items():
            own, baseline = _Steps(entries, role), _Steps(fresh, role)
            alone = own_growth(summary, role)
            if method == WARM:
                figures, lacking = warm_figures(entries, role), "only forks of a template were measured"
            else:
                figures, lacking = _figures(own, baseline, judgement, method, alone)
            template = summary.templates.get(role)
            sizes = own.after_infer
            yield MeasuredWorker(
                experiment=str(results.config["experiment"]),
                series=key,
                method=method,
                environment=_environment(settings.get(key, {}), plain.get(method, {})) if "@" in key else "",
                model=model,
                judgement=judgement,
                sharing=len(models) if method not in FRESH_METHODS else 1,
                jobs_per_iteration=own.jobs_per_iteration,
                iterations=len(sizes),
                figures=figures,
                lacking=lacking,
                grown_mb=sizes[-1] - sizes[0] if sizes else 0.0,
                trim_released_mb=summary.trim_released_mb,
                own=alone,
                abandoned=bool(summary.abandoned) and method != BASELINE,
                template_mb=template.memory_mb if template else None,
                not_possible=summary.not_possible,
            )


def _environment(own: Mapping[str, str], plain: Mapping[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in own.items() if plain.get(name) != value)


def _entries(results: Results, method: str, variant: str | None) -> list[dict[str, Any]]:
    found = [
        each for each in results.iterations if (each["method"], each.get("variant")) == (method, variant)
    ]
    return sorted(found, key=lambda entry: int(entry["iteration"]))


class _Steps:
    """The steps of one model in the iterations of one series."""

    def __init__(self, entries: Sequence[Mapping[str, Any]], role: str) -> None:
        self.alone = all(len({step["model"] for step in entry["steps"]}) == 1 for entry in entries)
        own = [(entry, [step for step in entry["steps"] if step["model"] == role]) for entry in entries]
        self._read = [
            (entry, steps)
            for entry, steps in own
            if steps and steps[-1]["rss_mb"].get("after_infer") is not None
        ]
        self.all = [step for _, steps in own for step in steps]

    @property
    def jobs_per_iteration(self) -> float:
        return mean(sum(step.get("jobs", 1) for step in steps) for _, steps in self._read) or 1.0

    @property
    def after_infer(self) -> list[float]:
        """RSS in MB after the model's last job of each iteration."""
        return [float(steps[-1]["rss_mb"]["after_infer"]) for _, steps in self._read]

    @property
    def above(self) -> list[float]:
        """How far the peak of each iteration lay above that."""
        return [
            max(0.0, self._peak(entry, steps) - size)
            for (entry, steps), size in zip(self._read, self.after_infer, strict=True)
        ]

    def _peak(self, entry: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> float:
        own = steps[-1]["vm_hwm_mb"].get("after_infer")
        return float(entry["peak_mb"] if self.alone or own is None else own)

    def seconds(self, phase: str) -> float | None:
        return mean(step.get(phase) for step in self.all)


def _figures(
    own: _Steps, baseline: _Steps, judgement: Judgement, method: str, alone: OwnGrowth | None
) -> tuple[WorkerFigures | None, str]:
    sizes = own.after_infer
    job_s = own.seconds("infer_s")
    if not sizes or not job_s:
        return None, "no job of it was measured to its end"
    starts = [each for each in (baseline, own) if each.seconds("load_s") is not None]
    if not starts:
        return None, "no load of it was measured"
    growth = None if method == BASELINE else growth_high_mb(judgement)
    jobs = own.jobs_per_iteration
    if growth and alone is not None:
        growth = alone.high_mb(growth, jobs)
    base_mb = _base_mb(sizes, judgement)
    above = own.above[judgement.warm_up :] or own.above
    warm = sizes[min(judgement.warm_up, len(sizes) - 1) :]
    steps = [later - earlier for earlier, later in pairwise(warm)] if growth else []
    figures = WorkerFigures(
        rate_high_mb=None if growth is None else growth / jobs,
        base_mb=base_mb,
        peak_above_base_mb=max([*above, *baseline.above]),
        start_s=(starts[0].seconds("spawn_s") or 0.0) + (starts[0].seconds("load_s") or 0.0),
        job_s=job_s,
        job_high_mb=upper_job_growth(steps),
        spread_mb=growth_spread(steps) / sqrt(jobs),
    )
    return figures, ""


def _base_mb(sizes: Sequence[float], judgement: Judgement) -> float:
    """Return RSS after the warm-up without the growth since, on the safe side: the upper envelope of the readings."""
    rate = 0.0 if judgement.verdict in CLEAN else judgement.rss_rate_mb_per_iteration or 0.0
    if judgement.verdict in CLEAN:
        return max(sizes)
    first = min(judgement.warm_up, len(sizes) - 1)
    return max(size - rate * steps for steps, size in enumerate(sizes[first:]))
