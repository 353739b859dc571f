"""What the levers of :mod:`.levers` have shown, in sentences. Pure.

A sentence begins in lower case and has no full stop, so that a table's note and a page's list can both use it.
"""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.analysis.planning.levers import (
    Change,
    Effect,
    LoadSplit,
    Ratio,
    TrimEffect,
    VariantEffect,
)
from orchestrator.analysis.planning.net_change import Interval

_CAUSES: Mapping[str, str] = {
    "MALLOC_ARENA_MAX": "arenas are not the cause",
    "MALLOC_TRIM_THRESHOLD_": "free memory at the end of the heap is not the cause",
    "MALLOC_TOP_PAD_": "spare memory at the end of the heap is not the cause",
    "MALLOC_MMAP_THRESHOLD_": "where large blocks are placed is not the cause",
}
_SPLITS: Mapping[str, str] = {
    "job": "so it comes with every job, and loading anew adds nothing",
    "load": "so it comes with loading, and keeping the model avoids it",
    "both": "so both grow",
    "job, load open": "so jobs grow; whether loading does is not settled",
    "load, job open": "so loading grows; whether jobs do is not settled",
    "open": "which of them grows is not settled",
}
_ALLOCATOR = "the C library's allocator is not the cause"
_SMALLEST_RELEASE_MB = 1.0
_NO_PERCENT = 0.5
"""A difference that is written as 0 % is none, however sure it is."""


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
    if parts and found.busy is not None:
        without, with_it = found.busy
        parts = [
            f"what it costs in time is not known: the machine was not as busy (load average {without:.1f} without it, "
            f"{with_it:.1f} with it)"
        ]
    if found.peak is not None:
        before, after = f"{found.peak.before:.0f}", f"{found.peak.after:.0f}"
        peak = f"is {after} MB instead of {before}" if after != before else f"stays at {after} MB"
        parts.append(f"peak memory {peak}")
    return "; ".join(parts)


def split_sentence(found: LoadSplit, *, kept: str) -> str:
    """Return growth per load and per job; nothing where ``recreate`` does not grow.

    ``kept`` is what tables call the method that keeps its model.
    """
    if found.job in {"nothing", "shrinks"} and found.load in {"nothing", "shrinks"}:
        return ""
    what = "the live heap" if found.channel == "live" else "RSS"
    job, load = _with_interval(found.per_job), _with_interval(found.per_load)
    return (
        f"{what} grows by {_number(found.per_iteration.rate)} MB per iteration: {job} with the job, as {kept} shows, "
        f"and {load} with load and unload; {_SPLITS[_growing(found)]}"
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
        return f"{released:.1f} MB was the allocator's cache and came back with a trim; nothing had grown"
    said = f"{released:.1f} MB was the allocator's cache and came back with a trim"
    if found.leak_mb is not None:
        return f"{said}; {_number(found.leak_mb)} MB per iteration did not"
    return f"{said}, where memory had grown by {growth:.1f} MB"


def _growing(found: LoadSplit) -> str:
    """Return which key of the conclusions fits."""
    grows = [name for name, part in (("job", found.job), ("load", found.load)) if part == "grows"]
    if len(grows) != 1:
        return "both" if grows else "open"
    (one,) = grows
    other, part = ("load", found.load) if one == "job" else ("job", found.job)
    return f"{one}, {other} open" if part == "open" else one


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
    if abs(percent) < _NO_PERCENT and (ratio.low > 1 or ratio.high < 1):
        return f"the time per iteration stays the same (95 %: {low:+.1f} to {high:+.1f} %)"
    if ratio.low > 1:
        return f"it costs {percent:.0f} % more time per iteration (95 %: {low:.0f} to {high:.0f} %)"
    if ratio.high < 1:
        return f"it takes {-percent:.0f} % less time per iteration (95 %: {-high:.0f} to {-low:.0f} %)"
    return f"no difference in time per iteration is shown (95 %: {low:+.0f} to {high:+.0f} %)"


def _interval(change: Change) -> str:
    low, high = (("?" if end is None else f"{end:+.2f}") for end in (change.low, change.high))
    return f"{low} to {high}"


def _with_interval(rate: Interval) -> str:
    return f"{_number(rate.rate)} ({_number(rate.low)} to {_number(rate.high)})"


def _number(value: float | None) -> str:
    """Return two decimals, three below a tenth; never ``-0.00``."""
    if value is None:
        return "–"
    text = f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.3f}"
    return text.removeprefix("-") if float(text) == 0 else text
