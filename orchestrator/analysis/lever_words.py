"""What the levers of :mod:`.levers` have shown, in sentences. Pure.

A sentence begins in lower case and has no full stop, so that a table's note and a page's list can both use it.
"""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.analysis.levers import Change, Effect, LoadSplit, Rate, Ratio, TrimEffect, VariantEffect

_CAUSES: Mapping[str, str] = {
    "MALLOC_ARENA_MAX": "arenas are not the cause",
    "MALLOC_TRIM_THRESHOLD_": "free memory at the end of the heap is not the cause",
    "MALLOC_TOP_PAD_": "spare memory at the end of the heap is not the cause",
    "MALLOC_MMAP_THRESHOLD_": "where large blocks are placed is not the cause",
}
_ALLOCATOR = "the C library's allocator is not the cause"
_SMALLEST_RELEASE_MB = 1.0


def variant_sentence(setting: str, found: VariantEffect, *, replaced: bool = False) -> str:
    """Return what a variant does to the growth of RSS, and what that proves.

    Args:
        setting: What it sets, such as ``MALLOC_ARENA_MAX=1`` or ``jemalloc``.
        found: What it does.
        replaced: It puts another allocator in the place of the C library's.
    """
    before, after = _number(found.rss.before), _number(found.rss.after)
    takes = f"{setting} takes RSS growth from {before} to {after} MB per iteration"
    grows = f"RSS grows by {before} MB per iteration without it, {after} with it"
    said: Mapping[Effect, str] = {
        "no-growth": f"{setting} has nothing to take away: {grows}",
        "nothing": f"{setting} changes nothing ({grows}): {_cause(setting, replaced)}",
        "little": f"{setting} changes little ({grows}): {_cause(setting, replaced)}",
        "open": f"what {setting} does is hidden by the noise: it changes RSS growth by {_interval(found.rss)} MB per "
        "iteration; more iterations would tell",
        "worse": f"{takes}: it makes it worse",
        "all": f"{takes}: all of the growth was retention, memory that had been freed and was kept",
        "live-leak": f"{takes}, which is what the live heap grows by ({_number(found.live_heap)}): "
        f"the rest ({_number(found.retention)}) was retention",
        "part": f"{takes}: {_number(found.retention)} of it was retention{_left(found)}",
    }
    return said[found.effect]


def cost_sentence(found: VariantEffect) -> str:
    """Return what a variant costs in time and peak memory; nothing where neither is known."""
    parts = [_time(found.time)] if found.time is not None else []
    if found.peak is not None:
        parts.append(f"peak memory is {found.peak.after:.0f} MB instead of {found.peak.before:.0f}")
    return "; ".join(parts)


def split_sentence(found: LoadSplit, *, recreate: str, kept: str) -> str:
    """Return growth per load and per job; ``recreate`` and ``kept`` are what tables call the methods."""
    what = "the live heap" if found.channel == "live" else "RSS"
    load = {
        "grows": f"load and unload add {_with_interval(found.per_load)}",
        "nothing": f"load and unload add nothing ({_with_interval(found.per_load)})",
        "shrinks": f"load and unload give back what jobs leave ({_with_interval(found.per_load)})",
        "open": f"whether load and unload add any is not settled ({_with_interval(found.per_load)})",
    }[found.load]
    job = {
        "grows": f"a job adds {_with_interval(found.per_job)}",
        "nothing": f"a job adds nothing ({_with_interval(found.per_job)})",
        "shrinks": f"a job gives back ({_with_interval(found.per_job)})",
        "open": f"whether a job adds any is not settled ({_with_interval(found.per_job)})",
    }[found.job]
    return (
        f"of what {what} grows by under {recreate} ({_number(found.per_iteration.rate)} MB per iteration), "
        f"{job}, as under {kept}, and {load}"
    )


def trim_sentence(found: TrimEffect) -> str:
    """Return what came back of the growth when the heap was trimmed; nothing where neither moved."""
    released, growth = found.released_mb, found.growth_mb
    if growth < _SMALLEST_RELEASE_MB and released < _SMALLEST_RELEASE_MB:
        return ""
    if released < _SMALLEST_RELEASE_MB:
        return (
            f"a heap trim after the last iteration gave back {_number(max(released, 0.0))} of the {growth:.1f} MB that "
            "memory had grown by: what is left is in use, or held where a trim cannot reach it"
        )
    if growth < _SMALLEST_RELEASE_MB:
        return f"a heap trim after the last iteration gave back {released:.1f} MB: so much was held, but free"
    return (
        f"a heap trim after the last iteration gave back {released:.1f} MB, memory had grown by {growth:.1f}: "
        "what came back was retention, no leak"
    )


def _left(found: VariantEffect) -> str:
    if found.unexplained is None or found.live_heap is None:
        return ", what is left may be a leak: the live heap is not known"
    return (
        f"; what is left is {_number(max(found.live_heap, 0.0))} of live heap and "
        f"{_number(found.unexplained)} that neither explains"
    )


def _cause(setting: str, replaced: bool) -> str:
    if replaced:
        return _ALLOCATOR
    causes = [words for name, words in _CAUSES.items() if setting.startswith(f"{name}=")]
    return causes[0] if causes and " and " not in setting else "it is not the cause"


def _time(ratio: Ratio) -> str:
    percent = 100 * (ratio.ratio - 1)
    if ratio.low is None or ratio.high is None:
        return f"the time per iteration changes by {percent:+.0f} % (too few iterations for an interval)"
    low, high = 100 * (ratio.low - 1), 100 * (ratio.high - 1)
    if ratio.low > 1:
        return f"it costs {percent:.0f} % more time per iteration (95 %: {low:.0f} to {high:.0f} %)"
    if ratio.high < 1:
        return f"it takes {-percent:.0f} % less time per iteration (95 %: {-high:.0f} to {-low:.0f} %)"
    return f"the time per iteration is the same within {low:+.0f} to {high:+.0f} %"


def _interval(change: Change) -> str:
    low, high = (("?" if end is None else f"{end:+.2f}") for end in (change.low, change.high))
    return f"{low} to {high}"


def _with_interval(rate: Rate) -> str:
    return f"{_number(rate.rate)} ({_number(rate.low)} to {_number(rate.high)})"


def _number(value: float | None) -> str:
    """Return two decimals, three below a tenth; never ``-0.00``."""
    if value is None:
        return "–"
    text = f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.3f}"
    return text.removeprefix("-") if float(text) == 0 else text
