"""The page's beginning: one table with a row a method, each a link to its experiment, and the words explained. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from orchestrator.notebook.marks import mark_of
from orchestrator.report.closing.rows import ClosingRow, Kind, closing_rows, headline
from orchestrator.report.html.charts.legend import Key, legend
from orchestrator.report.html.content import ExperimentContent, ReportContent
from orchestrator.report.html.markup import Html, element, joined, text
from orchestrator.report.html.plain.frame import rounded
from orchestrator.report.html.small_charts import BASELINE_DASH, Curve, small_chart, sparkline_svg

GLOSSARY: Mapping[str, str] = {
    "iteration": "one round of all the steps of an experiment; memory is read at its end, while the worker waits",
    "leak": "memory that grows with every iteration and is not given back, as far as the readings reach",
    "no leak": "flat (it stands still), plateau (it rose and stopped) or bounded (it goes up and down within limits)",
    "RSS": "resident set size: the memory of a process that is in RAM, with what its allocator only keeps for reuse",
    "live heap": "what the program has got from malloc and not freed; growth here is not a cache of the allocator",
    "baseline": "the method recycle: a fresh process each time, which starts from nothing and so cannot leak for long",
    "above a fresh process": "how much more memory a method has at its end than a fresh process at the same place",
    "interval": "95 % of such intervals hold the true rate; a verdict needs the whole of it on one side of a bound",
}
"""Eight words that the page uses, explained."""

NOTHING = "Nothing has been measured yet"

_LIKE: Mapping[Kind, str] = {
    "leak": "leak",
    "broke off": "crashed",
    "undecided": "inconclusive",
    "no leak": "flat",
    "not run": "unavailable",
}
"""A verdict whose mark a kind has."""
_COLORS: Mapping[Kind, str] = {kind: mark_of(verdict).color for kind, verdict in _LIKE.items()}
_RATE = re.compile(r"-?[\d.]+(?: to -?[\d.]+)? \w+")
"""A number, or both ends of its interval, that is per iteration by the column's heading alone: a phone has no room for
that, and says it behind the number."""
_HEADINGS = ("Experiment", "Method", "Verdict", "Lost per iteration", "Above a fresh process (MB)", "Memory")


def rows_of(content: ExperimentContent) -> list[ClosingRow]:
    """Return the rows of one experiment, from the points of its charts."""
    readings = {each.key: [point.leak_series_mb for point in each.points] for each in content.series}
    return closing_rows(content.experiment, content.summaries, readings)


def summary_part(content: ReportContent) -> Html:
    """Return the section: the table, and a small chart an experiment; a sentence where nothing was measured."""
    rows = [row for each in content.experiments for row in rows_of(each)]
    if not rows:
        return Html("")
    whole = methods_table(rows)
    return element("section", joined([element("h2", text("Verdicts")), whole]), id_="verdicts")


def methods_table(rows: Sequence[ClosingRow], *, links: bool = True) -> Html:
    """Return the table with a row a method; ``links``: each leads to its experiment on the same page."""
    body = joined([_row(row, before, links) for before, row in zip((None, *rows), rows, strict=False)])
    head = element("tr", joined([element("th", text(name), scope="col") for name in _HEADINGS], ""))
    return element("table", Html(f"<thead>{head}</thead><tbody>{body}</tbody>"), class_="methods")


def banner(content: ReportContent) -> Html:
    """Return the first line of the page: how many methods leak."""
    rows = [row for each in content.experiments for row in rows_of(each)]
    measured = any(each.summaries for each in content.experiments)
    return text(headline(rows) if measured else NOTHING)


def _row(row: ClosingRow, before: ClosingRow | None, links: bool) -> Html:
    first = before is None or before.experiment != row.experiment
    name = f"{row.experiment} {row.work}".strip() if first else ""
    # a method whose descriptors leak counts as a leak, whatever is said of its memory
    verdict = row.judgement.verdict if row.judgement is not None and row.kind != "leak" else _LIKE[row.kind]
    badge = f"{mark_of(verdict).sign} {row.verdict}"
    method = text(row.method)
    cells = [
        element("td", element("a", method, href=f"#experiment-{row.experiment}") if links else method),
        element("td", element("span", text(badge), class_=f"badge {_COLORS[row.kind]}")),
        element("td", text(row.number), class_="lost" if _RATE.fullmatch(row.number) else ""),
        element("td", text(row.above.removesuffix(" MB")), class_="right"),
        element("td", sparkline_svg(row.readings, row.span, _COLORS[row.kind])),
    ]
    return element(
        "tr", joined([element("th", text(name), scope="row"), *cells], ""), class_="first" if first else ""
    )


def small_charts_part(experiments: Sequence[ExperimentContent]) -> Html:
    """Return one small chart an experiment, all on the same axes: growth since the first reading."""
    drawn = [(each, _curves(each)) for each in experiments]
    values = [value for _, curves in drawn for curve in curves for value in curve.values]
    if not values:
        return Html("")
    low, high = rounded(min(0.0, *values), max(1.0, *values), 4)
    charts = [_figure(each, small_chart(curves, low, high, _alt(each))) for each, curves in drawn if curves]
    caption = "Growth since the first iteration in MB, on the same axis for every experiment."
    grid = element("div", joined(charts), class_="small-charts")
    below = [element("p", text(caption), class_="note"), legend(_keys(experiments)), grid]
    return element("section", joined([element("h2", text("Growth")), *below]))


def _keys(experiments: Sequence[ExperimentContent]) -> list[Key]:
    """Return what the colours of the curves mean, as far as there are such curves."""
    rows = [row for each in experiments for row in rows_of(each) if row.readings]
    kinds = {row.kind for row in rows if not row.baseline}
    words: dict[str, list[str]] = {}
    for kind, color in _COLORS.items():
        if kind in kinds:
            words.setdefault(color, []).append(kind)
    keys = [Key(", or ".join(said), color) for color, said in words.items()]
    if any(row.baseline for row in rows):
        keys.append(Key("fresh processes, the baseline", "baseline", dash=BASELINE_DASH))
    return keys


def _curves(content: ExperimentContent) -> list[Curve]:
    found: list[Curve] = []
    for row in rows_of(content):
        if row.readings:
            growth = tuple(value - row.readings[0] for value in row.readings)
            found.append(
                Curve(row.method, growth, "baseline" if row.baseline else _COLORS[row.kind], row.baseline)
            )
    return found


def _figure(content: ExperimentContent, drawn: Html) -> Html:
    link = element("a", text(content.title), href=f"#experiment-{content.experiment.name}")
    return element("figure", joined([element("figcaption", link), drawn]))


def _alt(content: ExperimentContent) -> str:
    return f"{content.title}: growth of each method over its iterations"


def glossary_part() -> Html:
    """Return the words of the page with their meanings."""
    words = joined(
        [joined([element("dt", text(word)), element("dd", text(said))]) for word, said in GLOSSARY.items()]
    )
    return element("section", joined([element("h2", text("Words")), element("dl", words)]), id_="words")
