"""Read what memray has written: which blocks were alive at each boundary, by call stack.

Runs in a worker of its own (as a job of the engine ``function``): the file may have millions of records, the symbols
are read out of the engine's files, and what dies of them is a reported result like any other death.

The records are gone through once, in their order. Each command of the traced worker has left a mark in them
(:mod:`orchestrator_worker.tracing`), so the blocks alive at a boundary are those made before its mark and not freed
before it: no clock and no sampling is in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import memray
import msgspec

from orchestrator.analysis.locating.frames import Frame
from orchestrator.analysis.locating.located import StackLive
from orchestrator.locating.modules import NativeFrames, read_native_frames
from orchestrator.locating.replay import Capture, Levels, Replay
from orchestrator_worker.tracing.marks import MARK_BYTES, MARK_STEP, MARKED

_FREE, _MMAP, _MUNMAP = (memray.AllocatorType[name].value for name in ("FREE", "MMAP", "MUNMAP"))
_MAPPINGS = (_MMAP, _MUNMAP)
_LAST_MARK = MARK_BYTES + MARK_STEP * len(MARKED)


def read(file: str, boundaries: list[int], first_bytes: int, chunks: bool) -> Any:
    """Return a :class:`Capture` of ``file`` in values that msgpack can carry.

    Args:
        file: The trace.
        boundaries: Which mark each boundary is, counted from 0.
        first_bytes: So much of the file has the first iteration in it; modules are looked up there.
        chunks: Whether the allocator is glibc's, whose blocks take a header and whole 16 bytes.
    """
    replay = Replay(boundaries, chunks)
    reader = memray.FileReader(file)
    with ThreadPoolExecutor(1) as beside:  # most of it is done by a process of its own
        natives = beside.submit(read_native_frames, Path(file), first_bytes)
        records, samples = go_through(replay, reader.get_allocation_records())
        stacks = [_stack(levels, samples[levels.stack], natives.result()) for levels in replay.grown()]
    reader.close()
    return msgspec.to_builtins(Capture(len(replay.snapshots), records, stacks))


def go_through(replay: Replay, records: Iterable[Any]) -> tuple[int, dict[Any, Any]]:
    """Take every record; return how many, and one record of each stack by what tells it.

    A mark is looked for by its size, and then by the function that has left it. What :class:`Replay` does for a block
    is done here in place: two calls less for each of millions.
    """
    live, cells, counts = replay.live, replay.cells, replay.counts
    samples: dict[Any, Any] = {}
    many = 0
    for many, record in enumerate(records, 1):  # noqa: B007 - how many there were is the answer
        kind = record.allocator
        if kind == _FREE:
            if (gone := live.pop(record.address, None)) is not None:
                counts[gone] -= 1
            continue
        if kind in _MAPPINGS:
            _mapping(replay, record, samples)
            continue
        size: int = record.size
        if MARK_BYTES <= size < _LAST_MARK and _is_mark(record):
            if replay.mark((size - MARK_BYTES) // MARK_STEP):
                break
        elif replay.phase:
            stack = (record.native_stack_id, record.stack_id, record.native_segment_generation)
            address: int = record.address
            key = (stack, replay.phase, size, False)
            cell = cells.get(key)
            if cell is None:
                cell = replay.new_cell(key)
                samples.setdefault(stack, record)
            if (before := live.get(address)) is not None:
                counts[before] -= 1  # freed unseen
            live[address] = cell
            counts[cell] += 1
    return many, samples


def _mapping(replay: Replay, record: Any, samples: dict[Any, Any]) -> None:
    if record.allocator == _MUNMAP:
        replay.unmap(record.address, record.size)
    else:
        stack = (record.native_stack_id, record.stack_id, record.native_segment_generation)
        replay.map(stack, record.address, record.size)
        samples.setdefault(stack, record)


def _stack(levels: Levels, record: Any, natives: NativeFrames) -> StackLive:
    python = [Frame(name, file, line, python=True) for name, file, line in record.stack_trace()]
    hybrid = [Frame(name, _known(file), line) for name, file, line in record.hybrid_stack_trace()]
    frames = natives.with_modules(_marked(hybrid, python), record.native_stack_id)
    return StackLive(frames, levels.phase, levels.blocks, levels.sizes, levels.held, record.thread_name)


def _is_mark(record: Any) -> bool:
    top = record.stack_trace(max_stacks=1)
    return bool(top) and top[0][0] == "mark" and top[0][1].endswith("tracing/marks.py")


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
