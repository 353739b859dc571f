"""The module of each native frame, with its build id: memray's stacks have names and no addresses.

``memray parse`` prints every record of a trace, the addresses of native frames and the places of loaded modules among
them. It prints the allocations too, and of these there are millions, so it is given the beginning of the trace alone:
a site that grows with every iteration is in the first one, with the same number as in the whole file.
"""

from __future__ import annotations

import bisect
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from orchestrator.analysis.locating.frames import Frame
from orchestrator.locating.elf_file import ElfFile, open_elf

_RECORD = re.compile(
    rb"^(?:NATIVE_FRAME_ID ip=0x(?P<ip>[0-9a-f]+) index=(?P<index>\d+)"
    rb"|SEGMENT_HEADER filename=(?P<file>.*) num_segments=\d+ addr=0x(?P<base>[0-9a-f]+)"
    rb"|SEGMENT (?:0x)?(?P<start>\S+) (?P<size>[0-9a-f]+))",
    re.MULTILINE,
)
_COPY_BYTES = 1 << 20
_PARSE = "import sys; sys.path[:] = sys.argv[2:]; import memray; memray.dump_all_records(sys.argv[1])"


@dataclass
class NativeFrames:
    """Addresses of native frames by the number of their stack, and the modules they lie in; empty where unknown."""

    frames: list[tuple[int, int]] = field(default_factory=lambda: [(0, 0)])
    spans: list[tuple[int, int, int, str]] = field(default_factory=list[tuple[int, int, int, str]])
    """(first, end, base address, file), by address."""
    _files: dict[str, ElfFile] = field(default_factory=dict[str, ElfFile])

    def addresses(self, stack: int) -> list[int]:
        """Return the return addresses of a stack, innermost first."""
        found: list[int] = []
        while 0 < stack < len(self.frames):
            address, stack = self.frames[stack]
            found.append(address)
        return found

    def module_at(self, address: int) -> tuple[str, int] | None:
        """Return the file of the module at ``address`` and the offset in it."""
        index = bisect.bisect_right(self.spans, (address, sys.maxsize, 0, "")) - 1
        if index < 0:
            return None
        first, end, base, file = self.spans[index]
        return (file, address - base) if first <= address < end else None

    def with_modules(self, frames: Sequence[Frame], stack: int) -> list[Frame]:
        """Return the frames with their modules, as far as frames and addresses can be told to be the same.

        One address is several frames where functions were inlined into each other, innermost first: all but the last
        are inlined, and the last is the function of the symbol table. Behind the first line of Python nothing is
        looked up.
        """
        native = next((index for index, frame in enumerate(frames) if frame.python), len(frames))
        found = list(frames)
        index = 0
        for address in self.addresses(stack):
            if index >= native:
                break
            if (place := self.module_at(address)) is None:
                index += 1
                continue
            file, offset = place
            elf = self._file(file)
            for at in range(index, self._last_of(frames, index, native, elf, offset) + 1):
                found[at] = msgspec.structs.replace(
                    frames[at], module=Path(file).name, offset=offset, build_id=elf.build_id
                )
                index = at + 1
        return found

    @staticmethod
    def _last_of(frames: Sequence[Frame], index: int, end: int, elf: ElfFile, offset: int) -> int:
        """Return the index of the last frame that belongs to the address of ``frames[index]``."""
        if not frames[index].file:
            return index  # without lines there are no inlined frames
        symbol = elf.function_at(offset)
        for at in range(index, min(end, index + 32)):
            if symbol and frames[at].file and _same(frames[at].function, symbol):
                return at
            if not frames[at].file:
                break
        return index

    def _file(self, path: str) -> ElfFile:
        if path not in self._files:
            self._files[path] = open_elf(Path(path))
        return self._files[path]


def read_native_frames(trace: Path, first_bytes: int) -> NativeFrames:
    """Return the addresses in the first bytes of a trace; nothing where memray prints them in another form."""
    beginning = trace.with_name(trace.name + ".beginning")
    try:
        _copy(trace, beginning, first_bytes)
        return _collect(_printed(beginning))
    except (OSError, subprocess.SubprocessError, ValueError):
        return NativeFrames()
    finally:
        beginning.unlink(missing_ok=True)


def _copy(source: Path, target: Path, most: int) -> None:
    with open(source, "rb") as reading, open(target, "wb") as writing:
        while most > 0 and (piece := reading.read(min(most, _COPY_BYTES))):
            most -= len(piece)
            writing.write(piece)


def _printed(trace: Path) -> Iterable[bytes]:
    """Yield what is printed, in pieces of whole lines."""
    command = [sys.executable, "-c", _PARSE, str(trace), *sys.path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        try:
            rest = b""
            while piece := process.stdout.read(_COPY_BYTES):
                whole, newline, rest = (rest + piece).rpartition(b"\n")
                yield whole + newline
            yield rest
        finally:
            process.kill()


def _collect(pieces: Iterable[bytes]) -> NativeFrames:
    found = NativeFrames()
    base, file = 0, ""
    for piece in pieces:
        for record in _RECORD.finditer(piece):
            if record["ip"] is not None:
                found.frames.append((int(record["ip"], 16), int(record["index"])))
            elif record["file"] is not None:
                file, base = record["file"].decode(errors="replace"), int(record["base"], 16)
            else:
                start = base + (0 if record["start"] == b"(nil)" else int(record["start"], 16))
                found.spans.append((start, start + int(record["size"], 16), base, file))
    found.spans = sorted(set(found.spans))
    return found


def _same(function: str, symbol: str) -> bool:
    """Whether a function's name and a symbol mean the same, of which one may lack the compiler's suffix."""
    return function == symbol or function.partition(".")[0] == symbol.partition(".")[0]
