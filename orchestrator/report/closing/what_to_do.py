"""What a run asks its user to do, in a few lines: each can be followed as it stands. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from orchestrator.analysis.planning.model_plan import ModelPlan, RunPlan
from orchestrator.report.closing.rows import ClosingRow
from orchestrator.report.plan_lines import crash_words


class ToDo(NamedTuple):
    """One thing to do: a sentence, and the command for it, which stands on a line of its own and is never broken."""

    words: str
    command: str = ""


def what_to_do(
    rows: Sequence[ClosingRow],
    plan: RunPlan | None,
    *,
    table: str = "",
    locate: str = "",
    more: str = "",
    missing: Sequence[tuple[str, str]] = (),
) -> list[ToDo]:
    """Return what to do, the weightiest first.

    Args:
        rows: Of all methods.
        plan: When pools recycle the run's models; None where nothing can be planned.
        table: The command that prints the plan as a table to paste.
        locate: The command that finds the call stacks of the first leak; empty without one.
        more: The command that runs what is undecided again; empty without any.
        missing: What could not run, and how to get it.
    """
    said = [ToDo(sentence) for model in (plan.models if plan else ()) if (sentence := plan_line(model))]
    if said and table:
        said.append(ToDo("as a [recycle] table, with its reasons:", table))
    if locate:
        said.append(ToDo("where it leaks:", locate))
    said += _settling(rows, more)
    said += [ToDo(f"{what}; to get it:" if cure else what, cure) for what, cure in missing]
    leaks = any(row.kind == "leak" for row in rows)
    if said or leaks or not any(row.kind == "no leak" for row in rows):
        return said
    return [ToDo("nothing: no method leaks")]


def plan_line(plan: ModelPlan) -> str:
    """Return ``asr-small: recycle after 254 jobs or at 319 MB (costs 1.0 % of the time)``; empty for nothing to do.

    A period that follows from a crash alone says so: nobody is to take it for a cure.
    """
    if plan.start == "warm":
        forks = f"start warm, a fork for every job (costs {plan.throughput_cost:.1%} of the time)"
        return f"{plan.model}: {forks}".replace("%", " %")
    when = [f"after {plan.max_jobs} jobs"] if plan.max_jobs is not None else []
    when += [f"at {plan.max_rss_mb:.0f} MB"] if plan.max_rss_mb is not None else []
    parts = (
        [f"{crash_words(plan)}recycle {' or '.join(when)} (costs {plan.throughput_cost:.1%} of the time)"]
        if when
        else []
    )
    if plan.trim_every is not None:
        parts.append(f"trim the heap every {plan.trim_every} jobs")
    safe = "to be safe, " if plan.verdict == "inconclusive" else ""
    return f"{plan.model}: {safe}{', '.join(parts)}".replace("%", " %") if parts else ""


def _settling(rows: Sequence[ClosingRow], more: str) -> list[ToDo]:
    """Return what would settle the undecided, those together that need the same; more iterations have a command."""
    found: dict[str, list[ClosingRow]] = {}
    for row in rows:
        if row.kind == "undecided" and row.judgement and row.judgement.settle:
            found.setdefault(row.judgement.settle[0], []).append(row)
    said: list[ToDo] = []
    for what, undecided in found.items():
        names = ", ".join(dict.fromkeys(row.experiment for row in undecided))
        who = (
            f"{names} {undecided[0].method}"
            if len(undecided) == 1
            else f"{len(undecided)} methods of {names}"
        )
        said.append(ToDo(f"to settle {who}: {what}"))
    if said and more:
        said.append(ToDo("what is undecided, with twice the iterations:", more))
    return said
