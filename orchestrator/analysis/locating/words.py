"""What was located in lines of text, for the terminal, a failed test, and a report."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.analysis.locating.frames import Frame
from orchestrator.analysis.locating.located import MB, Located, Measured, Site
from orchestrator.analysis.locating.site_growth import Rate

MOST_SITES = 8
MOST_OTHERS = 5
LONGEST_NAME = 88
LONGEST_WHOLE_NAME = 60
LEAST_UNEXPLAINED_BYTES = 256
LEAST_PASSED_ON_BYTES = 16
EXPLAINED_PERCENT = 80
"""Sites that explain less of what was measured leave a question open, and that is said."""
TRACED = "traced: the times are not the engine's and the memory is not judged"
HELD = "held by the allocator: no site; try trim_every or MALLOC_TRIM_THRESHOLD_"
_CHANNELS = {
    "rss": "resident memory",
    "rss_anon": "anonymous resident memory",
    "nonmalloc": "memory outside of malloc",
    "file": "pages of files",
}
_KINDS = {
    "once": "grew once and stands: a buffer or a cache, no leak",
    "slowing": "grows slower and slower: something fills; more iterations would tell",
    "pool": "a pool of the interpreter, with a bound: names of attributes",
    "worker": "our worker's own, not the engine's",
    "irregular": "grew, but not with every block of iterations: undecided",
}


def explained_words(found: Located) -> str:
    """Return how much of the measured leak the sites explain: "0.117 of 0.120 MB per iteration, 98 %"."""
    unit = unit_of(found)
    if found.measured is None:
        return (
            f"they explain {found.explained_mb:.3g} MB per {unit}; nothing was measured to hold that against"
        )
    rate = found.measured.rate.per_iteration
    against = f"{found.explained_mb:.3f} of {rate:.3f} MB per {unit}"
    if max(found.explained_mb, rate) < 0.01:
        against = f"{found.explained_mb * MB:,.0f} of {rate * MB:,.0f} bytes per {unit}"
    share = "" if found.explained_percent is None else f", {found.explained_percent:.0f} %"
    return f"they explain {against}{share} ({found.measured.source})"


def unexplained_words(found: Located) -> str:
    """Return the sentence about a measured leak that the sites explain little of; empty where they explain it."""
    if (
        found.outcome not in ("located", "nothing")
        or found.measured is None
        or found.explained_percent is None
        or found.explained_percent >= EXPLAINED_PERCENT
    ):
        return ""
    unit = unit_of(found)
    sentences: list[str] = []
    if found.passed_on_mb * MB >= LEAST_PASSED_ON_BYTES:
        sentences.append(
            f"{size_words(found.passed_on_mb * MB)} per {unit} lie under our worker's lines or are names of "
            "attributes: the interpreter hands freed objects on, so the engine may keep what another line has made"
        )
    left = (found.measured.rate.per_iteration - found.explained_mb - found.passed_on_mb) * MB
    if left >= LEAST_UNEXPLAINED_BYTES:
        sentences.append(f"{size_words(left)} per {unit} that were measured have no site: {_blind(found)}")
    return "; ".join(sentences)


def _blind(found: Located) -> str:
    name = found.tracer or "the tracer"
    if found.measured is not None and found.measured.channel == "resident":
        return "resident memory was measured, which has whole pages and what the allocator holds, and sites are blocks"
    if name.startswith("jemalloc"):
        return f"{name} sees no mmap, no malloc that is linked statically, and no pool of a library's own"
    if name.startswith("heaptrack"):
        return (
            f"{name} sees no mmap, no malloc that is linked statically or, in a confined worker, looked up by dlsym, "
            "and no pool of a library's own"
        )
    return (
        f"{name} sees no malloc that is linked statically, looked up by dlsym (ctypes), or a library's own; "
        "--tracer heaptrack or jemalloc sees those looked up"
    )


def verdict_words(found: Located) -> str:
    """Return why the sites are not held against the verdict's own rate; empty where they are."""
    measured = found.measured
    if measured is None or measured.verdict is None:
        return ""
    return (
        f"the verdict's {measured.verdict.per_iteration:.3f} MB per {unit_of(found)} are "
        f"{_CHANNELS.get(measured.verdict_channel, 'resident memory')}: that has whole pages and what the allocator "
        "holds; sites are blocks of the heap, and held against the growth of its live bytes"
    )


def unit_of(found: Located) -> str:
    """Return what the rates are per."""
    return "call" if ":" in found.name else "iteration"


