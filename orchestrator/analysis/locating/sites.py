"""From whole call stacks to sites: stacks that are the same where it matters are one site."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from orchestrator.analysis.locating.frames import (
    Frame,
    is_an_attribute_name,
    is_the_workers,
    python_type,
    telling,
)
from orchestrator.analysis.locating.located import Site, StackLive
from orchestrator.analysis.locating.site_growth import SiteKind, growth, kind_of

LEAST_OTHER_BYTES = 4096
"""What is no leak site and keeps less than this is not listed: a Python program has a hundred such places."""
PASSED_ON = ("worker", "pool")
"""Kinds of growth that are in the measured leak and under no frame of the engine's."""
_Key = tuple[str, str, tuple[tuple[str, str, int], ...]]


def find_sites(stacks: Iterable[StackLive], iterations: Sequence[int]) -> tuple[list[Site], list[Site]]:
    """Return the leak sites and what else has grown, each with the fastest first.

    Args:
        stacks: What each whole stack kept alive at the boundaries: before the settling iteration, after it, and after
            each block.
        iterations: The iterations of each block.

    The settling iteration is not judged: what replaces a block from before the trace looks like growth in it. It tells
    what has grown once.
    """
    grouped: dict[_Key, list[StackLive]] = {}
    for stack in stacks:
        grouped.setdefault(_key(stack), []).append(stack)
    found = [_site(alike, iterations) for alike in grouped.values()]
    found.sort(key=lambda site: -site.held.per_iteration)
    leaks = [site for site in found if site.kind == "leak"]
    return leaks, [site for site in found if site.kind not in ("leak", "none") and _counts(site)]


def _counts(site: Site) -> bool:
    """Whether it is worth a line, or is in the measured leak however small it is."""
    return site.levels[-1] >= LEAST_OTHER_BYTES or (site.kind in PASSED_ON and site.held.low > 0)


def _key(stack: StackLive) -> _Key:
    cut = telling(stack.frames)
    frames = tuple(
        (frame.place, frame.file, frame.line) if frame.python else (frame.place, "", 0) for frame in cut
    )
    what = "attribute name" if is_an_attribute_name(stack.frames) else python_type(stack.frames)
    return stack.phase, what, frames


def _site(alike: Sequence[StackLive], iterations: Sequence[int]) -> Site:
    fullest = max(alike, key=lambda stack: stack.held[-1])
    cut = telling(fullest.frames)
    levels = _sums([stack.sizes for stack in alike])
    kind = kind_of(levels[1:], iterations)
    if kind == "none" and levels[-1] > levels[0]:
        kind = "once"
    return Site(
        kind=kind if kind in ("none", "once") else _unless_known(kind, fullest, told=bool(cut)),
        phase=fullest.phase,
        frames=cut or fullest.frames[:1],
        own=_own(cut),
        held=growth(_sums([stack.held for stack in alike])[1:], iterations),
        requested=growth(levels[1:], iterations),
        blocks=growth(_sums([stack.blocks for stack in alike])[1:], iterations),
        levels=levels,
        python_type=python_type(fullest.frames),
        stack=fullest.frames,
    )


def _unless_known(kind: SiteKind, stack: StackLive, *, told: bool) -> SiteKind:
    """Return the kind of a site that grows, unless it is known what does so and that it is no leak."""
    if is_an_attribute_name(stack.frames):
        return "pool"
    return "worker" if not told and is_the_workers(stack.frames) else kind


def _own(cut: Sequence[Frame]) -> int:
    return next((index for index, frame in enumerate(cut) if frame.says_something and not frame.python), -1)


def _sums(series: Sequence[Sequence[int]]) -> list[int]:
    return [sum(values) for values in zip(*series, strict=True)]
