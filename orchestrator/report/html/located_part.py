"""The page's part on where it leaks: an icicle of sites, a table of them, what they explain. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from orchestrator.analysis.locating import words
from orchestrator.analysis.locating.frames import Frame, public_path
from orchestrator.analysis.locating.located import Located, Site
from orchestrator.report.html.content import LocatedContent
from orchestrator.report.html.icicle import icicle, shown_frames
from orchestrator.report.html.markup import Html, bullets, element, folded, joined, table, text

MOST_ANSWERS = 40
MOST_ROWS = 25
MOST_CALLERS = 4
MOST_LINES = 20
LONGEST_LINE = 400
CAPTION = (
    "Leak sites: each box is a frame of the call stack, callers above what they call, as wide as the bytes that it "
    "keeps per {unit}. With a border: the first frame of the engine's own code, which allocates. Blue: Python."
)
FLAME_GRAPH = "memray's flame graph of the same trace"


def located_part(content: Sequence[LocatedContent]) -> Html:
    """Return the section; empty where nothing was located."""
    if not content:
        return Html("")
    parts = [element("h2", text("Where it leaks")), *(_answer(each) for each in content[:MOST_ANSWERS])]
    if len(content) > MOST_ANSWERS:
        parts.append(
            element("p", text(f"and {len(content) - MOST_ANSWERS} more methods (located.json has them)"))
        )
    return element("section", joined(parts), id_="located")


def located_line(found: Located) -> str:
    """Return one answer in a sentence, for a summary."""
    unit = words.unit_of(found)
    said = words.outcome_words(found)
    if not found.sites:
        return _cut(f"{found.name} {found.method}: {said}")
    first = found.sites[0]
    place = words.short_name(first.frames[0].place) if first.frames else words.short_name("unknown")
    many = "1 site" if len(found.sites) == 1 else f"{len(found.sites)} sites"
    return _cut(
        f"{found.name} {found.method}: {place} keeps {words.rate_words(first.held, unit)}; {many}, "
        f"{words.explained_words(found)}"
    )


def _answer(content: LocatedContent) -> Html:
    found = content.located
    unit = words.unit_of(found)
    parts = [
        element("h3", text(_cut(f"{found.name}, {found.method}"))),
        element("p", text(_cut(f"{words.outcome_words(found)}."))),
        _drawing(found.sites, unit),
    ]
    if found.sites:
        explained = f"{words.explained_words(found)}."
        parts += [_sites(found.sites, unit), element("p", text(_cut(explained[0].upper() + explained[1:])))]
    parts.append(bullets([_cut(line) for line in (*words.besides_words(found), *found.notes[:MOST_LINES])]))
    if others := words.standing(found):
        parts.append(
            folded("Grew, and is no leak site", bullets([_cut(words.other_words(each)) for each in others]))
        )
    parts += [_link(content.flame_graph), element("p", text(_origin(found)), class_="notes")]
    return element("div", joined(parts), class_="block")


def _drawing(sites: Sequence[Site], unit: str) -> Html:
    drawn = icicle(sites, unit)
    if not drawn:
        return drawn
    caption = element("figcaption", text(CAPTION.format(unit=unit)))
    return element("figure", joined([element("div", drawn, class_="scroll"), caption]))


def _sites(sites: Sequence[Site], unit: str) -> Html:
    rows = [_row(site, unit) for site in sites[:MOST_ROWS]]
    whole = table(["Site", "Called by", f"Bytes per {unit}", f"Blocks per {unit}", "Phase"], rows, "sites")
    left = len(sites) - MOST_ROWS
    more = element("p", text(f"and {left} smaller ones (located.json has them)")) if left > 0 else Html("")
    return joined([whole, more])


def _row(site: Site, unit: str) -> list[Html]:
    first, *callers = (*shown_frames(site), *([] if site.stack or site.frames else [Frame("unknown")]))
    kind = f", {site.python_type}" if site.python_type else ""
    return [
        text(_cut(_place(first) + kind)),
        text(_cut(_callers(first, callers[:MOST_CALLERS])) or None),
        text(words.rate_words(site.held, unit).replace(f" per {unit}", "")),
        text(f"{site.blocks.per_iteration:,.4g}"),
        text(_cut(site.phase) or None),
    ]


def _callers(site: Frame, callers: Sequence[Frame]) -> str:
    """Return who called whom; the module of a frame is said where it is another than that of the one before."""
    said: list[str] = []
    for before, frame in pairwise([site, *callers]):
        same = not frame.python and frame.module == before.module
        said.append(words.short_name(frame.place) if same else _place(frame))
    return " ← ".join(said)


def _place(frame: Frame) -> str:
    name = words.short_name(frame.place)
    if frame.python:
        return f"{name} ({public_path(frame.file)}:{frame.line})"
    return f"{name} [{frame.module}]" if frame.module else name


def _link(page: str) -> Html:
    return element("p", element("a", text(FLAME_GRAPH), href=page)) if page else Html("")


def _origin(found: Located) -> str:
    tracer = _cut(found.tracer or "traced")
    if found.cost is None:
        return f"{tracer}; {words.TRACED}."
    slower = "" if found.cost.slowdown is None else f", {found.cost.slowdown:.1f} times slower than untraced"
    return f"{tracer}: {found.cost.seconds:.0f} s in all{slower}; {words.TRACED}."


def _cut(line: str) -> str:
    return line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 1]}…"
