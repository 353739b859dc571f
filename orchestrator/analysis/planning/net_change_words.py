"""Which model grows, and by load or by job, in sentences. Pure.

A sentence begins in lower case and has no full stop, so that a table's note and a page's list can both use it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.analysis.planning.net_change import Interval, LoadAndJob

WHOLE = 0.1
"""The sum of the models and the growth of the process agree within this share, or within :data:`SMALL_MB`."""
SMALL_MB = 0.005


def models_sentence(
    what: str, means: Mapping[str, Interval], grows: Sequence[str], total_of_models: float, total: float
) -> str:
    """Return what each model leaves behind per iteration, whose the growth is, and whether that is all of it.

    Args:
        what: ``the live heap`` or ``RSS``.
        means: By the models' labels.
        grows: Labels of the models that grow.
        total_of_models: Sum of the means, MB per iteration.
        total: Growth of the process, MB per iteration.
    """
    each = ", ".join(f"{name} {with_error(mean)}" for name, mean in means.items())
    said = f"{what}, left behind after unload per iteration: {each} MB"
    if abs(total - total_of_models) <= max(WHOLE * abs(total), SMALL_MB):
        check = f"together {decimals(total_of_models)} of the {decimals(total)} MB that the process grows by"
    else:
        check = (
            f"together {decimals(total_of_models)} MB, the process grows by {decimals(total)}: the rest came "
            "between the steps"
        )
    return f"{said}; {check}{_whose(grows, len(means))}"


def _whose(grows: Sequence[str], count: int) -> str:
    if not grows:
        return "; no model is shown to grow"
    if len(grows) == count:
        return "; every model grows"
    return f"; the growth is that of {' and '.join(grows)}"


def jobs_sentence(what: str, name: str, split: LoadAndJob) -> str:
    """Return what a load and what a job of a model leave behind, and which of them grows."""
    load, job = split.per_load, split.per_job
    said = f"{name}: {what} grows by {with_error(load)} MB per load and {with_error(job)} MB per job"
    by_load, by_job = load.low > 0, job.low > 0
    if by_load and by_job:
        return f"{said}: both grow"
    if by_job:
        return f"{said}: it comes with the jobs, and loading anew adds nothing that is shown"
    if by_load:
        return f"{said}: it comes with loading, and keeping the model avoids it"
    return f"{said}: neither is shown to grow"


def with_error(interval: Interval) -> str:
    """Return ``0.1203 ± 0.0007``."""
    return f"{decimals(interval.rate)} ± {decimals(interval.half_width)}"


def decimals(value: float) -> str:
    """Return four decimals, two from 10 on; never ``-0.0000``."""
    text = f"{value:.2f}" if abs(value) >= 10 else f"{value:.4f}"
    return text.removeprefix("-") if float(text) == 0 else text
