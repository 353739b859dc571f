"""A plan in words, the same on the terminal, on the page and in the Markdown summary. Pure."""

from __future__ import annotations

from orchestrator.analysis.planning.model_plan import ModelPlan, RunPlan
from orchestrator.analysis.planning.start_options import StartOption
from orchestrator.report.cells import UNKNOWN, number
from orchestrator.report.layout import BLANK, Line, Row, table, title_block


def plan_headline(run_plan: RunPlan) -> str:
    """Return for what the plans are made."""
    workers = "1 worker" if run_plan.workers == 1 else f"{run_plan.workers} workers"
    return f"For {workers} within {_size(run_plan.budget_mb)}"


def plan_sentence(plan: ModelPlan) -> str:
    """Return what to do with a model, in one sentence."""
    parts: list[str] = []
    if plan.start == "warm":
        parts.append(
            f"start warm, a fresh fork for every job ({plan.throughput_cost:.1%} of the time goes into forks)"
        )
    elif plan.max_jobs is not None:
        cost = f"{plan.throughput_cost:.1%} of the time goes into starts"
        parts.append(f"{crash_words(plan)}recycle after {plan.max_jobs} jobs ({cost})")
    if plan.max_rss_mb is not None:
        also = "or " if parts else "recycle "
        parts.append(f"{also}above {plan.max_rss_mb:.0f} MB")
    if plan.trim_every is not None:
        parts.append(f"trim the heap every {plan.trim_every} jobs")
    if plan.hard_rss_mb is not None:
        parts.append(
            f"{'kill' if parts else 'nothing to recycle; kill, for safety,'} above {plan.hard_rss_mb:.0f} MB"
        )
    what = ", ".join(parts) or "nothing to recycle"
    return f"{plan.model} ({plan.label}): {what}."


def crash_words(plan: ModelPlan) -> str:
    """Return what opens an advice that follows from a crash alone, so that nobody takes it for a measured period."""
    if plan.crashed_after is None:
        return ""
    jobs = "1 job" if plan.crashed_after == 1 else f"{plan.crashed_after} jobs"
    return f"crashed after {jobs}, find out why; until then, as a guess, "


def plan_details(plan: ModelPlan) -> list[str]:
    """Return why, and what else there is to know, in sentences."""
    reason = plan.reason[0].upper() + plan.reason[1:]
    fits = "1 of them fits" if plan.workers_that_fit == 1 else f"{plan.workers_that_fit} of them fit"
    size = (
        f"A worker takes up to {plan.memory_per_worker_mb:.0f} MB (warm {plan.base_mb:.0f} MB, within a job "
        f"{plan.peak_above_base_mb:.0f} MB more); {fits} the budget"
    )
    if plan.template_mb is not None:
        size = (
            f"A forked worker takes up to {plan.memory_per_worker_mb:.0f} MB of its own, and their template "
            f"{plan.template_mb:.0f} MB, once; {fits} the budget beside that"
        )
    return [f"{text}." for text in (*option_lines(plan), plan.basis, reason, size, *plan.advice)]


def option_lines(plan: ModelPlan) -> list[str]:
    """Return each way that was compared with what it does and takes, and which one is chosen; empty without any."""
    return [*map(_option, plan.options), *([f"Chosen: {plan.choice}"] if plan.choice else [])]


def _option(option: StartOption) -> str:
    words = option.words[0].upper() + option.words[1:]
    if option.jobs_per_s is None or option.memory_mb is None:
        return f"{words}: {option.lacking}"
    template = (
        f", {option.template_mb:.0f} MB of it the template's, once" if option.template_mb is not None else ""
    )
    lacking = f"; {option.lacking}" if option.lacking else ""
    workers = "1 worker" if option.workers == 1 else f"{option.workers} workers"
    return f"{words}: {option.jobs_per_s:.3g} jobs/s with {workers} in {option.memory_mb:.0f} MB{template}{lacking}"


def plan_report(run_plan: RunPlan, width: int | None) -> list[Line]:
    """Return the plans as a terminal shows them: a table, then the words."""
    rows = [_row(plan) for plan in run_plan.models]
    columns = ("growth, MB/job", "jobs", "RSS, MB", "worker, MB", "fit", "starts, %")
    lines = [
        *title_block(f"Recycle plan: {plan_headline(run_plan)}", width),
        *table("Model", columns, rows, width),
    ]
    for plan in run_plan.models:
        lines += [BLANK, Line(plan_sentence(plan), "title"), *_option_table(plan, width)]
        lines += [Line(f"  {text}") for text in plan_details(plan)]
    if run_plan.left_out:
        lines += [BLANK, *(Line(f"No plan: {text}", "bad") for text in run_plan.left_out)]
    return lines


def _row(plan: ModelPlan) -> Row:
    cells = (
        number(plan.rate_mb_per_job, 3),
        UNKNOWN if plan.max_jobs is None else str(plan.max_jobs),
        number(plan.max_rss_mb, 0),
        number(plan.memory_per_worker_mb, 0),
        str(plan.workers_that_fit),
        number(plan.throughput_cost * 100, 1),
    )
    return Row(plan.model, cells)


def option_cells(option: StartOption) -> tuple[str, ...]:
    """Return the cells of a way in a table: jobs per second, memory, how many workers fit, and whether it is chosen."""
    return (
        UNKNOWN if option.jobs_per_s is None else f"{option.jobs_per_s:.3g}",
        number(option.memory_mb, 0),
        UNKNOWN if option.workers_that_fit is None else str(option.workers_that_fit),
        "chosen" if option.chosen else "",
    )


OPTION_COLUMNS = ("jobs/s", "memory, MB", "fit", "")


def _option_table(plan: ModelPlan, width: int | None) -> list[Line]:
    rows = [Row(each.words, option_cells(each)) for each in plan.options]
    return table("Way", OPTION_COLUMNS, rows, width) if rows else []


def _size(size_mb: float) -> str:
    return f"{size_mb / 1024:.3g} GiB" if size_mb >= 1024 else f"{size_mb:.0f} MiB"
