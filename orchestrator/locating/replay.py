"""What was alive at each boundary, from the records of a trace in their order: made, freed, mapped, a mark left.

Blocks that come from the same stack in the same phase with the same size are counted in one cell: a trace has millions
of records, and of cells some thousands.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from orchestrator.analysis.locating.located import StackLive
from orchestrator_worker.tracing.marks import MARKED

PHASES: Mapping[str, str] = {"Load": "load", "Run": "infer", "Restart": "restart", "Unload": "unload"}
"""The phase that a command begins; memory of any other command is nobody's."""
_WORD = 8
_LEAST_CHUNK = 32

Stack = Hashable
"""What a trace tells a stack by."""


class Capture(msgspec.Struct, frozen=True):
    """What a trace says. ``boundaries`` is how many of the boundaries that were asked for it reaches."""

    boundaries: int
    records: int
    stacks: list[StackLive]


def chunk_bytes(size: int) -> int:
    """Return what glibc takes for a block of ``size`` bytes (malloc.c: request2size; large ones take whole pages)."""
    return max(_LEAST_CHUNK, (size + _WORD + 15) & ~15)


@dataclass(frozen=True)
class Levels:
    """What one stack kept alive at each boundary, by phase: blocks, bytes asked for, bytes taken by the allocator."""

    stack: Stack
    phase: str
    blocks: list[int]
    sizes: list[int]
    held: list[int]


@dataclass
class Replay:
    """Knows what is alive. ``chunks``: the allocator is glibc's, whose blocks have a header and whole 16 bytes.

    Readers of millions of records may use :attr:`live`, :attr:`counts` and :meth:`new_cell` themselves, which
    saves two calls a record: ``live`` has the cell of each block by address, ``cells`` the cell by its key.
    """

    boundaries: Sequence[int]
    chunks: bool = False
    phase: str = ""
    live: dict[int, int] = field(default_factory=dict[int, int])
    cells: dict[tuple[Stack, str, int, bool], int] = field(
        default_factory=dict[tuple[Stack, str, int, bool], int]
    )
    counts: list[int] = field(default_factory=list[int])
    snapshots: list[list[int]] = field(default_factory=list[list[int]])
    _maps: dict[int, tuple[Stack, str, int]] = field(default_factory=dict[int, tuple[Stack, str, int]])
    _marks: int = -1

    def add(self, stack: Stack, address: int, size: int) -> None:
        """Count a block; one that was at the address before is gone, whoever has freed it unseen."""
        if not self.phase:
            return
        if (before := self.live.get(address)) is not None:
            self.counts[before] -= 1
        self.live[address] = cell = self._cell(stack, self.phase, size, mapped=False)
        self.counts[cell] += 1

    def free(self, address: int) -> None:
        """Count a block no more."""
        if (gone := self.live.pop(address, None)) is not None:
            self.counts[gone] -= 1

    def new_cell(self, key: tuple[Stack, str, int, bool]) -> int:
        """Return a new cell for ``key``: stack, phase, size, whether it is a mapping."""
        cell = self.cells[key] = len(self.counts)
        self.counts.append(0)
        return cell

    def map(self, stack: Stack, address: int, size: int) -> None:
        """Count a mapping."""
        if self.phase:
            self._unmap_at(address)
            self._map_at(address, stack, self.phase, size)

    def unmap(self, address: int, size: int) -> None:
        """Take away whatever is mapped there: munmap may cut off either end, make a hole, or take several mappings.

        What is left of a mapping beside a hole is two, each counted as a block.
        """
        end = address + size
        known = self._maps.get(address)
        if known is not None and known[2] == size:  # as a rule: no other one can lie there
            self._unmap_at(address)
            return
        for start, (stack, phase, length) in list(self._maps.items()):
            stop = start + length
            if min(end, stop) <= max(address, start):
                continue
            self._unmap_at(start)
            if start < address:
                self._map_at(start, stack, phase, address - start)
            if end < stop:
                self._map_at(end, stack, phase, stop - end)

    def mark(self, command: int) -> bool:
        """Begin the command of that number in ``MARKED``; return whether all boundaries are past."""
        self._marks += 1
        self.phase = PHASES.get(MARKED[command], "")
        for _ in range(self.boundaries.count(self._marks)):
            self.snapshots.append(self.counts.copy())
        return len(self.snapshots) == len(self.boundaries)

    def grown(self) -> list[Levels]:
        """Return what each stack kept alive in each phase, where that was ever more than at the first boundary."""
        found: dict[tuple[Stack, str], Levels] = {}
        many = len(self.snapshots)
        for (stack, phase, size, mapped), cell in self.cells.items():
            series = [taken[cell] if cell < len(taken) else 0 for taken in self.snapshots]
            if not any(series):
                continue
            held = chunk_bytes(size) if self.chunks and not mapped else size
            levels = found.get((stack, phase))
            if levels is None:
                levels = found[stack, phase] = Levels(stack, phase, [0] * many, [0] * many, [0] * many)
            for at, count in enumerate(series):
                levels.blocks[at] += count
                levels.sizes[at] += count * size
                levels.held[at] += count * held
        return [each for each in found.values() if max(each.sizes) > each.sizes[0]]

    def _cell(self, stack: Stack, phase: str, size: int, *, mapped: bool) -> int:
        key = (stack, phase, size, mapped)
        cell = self.cells.get(key)
        return self.new_cell(key) if cell is None else cell

    def _map_at(self, address: int, stack: Stack, phase: str, size: int) -> None:
        self._maps[address] = (stack, phase, size)
        self.counts[self._cell(stack, phase, size, mapped=True)] += 1

    def _unmap_at(self, address: int) -> None:
        if (known := self._maps.pop(address, None)) is not None:
            stack, phase, size = known
            self.counts[self._cell(stack, phase, size, mapped=True)] -= 1
