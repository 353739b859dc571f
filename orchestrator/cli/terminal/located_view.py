"""What ``locate`` found, on a terminal: sites with their cut stacks, the engine's own first frame in bold."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from orchestrator.analysis.locating import words
from orchestrator.analysis.locating.located import Located, Site
from orchestrator.cli.terminal.screen import Screen
from orchestrator.files.writing import to_json
from orchestrator.report.layout import BLANK, Line, title_block


def print_located(found: Sequence[Located], *, as_json: bool) -> None:
    """Print answers on stdout: lines for people, or one JSON object each."""
    out = Screen(sys.stdout)
    for one in found:
        if as_json:
            out.write_json(to_json(one))
        else:
            out.write([*located_lines(one, out.width), BLANK])


def located_lines(found: Located, width: int | None) -> list[Line]:
    """Return the lines of one answer."""
    unit = words.unit_of(found)
    lines = [*title_block(f"Where it leaks: {found.name} {found.method}", width)]
    lines.append(
        Line(words.outcome_words(found), "text" if found.outcome in ("located", "nothing") else "bad")
    )
    for number, site in enumerate(found.sites[: words.MOST_SITES], 1):
        lines += [BLANK, *_site_lines(number, site, unit)]
    if len(found.sites) > words.MOST_SITES:
        lines += [
            BLANK,
            Line(f"and {len(found.sites) - words.MOST_SITES} smaller ones (--json has them)", "note"),
        ]
    lines.append(BLANK)
    if found.sites:
        lines.append(Line(words.explained_words(found)))
    lines += _besides(found, unit)
    return lines


def _site_lines(number: int, site: Site, unit: str) -> Iterable[Line]:
    yield Line(f"{number}. {words.site_heading(site, unit)}")
    for index, frame in enumerate(site.frames):
        yield Line(f"     {words.frame_words(frame)}", "heading" if index == max(0, site.own) else "row")
    folded = len(site.stack) - len(site.frames)
    if folded > 0:
        yield Line(f"     ({folded} more frames: allocator, runtime, interpreter, our worker)", "note")


def _besides(found: Located, unit: str) -> Iterable[Line]:
    for said in words.besides_words(found):
        yield Line(said)
    others = words.standing(found)
    if others:
        yield Line("Grew, and is no leak site:", "note")
        yield from (Line(f"  {words.other_words(site)}", "note") for site in others)
    yield from (Line(note, "note") for note in found.notes)
    if found.stderr_tail:
        yield from (Line(f"    | {line}", "note") for line in found.stderr_tail.splitlines()[-5:])
    if (cost := found.cost) is not None:
        slower = "" if cost.slowdown is None else f", {cost.slowdown:.1f} times slower than untraced"
        yield Line(
            f"{found.tracer}: {cost.seconds:.0f} s in all, {cost.trace_bytes_per_iteration / 1024**2:.2f} MB of trace "
            f"an {'call' if unit == 'call' else 'iteration'}{slower}; {words.TRACED}".replace(
                "an call", "a call"
            ),
            "note",
        )
