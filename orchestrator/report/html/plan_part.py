"""The page's part on what to do: when a pool recycles, why, and the table to paste. Pure."""

from __future__ import annotations

from orchestrator.analysis.planning.model_plan import ModelPlan, RunPlan
from orchestrator.report.html.markup import Html, bullets, element, folded, joined, table, text
from orchestrator.report.plan_lines import (
    OPTION_COLUMNS,
    option_cells,
    plan_details,
    plan_headline,
    plan_sentence,
)


def plan_part(plan: RunPlan | None) -> Html:
    """Return the section; empty for a run that nothing can be planned from."""
    if plan is None or not plan.models:
        return Html("")
    parts = [
        element("h2", text("What to do")),
        element("p", text(f"{plan_headline(plan)}, growth taken at the upper end of its interval.")),
        *(_of_model(each) for each in plan.models),
        element("p", text("For experiments.toml (orchestrator plan makes it for another budget):")),
        element("pre", text(plan.table()), id_="recycle-table"),
        Html('<button type="button" data-copy="recycle-table" hidden>Copy the table</button>'),
    ]
    return element("section", joined(parts), id_="plan")


def _of_model(plan: ModelPlan) -> Html:
    ways = _options(plan)
    why = folded("Why, and the ways compared" if ways else "Why", joined([ways, bullets(plan_details(plan))]))
    parts = [element("p", text(plan_sentence(plan))), why]
    return element("div", joined(parts), class_="block")


def _options(plan: ModelPlan) -> Html:
    """Return the ways that were compared; nothing for a model that cannot be warm."""
    if not plan.options:
        return Html("")
    rows = [[text(each.words), *map(text, option_cells(each))] for each in plan.options]
    return table(["Way", *OPTION_COLUMNS], rows, "numbers")
