"""Read what memray has written: which blocks were alive at each boundary, by call stack.

Runs in a worker of its own (as a job of the engine ``function``): the file may have millions of records, the symbols
are read out of the engine's files, and what dies of them is a reported result like any other death.

The records are gone through once, in their order. Each command of the traced worker has left a mark in them
(:mod:`orchestrator_worker.tracing`), so the blocks alive at a boundary are those made before its mark and not freed
before it: no clock and no sampling is in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import memray
import msgspec

from orchestrator.analysis.locating.frames import Frame
from orchestrator.analysis.locating.located import StackLive
from orchestrator.locating.modules import NativeFrames, read_native_frames
from orchestrator.locating.reading import Capture
from orchestrator_worker.tracing import MARK_BYTES, MARK_STEP, MARKED

_PHASES = {"Load": "load", "Run": "infer", "Restart": "restart", "Unload": "unload"}
_FREE, _MMAP, _MUNMAP = (memray.AllocatorType[name].value for name in ("FREE", "MMAP", "MUNMAP"))
_LAST_MARK = MARK_BYTES + MARK_STEP * len(MARKED)
_WORD = 8
_LEAST_CHUNK = 32


def read(file: str, boundaries: list[int], first_bytes: int, chunks: bool) -> Any:
    """Return a :class:`Capture` of ``file`` in values that msgpack can carry.

    Args:
        file: The trace.
        boundaries: Which mark each boundary is, counted from 0.
        first_bytes: So much of the file has the first iteration in it; modules are looked up there.
        chunks: Whether the allocator is glibc's, whose blocks take a header and whole 16 bytes.
    """
    replay = _Replay(boundaries, chunks=chunks)
    reader = memray.FileReader(file)
    replay.go_through(reader.get_allocation_records())
    natives = read_native_frames(Path(file), first_bytes)
    stacks = [stack for slot in replay.kept() if (stack := replay.stack(slot, natives)) is not None]
    reader.close()
    return msgspec.to_builtins(Capture(len(replay.snapshots), replay.records, stacks))


def chunk_bytes(size: int) -> int:
    """Return what glibc takes for a block of ``size`` bytes (malloc.c: request2size; large ones take whole pages)."""
    return max(_LEAST_CHUNK, (size + _WORD + 15) & ~15)


class _Replay:
    """Goes through the records and knows what is alive: a block belongs to a slot, that is a stack and a phase."""

    def __init__(self, boundaries: Sequence[int], *, chunks: bool) -> None:
        self._boundaries = list(boundaries)
        self._chunks = chunks
        self._slots: dict[tuple[int, int, int, str], int] = {}
        self._samples: list[tuple[Any, str]] = []
        self._blocks: list[int] = []
        self._sizes: list[int] = []
        self._held: list[int] = []
        self._live: dict[int, tuple[int, int, int]] = {}
        self._marks = -1
        self._phase = ""
        self.records = 0
        self.snapshots: list[tuple[list[int], list[int], list[int]]] = []

    def go_through(self, records: Iterable[Any]) -> None:
        """Take every record; a mark is looked for by its size, and then by the function that has left it."""
        live = self._live
        for record in records:
            self.records += 1
            kind = record.allocator
            if kind == _FREE:
                if (gone := live.pop(record.address, None)) is not None:
                    self._forget(gone)
            elif kind == _MUNMAP:
                self._unmap(record.address, record.size)
            else:
                size: int = record.size
                if MARK_BYTES <= size < _LAST_MARK and _is_mark(record):
                    if self._mark(MARKED[(size - MARK_BYTES) // MARK_STEP]):
                        return
                elif self._phase:
                    self._add(record, size, kind)

    def _add(self, record: Any, size: int, kind: int) -> None:
        key = (record.native_stack_id, record.stack_id, record.native_segment_generation, self._phase)
        slot = self._slots.get(key)
        if slot is None:
            slot = self._slots[key] = len(self._samples)
            self._samples.append((record, self._phase))
            self._blocks.append(0)
            self._sizes.append(0)
            self._held.append(0)
        held = chunk_bytes(size) if self._chunks and kind != _MMAP else size
        if (before := self._live.get(record.address)) is not None:
            self._forget(before)
        self._live[record.address] = (slot, size, held)
        self._blocks[slot] += 1
        self._sizes[slot] += size
        self._held[slot] += held

    def _forget(self, gone: tuple[int, int, int]) -> None:
        slot, size, held = gone
        self._blocks[slot] -= 1
        self._sizes[slot] -= size
        self._held[slot] -= held

    def _unmap(self, address: int, size: int) -> None:
        """Take away a mapping, or the part of one: munmap may cut pieces off either end, or out of the middle."""
        found = self._live.pop(address, None)
        if found is not None and found[1] <= size:
            self._forget(found)
            return
        if found is not None:
            self._live[address] = found
        end = address + size
        for start, (slot, length, held) in list(self._live.items()):
            overlap = min(end, start + length) - max(address, start)
            if overlap <= 0:
                continue
            if overlap == length:
                self._forget(self._live.pop(start))
                continue
            self._live[start] = (slot, length - overlap, max(0, held - overlap))
            self._sizes[slot] -= overlap
            self._held[slot] -= min(held, overlap)

    def _mark(self, command: str) -> bool:
        """Begin the next command; return whether all boundaries are past."""
        self._marks += 1
        self._phase = _PHASES.get(command, "")
        for _ in range(self._boundaries.count(self._marks)):
            self.snapshots.append((self._blocks.copy(), self._sizes.copy(), self._held.copy()))
        return len(self.snapshots) == len(self._boundaries)

    def kept(self) -> list[int]:
        """Return the slots that had anything alive at a boundary."""
        alive = {slot for taken in self.snapshots for slot, count in enumerate(taken[0]) if count}
        return sorted(alive)

    def stack(self, slot: int, natives: NativeFrames) -> StackLive | None:
        """Return what a slot kept alive, with its frames; None where it is as full at the end as it was at first."""
        series = [
            [taken[what][slot] if slot < len(taken[what]) else 0 for taken in self.snapshots]
            for what in range(3)
        ]
        if max(series[1]) <= series[1][0]:
            return None
        record, phase = self._samples[slot]
        python = [Frame(name, file, line, python=True) for name, file, line in record.stack_trace()]
        hybrid = [Frame(name, _known(file), line) for name, file, line in record.hybrid_stack_trace()]
        frames = natives.with_modules(_marked(hybrid, python), record.native_stack_id)
        return StackLive(frames, phase, series[0], series[1], series[2], record.thread_name)


def _is_mark(record: Any) -> bool:
    top = record.stack_trace(max_stacks=1)
    return bool(top) and top[0][0] == "mark" and top[0][1].endswith("tracing.py")


def _known(file: str) -> str:
    return "" if file.startswith("<unknown") else file


def _marked(hybrid: Sequence[Frame], python: Sequence[Frame]) -> list[Frame]:
    """Say of each frame whether it is one of Python: those are in the Python stack too, in the same order."""
    left = list(python)
    found: list[Frame] = []
    for frame in hybrid:
        if left and (frame.function, frame.file, frame.line) == (
            left[0].function,
            left[0].file,
            left[0].line,
        ):
            found.append(left.pop(0))
        else:
            found.append(frame)
    return found
