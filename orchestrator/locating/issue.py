"""A bug report for the maintainers of a library, ready to send: no path and no name of the user's machine is in it."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable, Sequence
from importlib import metadata

from orchestrator.analysis.locating import words
from orchestrator.analysis.locating.frames import PACKAGES, Frame, public_path
from orchestrator.analysis.locating.located import Located, Site

MOST_SITES = 5
_SIGNAL = re.compile(r"\bSIG[A-Z0-9]+\b")


def issue_report(found: Sequence[Located]) -> str:
    """Return the report in Markdown: what was measured, where it is, which versions, a script that shows it."""
    leaking = [each for each in found if each.sites]
    title = leaking[0].sites[0].frames[0].place if leaking else "nothing located"
    parts = [f"# Memory leak: {words.short_name(title)}", ""]
    for each in found:
        parts += _answer(each)
    parts += ["## Versions", "", *(f"- {line}" for line in _versions(found)), ""]
    return "\n".join(parts)


def _answer(found: Located) -> list[str]:
    unit = words.unit_of(found)
    lines = [f"## {found.name}, {found.method}", "", f"{_outcome(found)}."]
    if found.measured is not None and found.sites:
        rate = found.measured.rate
        lines.append(
            f"Without the tracer the process grows by {rate.per_iteration:.4g} MB per {unit} "
            f"(95 % interval {rate.low:.4g} to {rate.high:.4g}); {words.explained_words(found)}."
        )
    for number, site in enumerate(found.sites[:MOST_SITES], 1):
        lines += ["", f"{number}. {words.site_heading(site, unit)}", "", "```", *_stack(site), "```"]
    lines += ["", "To see it:", "", "```sh", _command(found), "```", ""]
    if unit == "call":
        lines += ["Or without any tool:", "", "```python", *_script(found.name), "```", ""]
    return lines


def _outcome(found: Located) -> str:
    """Return what became of it. Of a worker that has ended it is the signal alone: its last words may have any path."""
    if found.outcome in {"located", "nothing", "inconclusive"}:
        return words.outcome_words(found)
    signal = _SIGNAL.search(found.cause)
    return f"not located: {found.outcome}{f' by {signal[0]}' if signal else ''}"


def _stack(site: Site) -> list[str]:
    """Return the frames from the allocation to the line that called, without those of our worker."""
    last = max((index for index, frame in enumerate(site.stack) if frame in site.frames), default=-1)
    return [_frame(frame) for frame in (site.stack[: last + 1] or site.frames)]


def _frame(frame: Frame) -> str:
    place = f"{public_path(frame.file)}:{frame.line}" if frame.file else ""
    module = (
        f"{frame.module}+{frame.offset or 0:#x} build id {frame.build_id or 'none'}" if frame.module else ""
    )
    return "  ".join(filter(None, (frame.function, place, module)))


def _command(found: Located) -> str:
    if words.unit_of(found) == "call":
        return f"orchestrator locate --call {found.name}"
    return f"orchestrator locate experiments.toml --only {found.name} --method {found.method}"


def _script(target: str) -> list[str]:
    module, _, function = target.partition(":")
    first = function.partition(".")[0]
    return [
        "import gc, resource",
        f"from {module} import {first}",
        "",
        "for number in range(10_000):",
        f"    {function}()",
        "    if number % 1000 == 0:",
        "        gc.collect()",
        "        print(number, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)",
    ]


def _versions(found: Sequence[Located]) -> list[str]:
    frames = [frame for each in found for site in each.sites for frame in site.stack]
    lines = [f"{platform.python_implementation()} {platform.python_version()}"]
    lines += [" ".join(filter(None, (platform.system(), platform.machine(), *platform.libc_ver())))]
    lines += _packages(frames)
    modules = {
        f"{frame.module}, build id {frame.build_id}" for frame in frames if frame.build_id and _own(frame)
    }
    return [*lines, *sorted(modules), *sorted({each.tracer for each in found if each.tracer})]


def _own(frame: Frame) -> bool:
    return frame.says_something


def _packages(frames: Iterable[Frame]) -> list[str]:
    """Return the installed packages whose files are in the stacks, with their versions."""
    tops = {
        inside[1].partition("/")[0].removesuffix(".py")
        for frame in frames
        if (inside := PACKAGES.search(frame.file))
    }
    owners = metadata.packages_distributions()
    names = sorted({name for top in tops for name in owners.get(top, ())})
    return [f"{name} {metadata.version(name)}" for name in names]
