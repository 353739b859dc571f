"""Read the dumps of jemalloc's heap profile: what was alive at each mark, by stack. Runs in a worker of its own.

::

    heap_v2/1                              one sample a byte: every block
      t*: 1007: 1024912 [0: 0]             all of it: blocks, bytes
    @ 0x7fa0cf2a2630 0x7fa0cf2a2d21 …      a stack, innermost first
      t*: 1000: 1024000 [0: 0]             what it keeps
      t3: 1000: 1024000 [0: 0]             the same by thread
    MAPPED_LIBRARIES:
    7f32-7f33 r-xp 00001000 fe:00 26723  /usr/lib/libengine.so

A dump is named by the number of its mark and by the command that came next. Sizes are those of jemalloc's size classes,
up to a quarter more than was asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import dropwhile
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from orchestrator.analysis.locating.frames import Frame
from orchestrator.analysis.locating.located import StackLive
from orchestrator.locating.replay import PHASES, Capture
from orchestrator.locating.symbols import Span, Symbols

Stack = tuple[int, ...]
_LIVE = re.compile(rb"\s*t\*: (\d+): (\d+) \[")
_MAP = re.compile(rb"([0-9a-f]+)-([0-9a-f]+) \S+ ([0-9a-f]+) \S+ \d+\s+(/.*)")


class Dump(NamedTuple):
    """One dump: blocks and bytes by stack, and the modules."""

    live: dict[Stack, tuple[int, int]]
    spans: list[Span]


def read(file: str, boundaries: list[int], first_bytes: int, chunks: bool) -> Any:
    """Return a :class:`.replay.Capture` of the dumps of ``file`` in values that msgpack can carry.

    Args:
        file: What the dumps' names begin with.
        boundaries: Which mark each boundary is, counted from 0.
        first_bytes: Not needed here.
        chunks: Not needed here: the blocks are jemalloc's.
    """
    del first_bytes, chunks
    there = dumps_of(Path(file))
    taken: list[Dump] = []
    for mark in boundaries:
        if mark not in there:
            break
        taken.append(read_dump(there[mark].read_bytes()))
    phases = _phases({mark: path for mark, path in there.items() if mark >= boundaries[-2]})
    records = sum(blocks for dump in taken[-1:] for blocks, _ in dump.live.values())
    return msgspec.to_builtins(Capture(len(taken), records, _stacks(taken, phases)))


def dumps_of(file: Path) -> dict[int, Path]:
    """Return the dumps that are there, by the number of their mark."""
    found: dict[int, Path] = {}
    for path in file.parent.glob(f"{file.name}.*"):
        number = path.name[len(file.name) + 1 :].partition(".")[0]
        if number.isdigit():
            found[int(number)] = path
    return dict(sorted(found.items()))


def read_dump(content: bytes) -> Dump:
    """Read one dump.

    Raises:
        ValueError: It is no heap profile of every block.
    """
    head, *stacks = content.partition(b"MAPPED_LIBRARIES:")[0].split(b"\n@ ")
    if not head.startswith(b"heap_v2/1\n"):
        raise ValueError("this is no dump of jemalloc's heap profile that has every block")
    live: dict[Stack, tuple[int, int]] = {}
    for each in stacks:
        addresses, _, counts = each.partition(b"\n")
        if (found := _LIVE.match(counts)) is not None:
            live[tuple(int(address, 16) for address in addresses.split())] = (int(found[1]), int(found[2]))
    maps = content.partition(b"MAPPED_LIBRARIES:")[2]
    spans = [
        Span(int(found[1], 16), int(found[2], 16), int(found[3], 16), found[4].decode(errors="replace"), True)
        for found in _MAP.finditer(maps)
    ]
    return Dump(live, spans)


def _stacks(taken: Sequence[Dump], phases: Mapping[Stack, str]) -> list[StackLive]:
    series: dict[Stack, list[tuple[int, int]]] = {}
    for stack in {stack for dump in taken for stack in dump.live}:
        levels = [dump.live.get(stack, (0, 0)) for dump in taken]
        if max(size for _, size in levels) > levels[0][1]:
            series[stack] = levels
    symbols = Symbols([span for dump in taken for span in dump.spans])
    symbols.look_up({address for stack in series for address in stack})
    found: list[StackLive] = []
    for stack, levels in series.items():
        sizes = [size for _, size in levels]
        blocks = [many for many, _ in levels]
        frames = list(dropwhile(_is_jemallocs, symbols.frames(stack)))
        found.append(StackLive(frames, phases.get(stack, ""), blocks, sizes, sizes))
    return found


def _is_jemallocs(frame: Frame) -> bool:
    return frame.module.startswith("libjemalloc")


def _phases(last: Mapping[int, Path]) -> dict[Stack, str]:
    """Return the phase in which each stack has grown most within the last block: a dump does not say it."""
    grown: dict[Stack, dict[str, int]] = {}
    before: dict[Stack, tuple[int, int]] | None = None
    phase = ""
    for path in last.values():
        now = read_dump(path.read_bytes()).live
        if before is not None and phase:
            for stack, (_, size) in now.items():
                more = size - before.get(stack, (0, 0))[1]
                if more > 0:
                    by_phase = grown.setdefault(stack, {})
                    by_phase[phase] = by_phase.get(phase, 0) + more
        before, phase = now, PHASES.get(path.suffix[1:], "")
    return {stack: max(by_phase, key=lambda each: by_phase[each]) for stack, by_phase in grown.items()}