def outcome_words(found: Located) -> str:
    """Return what became of it, in one line."""
    blocks = f"{len(found.iterations)} blocks of {found.iterations[0]}" if found.iterations else ""
    match found.outcome:
        case "located":
            one = len(found.sites) == 1
            many = "1 leak site that grows" if one else f"{len(found.sites)} leak sites that grow"
            return f"{many} with every block of iterations ({blocks} after {found.warm_up} warm-up)"
        case "nothing":
            return f"no leak site: nothing grew with every block of iterations ({blocks})"
        case _:
            get = f"; to get it: {found.how_to_get_it}" if found.how_to_get_it else ""
            return f"{found.outcome}: {found.cause}{get}"


def rate_words(rate: Rate, unit: str) -> str:
    """Return a growth with its interval, where that has a width."""
    number = size_words(rate.per_iteration)
    if rate.high - rate.low < 0.005 * abs(rate.per_iteration):
        return f"{number} per {unit}"
    return f"{number} per {unit} [{size_words(rate.low)}, {size_words(rate.high)}]"


def size_words(size: float) -> str:
    """Return bytes as people read them: KiB and MiB from ten of the smaller unit on."""
    for limit, unit in ((10 * MB, "MiB"), (10 * 1024, "KiB")):
        if abs(size) >= limit:
            return f"{size / (MB if unit == 'MiB' else 1024):,.1f} {unit}"
    return f"{size:,.0f} bytes" if size == round(size) or abs(size) >= 100 else f"{size:,.1f} bytes"


def site_heading(site: Site, unit: str) -> str:
    """Return the first line of a site: how fast, how many blocks, in which phase."""
    many = f"{site.blocks.per_iteration:,.4g}"
    blocks = "1 block" if many == "1" else f"{many} blocks"
    kind = f", {site.python_type}" if site.python_type else ""
    return f"{rate_words(site.held, unit)}, {blocks}, in {site.phase}{kind}"


def frame_words(frame: Frame) -> str:
    """Return a frame's name and where it is."""
    name = short_name(frame.place)
    if frame.python:
        return f"{name}  {frame.file}:{frame.line}"
    source = f"  {frame.file}:{frame.line}" if frame.file and frame.line else ""
    build = f" {frame.build_id[:12]}" if frame.build_id else ""
    return f"{name}{source}" + (f"  [{frame.module}{build}]" if frame.module else "")


def short_name(name: str) -> str:
    """Return a function's name; a long one of C++ without its arguments."""
    if len(name) > LONGEST_WHOLE_NAME and name.endswith(")") and (at := _arguments_at(name)) > 0:
        name = f"{name[:at]}(…)"
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[: LONGEST_NAME - 1]}…"


def _arguments_at(name: str) -> int:
    """Return where the arguments begin: at the parenthesis that the last one closes."""
    depth = 0
    for at in range(len(name) - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(name[at], 0)
        if depth == 0:
            return at
    return -1


def outside_words(measured: Measured | None, unit: str) -> str:
    """Return the sentence about growth outside of the live heap; empty where there is none."""
    if measured is None or measured.outside_mb is None:
        return ""
    rate = measured.outside_mb
    return (
        f"{rate.per_iteration:.3f} MB per {unit} [{rate.low:.3f}, {rate.high:.3f}] of resident memory beyond the live "
        f"heap: {HELD}; or it is mapped past malloc (mmap, shared memory)"
    )


def besides_words(found: Located) -> list[str]:
    """Return the sentences that belong to what the sites explain: what they do not, and why."""
    said = (
        unexplained_words(found),
        verdict_words(found),
        outside_words(found.measured, unit_of(found)),
    )
    return [sentence for sentence in said if sentence]


def standing(found: Located) -> Sequence[Site]:
    """Return what else has grown and is worth a line, largest first."""
    return sorted(found.others, key=lambda site: -site.levels[-1])[:MOST_OTHERS]


def other_words(site: Site) -> str:
    """Return the line of something that has grown and is no leak site."""
    place = frame_words(site.frames[0]) if site.frames else "unknown"
    last = site.levels[-1] if site.levels else 0
    return f"{size_words(last)}  {place}: {_KINDS.get(site.kind, site.kind)}"


def top_sites(found: Located, most: int = 3) -> list[str]:
    """Return a few lines for a message that says more than this: the outcome and the first sites."""
    unit = unit_of(found)
    lines = [f"{found.tracer or 'tracer'}: {outcome_words(found)}"]
    for site in found.sites[:most]:
        lines.append(f"  {site_heading(site, unit)}")
        lines += [f"    {frame_words(frame)}" for frame in site.frames[:3]]
    if found.sites:
        lines.append(f"  {explained_words(found)}")
    return lines
