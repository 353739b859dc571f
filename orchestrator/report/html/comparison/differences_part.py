"""All numbers of both sides in one table with their differences, and both sides' readings in small charts. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.report.closing.rows import Kind
from orchestrator.report.html.charts.legend import legend
from orchestrator.report.html.comparison.content import ComparisonContent, MethodPair, MethodRun, MetricRow
from orchestrator.report.html.comparison.pair_chart import (
    BROKE_OFF,
    KEYS,
    interval_picture,
    pair_chart,
    side_of,
)
from orchestrator.report.html.comparison.words import (
    METRICS,
    RESULTS,
    amount,
    change_of_verdict,
    kinds,
    result_words,
    unit_of,
)
from orchestrator.report.html.markup import Html, bullets, element, joined, text
from orchestrator.report.html.plain.frame import number, rounded

_DIP = 0.05
"""Growth below zero by less than this share of the highest needs no axis of its own: it is drawn at zero."""
_HEADINGS = ("Number", "A", "B", "B − A (95 %)", "", "Result")
_KIND_BADGES: dict[Kind, tuple[str, str]] = {
    "leak": ("red", "▲ LEAK"),
    "no leak": ("green", "▬ no leak"),
    "undecided": ("gold", "? undecided"),
    "broke off": ("red", "✕ broke off"),
    "not run": ("muted", "– not run"),
}


def method_id(number_: int) -> str:
    """Return the anchor of a method's verdicts; methods may be called anything, so that they are numbered."""
    return f"method-{number_}"


def kind_badges(runs: Sequence[MethodRun]) -> Html:
    """Return what a side's runs count as: one badge a kind, with its count where they differ."""
    found = kinds(runs)
    badges: list[Html] = []
    for kind in dict.fromkeys(found):
        color, words = _KIND_BADGES[kind]
        count = f" {found.count(kind)} of {len(found)}" if len(set(found)) > 1 else ""
        badges.append(element("span", text(f"{words}{count}"), class_=f"badge {color}"))
    return joined(badges, " ")


def differences_part(content: ComparisonContent) -> Html:
    """Return the table's section; methods that one side lacks are named below it."""
    head = element("tr", joined([element("th", text(name), scope="col") for name in _HEADINGS], ""))
    bodies = joined([_body(pair, at) for at, pair in enumerate(content.methods, 1)])
    whole = element("table", Html(f"<thead>{head}</thead>{bodies}"), class_="pairs")
    note = _note_on_intervals(len(content.first), len(content.second))
    below = [element("p", text(note), class_="note")]
    if content.alone:
        below.append(
            joined([element("p", text("Not compared, since one side lacks it:")), bullets(content.alone)])
        )
    parts = [element("h2", text("Differences")), element("div", whole, class_="scroll"), *below]
    return element("section", joined(parts), id_="differences")


def _note_on_intervals(first: int, second: int) -> str:
    if first != second and 1 in (first, second):
        return "A side of one run does not tell how it varies from run to run: no difference has an interval."
    whence = (
        "The intervals of all rows hold together with 95 %: a run is one observation."
        if first > 1
        else "The intervals of growth come from within the two runs."
    )
    return f"{whence} The shaded part of a picture is too small to count."


def _body(pair: MethodPair, at: int) -> Html:
    link = element("a", text(pair.name), href=f"#{method_id(at)}")
    arrow = Html(' <span class="arrow" aria-label="then">→</span> ')
    sides = element(
        "span", joined([kind_badges(pair.first), kind_badges(pair.second)], arrow), class_="sides"
    )
    said = element("span", text(change_of_verdict(pair)), class_="said")
    title = element("div", joined([link, sides, said], " "), class_="pair-title")
    head = element("tr", element("th", title, colspan=str(len(_HEADINGS)), scope="rowgroup"), class_="first")
    rows = [_row(row) for row in pair.rows]
    if not rows:
        nothing = element(
            "td", text("No number is known on either side."), colspan=str(len(_HEADINGS)), class_="absent"
        )
        rows = [element("tr", nothing)]
    return element("tbody", joined([head, *rows]))


def _row(row: MetricRow) -> Html:
    unit = element("span", text(unit_of(row)), class_="unit")
    name = element("th", joined([text(METRICS.get(row.metric, row.metric)), unit], " "), scope="row")
    color = RESULTS[row.change][0]
    result = element("span", text(result_words(row)), class_=f"result-word {color}")
    cells = [
        element("td", text(amount(row, row.first))),
        element("td", text(amount(row, row.second))),
        element("td", _difference(row)),
        element("td", interval_picture(row), class_="bar"),
        element("td", result, class_="word"),
    ]
    return element("tr", joined([name, *cells], ""))


def _difference(row: MetricRow) -> Html:
    said = text(amount(row, row.difference, signed=True))
    if row.low is None or row.high is None:
        return said
    if row.low == row.high:
        return said
    ends = text(f"({amount(row, row.low)} to {amount(row, row.high)})")
    return joined([said, element("span", ends, class_="interval")], " ")


def charts_part(content: ComparisonContent) -> Html:
    """Return one small chart a method, all on one axis: growth since the first reading, A grey and B coloured."""
    pairs = [(pair, side_of("A", pair.first), side_of("B", pair.second)) for pair in content.methods]
    drawn = [each for each in pairs if each[1].runs or each[2].runs]
    if not drawn:
        absent = element("p", text("No side has readings that could be drawn."), class_="absent")
        return element("section", joined([element("h2", text("Growth")), absent]), id_="growth")
    lines = [run for _, first, second in drawn for run in (*first.runs, *second.runs)]
    grown = [mb for run in lines for _, mb in run]
    highest, lowest = max(1.0, *grown), min(0.0, *grown)
    ends = rounded(lowest if lowest < -_DIP * highest else 0.0, highest, 4)
    last = max(run[-1][0] for run in lines)
    charts: list[Html] = []
    for pair, first, second in drawn:
        picture = pair_chart(first, second, ends, last, f"{pair.name}: growth on side A and on side B")
        at = content.methods.index(pair) + 1
        link = element("a", text(pair.name), href=f"#{method_id(at)}")
        words = element("figcaption", joined([link, element("span", text(_begins(pair)))], " "))
        charts.append(element("figure", joined([words, picture])))
    broke = any(True in side.broke_off for _, first, second in drawn for side in (first, second))
    caption = (
        "Memory that belongs to no file, as growth since the first iteration in MB, on the same axes for every "
        "method; the numbers at the right are growth at the end."
    )
    several = len(content.first) > 1 or len(content.second) > 1
    caption += " One line a run; the numbers are the mean of a side." if several else ""
    parts = [
        element("h2", text("Growth")),
        element("p", text(caption), class_="note"),
        legend([*KEYS, *([BROKE_OFF] if broke else [])]),
        element("div", joined(charts), class_="small-charts"),
    ]
    return element("section", joined(parts), id_="growth")


def _begins(pair: MethodPair) -> str:
    """Return at how many MB the sides begin, on average."""
    said: list[str] = []
    for letter, runs in (("A", pair.first), ("B", pair.second)):
        begun = [each.readings[0][1] for each in runs if each.readings]
        said.append(
            f"{letter} begins at {number(round(sum(begun) / len(begun)))} MB"
            if begun
            else f"{letter} has no readings"
        )
    return ", ".join(said)
