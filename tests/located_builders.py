"""Answers of ``locate`` for tests of what shows them."""

from __future__ import annotations

from orchestrator.analysis.locating.frames import Frame
from orchestrator.analysis.locating.located import MB, Cost, Located, Measured, Site
from orchestrator.analysis.locating.site_growth import Rate


def rate(value: float) -> Rate:
    return Rate(value, value, value)


def frame(function: str, module: str = "libengine.so") -> Frame:
    return Frame(function, module=module, offset=16, build_id="abcdef0123456789")


LINE = Frame("transcribe", "/home/me/lib/site-packages/engine/core.py", 174, python=True)
OURS = Frame("_run", "/x/orchestrator_worker/loop.py", 240, python=True)


def site(size: float, *functions: str, phase: str = "infer") -> Site:
    """Return a leak site; ``functions`` innermost first."""
    frames = [*(frame(name) for name in functions), LINE]
    return Site(
        kind="leak",
        phase=phase,
        frames=frames,
        own=0,
        held=rate(size),
        requested=rate(size),
        blocks=rate(1),
        levels=[0, int(size), int(size) * 7],
        stack=[frame("malloc", "libc.so.6"), *frames, OURS],
    )


def answer(*sites: Site, name: str = "exp2", method: str = "restart") -> Located:
    total = sum(each.held.per_iteration for each in sites)
    return Located(
        name=name,
        method=method,
        outcome="located" if sites else "nothing",
        tracer="memray 1.20.0",
        warm_up=4,
        iterations=[1] * 6,
        sites=list(sites),
        measured=Measured(rate(total / MB), "the newest run") if sites else None,
        explained_mb=total / MB,
        explained_percent=100.0 if sites else None,
        cost=Cost(20.0, 1000, 100.0, 2.5),
    )
