"""Read what heaptrack has written: a line for each block made or freed, in their order. Runs in a worker of its own.

::

    v 10400 3                    version of heaptrack, of the format
    x 2b /usr/bin/python3.11     the program
    m 1 -                        all modules anew: m, length of the name, name, address, then (place, size) of each part
    t 7f320305bde3 4d4f          the next stack: an address, and the number of the stack that called it
    + 41 5cf7 55b694beeb50       a block: size, stack, address
    - 55b694beeb50               it is freed

All numbers are hexadecimal. A mark is a block within the life of another, both of sizes of ours
(:func:`orchestrator_worker.tracing.marks.mark_twice`): the file has no names.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from orchestrator.analysis.locating.located import StackLive
from orchestrator.locating.replay import Capture, Levels, Replay, Stack
from orchestrator.locating.symbols import Span, Symbols
from orchestrator_worker.tracing.marks import MARK_BYTES, MARK_STEP, MARKED, SECOND_MARK_BYTES

FORMATS = (2, 3)
_SLACK = MARK_STEP
"""Bytes that a bytearray may ask for beyond its own, fewer than this: one in one Python, a header in another."""
_MOST_FRAMES = 512


def _sizes(first: int) -> dict[bytes, int]:
    return {
        b"%x" % (first + MARK_STEP * code + more): code
        for code in range(len(MARKED))
        for more in range(_SLACK)
    }


_FIRST, _SECOND = _sizes(MARK_BYTES), _sizes(SECOND_MARK_BYTES)


def read(file: str, boundaries: list[int], first_bytes: int, chunks: bool) -> Any:
    """Return a :class:`.replay.Capture` of ``file`` in values that msgpack can carry.

    Args:
        file: The trace.
        boundaries: Which mark each boundary is, counted from 0.
        first_bytes: Not needed here.
        chunks: Whether the allocator is glibc's, whose blocks take a header and whole 16 bytes.

    Raises:
        ValueError: It is of another format.
    """
    del first_bytes
    replay = Replay(boundaries, chunks)
    trace = HeaptrackFile()
    with open(file, "rb") as lines:
        records = trace.go_through(replay, lines)
    return msgspec.to_builtins(Capture(len(replay.snapshots), records, trace.stacks(replay.grown())))


@dataclass
class HeaptrackFile:
    """What the lines say besides blocks: stacks by number, and modules."""

    program: str = ""
    spans: list[Span] = field(default_factory=list[Span])
    _calls: list[tuple[int, int]] = field(default_factory=lambda: [(0, 0)])
    _open_marks: dict[bytes, int] = field(default_factory=dict[bytes, int])

    def go_through(self, replay: Replay, lines: Iterable[bytes]) -> int:
        """Take every line until all boundaries are past; return how many blocks were made or freed.

        Raises:
            ValueError: The file is of another format.
        """
        many = 0
        for line in lines:
            if line[-1:] != b"\n":
                break  # the end of a file that was cut
            kind = line[:2]
            if kind == b"- ":
                many += 1
                self._free(replay, line)
            elif kind == b"+ ":
                many += 1
                if self._add(replay, line.split()):
                    break
            elif kind == b"t ":
                _, address, caller = line.split()
                self._calls.append((int(address, 16), int(caller, 16)))
            else:
                self._take(line)
        return many

    def stacks(self, grown: Iterable[Levels]) -> list[StackLive]:
        """Return what has grown, with its frames."""
        called = [(each, self._addresses(each.stack)) for each in grown]
        symbols = Symbols(self.spans)
        symbols.look_up({address for _, addresses in called for address in addresses})
        return [
            StackLive(symbols.frames(addresses), each.phase, each.blocks, each.sizes, each.held)
            for each, addresses in called
        ]

    def _free(self, replay: Replay, line: bytes) -> None:
        address = line[2:].strip()
        self._open_marks.pop(address, None)
        replay.free(int(address, 16))

    def _add(self, replay: Replay, parts: list[bytes]) -> bool:
        """Count a block; return whether it was a mark, and all boundaries are past."""
        _, size, stack, address = parts
        if (code := _FIRST.get(size)) is not None:
            self._open_marks[address] = code
        elif (code := _SECOND.get(size)) is not None and code in self._open_marks.values():
            for mark in self._open_marks:
                replay.free(int(mark, 16))  # it is alive, and ours
            self._open_marks.clear()
            return replay.mark(code)
        if replay.phase:
            replay.add(int(stack, 16), int(address, 16), int(size, 16))
        return False

    def _take(self, line: bytes) -> None:
        kind, *parts = line.split(b" ")
        if kind == b"v" and int(parts[1], 16) not in FORMATS:
            raise ValueError(
                f"heaptrack's format {int(parts[1], 16)} is not known here, only {FORMATS[0]} and {FORMATS[-1]}"
            )
        if kind == b"x":
            self.program = line.split(b" ", 2)[2].rstrip(b"\n").decode(errors="replace")
        elif kind == b"m":
            self._module(line.split(b" ", 2)[2], int(parts[0], 16))

    def _module(self, rest: bytes, length: int) -> None:
        name, numbers = (
            rest[:length].decode(errors="replace"),
            [int(part, 16) for part in rest[length:].split()],
        )
        if not numbers:
            return  # "-": all modules follow anew, of which those that stay are the same
        base, *places = numbers
        file = self.program if name == "x" else name
        for place, size in zip(places[::2], places[1::2], strict=False):
            self.spans.append(Span(base + place, base + place + size, place, file))

    def _addresses(self, number: Stack) -> list[int]:
        """Return the addresses of a stack, innermost first."""
        found: list[int] = []
        stack = number if isinstance(number, int) else 0
        while 0 < stack < len(self._calls) and len(found) < _MOST_FRAMES:
            address, stack = self._calls[stack]
            found.append(address)
        return found
