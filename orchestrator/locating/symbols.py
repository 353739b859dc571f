"""Frames from addresses: which module, which function, and which line where there is debug information.

Functions come from the symbol tables of the modules' files (:mod:`.elf_file`); where a file of an engine has debug
information, ``addr2line`` gives lines and inlined functions, if it is installed. No server is asked for any.

An address of a stack is the one behind its call, so what is looked up is the byte before it.
"""

from __future__ import annotations

import bisect
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.analysis.locating.frames import UNKNOWN, Frame
from orchestrator.locating.elf_file import ElfFile, demangled, open_elf

_ADDRESSES_A_CALL = 500
_ADDR2LINE_TIMEOUT_S = 120.0


@dataclass(frozen=True, order=True)
class Span:
    """A part of a module in memory. ``by_file``: it begins at ``start_in`` of the file, else at that address of it."""

    start: int
    end: int
    start_in: int
    file: str
    by_file: bool = False


@dataclass
class Symbols:
    """Tells the frames of addresses; :meth:`look_up` those that are wanted first, all at once."""

    spans: Sequence[Span]
    _files: dict[str, ElfFile] = field(default_factory=dict[str, ElfFile])
    _lines: dict[tuple[str, int], list[tuple[str, str, int]]] = field(
        default_factory=dict[tuple[str, int], list[tuple[str, str, int]]]
    )

    def __post_init__(self) -> None:
        self.spans = sorted(set(self.spans))
        self._starts = [span.start for span in self.spans]

    def place(self, address: int) -> tuple[str, int] | None:
        """Return the file of the module at ``address`` and the address in it, as the file counts."""
        index = bisect.bisect_right(self._starts, address) - 1
        if index < 0 or address >= self.spans[index].end:
            return None
        span = self.spans[index]
        inside = address - span.start + span.start_in
        return span.file, self._file(span.file).address_of(inside) if span.by_file else inside

    def look_up(self, addresses: Iterable[int]) -> None:
        """Ask ``addr2line`` about the addresses that lie in modules with debug information."""
        wanted: dict[str, set[int]] = {}
        for address in addresses:
            found = self.place(address - 1)
            if found is not None and self._file(found[0]).has_lines:
                wanted.setdefault(found[0], set()).add(found[1])
        for file, inside in wanted.items():
            if Frame("", module=Path(file).name).is_of_a_runtime:
                continue  # thousands of frames of the interpreter, whose functions are known as it is
            every = sorted(inside)
            for first in range(0, len(every), _ADDRESSES_A_CALL):
                self._lines.update(_lines_of(file, every[first : first + _ADDRESSES_A_CALL]))

    def frames(self, addresses: Iterable[int]) -> list[Frame]:
        """Return the frames of a stack of addresses, innermost first; inlined functions are frames too."""
        found: list[Frame] = []
        for address in addresses:
            place = self.place(address - 1)
            if place is None:
                found.append(Frame(UNKNOWN))
                continue
            file, inside = place
            elf = self._file(file)
            known = self._lines.get((file, inside)) or [(elf.function_at(inside) or UNKNOWN, "", 0)]
            found += [
                Frame(name, source, line, module=Path(file).name, offset=inside, build_id=elf.build_id)
                for name, source, line in known
            ]
        return found

    def _file(self, path: str) -> ElfFile:
        if path not in self._files:
            self._files[path] = open_elf(Path(path))
        return self._files[path]


def _lines_of(file: str, addresses: Sequence[int]) -> dict[tuple[str, int], list[tuple[str, str, int]]]:
    """Return function, source file and line of addresses, the innermost of inlined functions first."""
    program = shutil.which("addr2line")
    if program is None:
        return {}
    command = [program, "-a", "-f", "-i", "-e", file, *(f"{address:#x}" for address in addresses)]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_ADDR2LINE_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return {}
    return {(file, address): known for address, known in _blocks(done.stdout.decode(errors="replace"))}


def _blocks(printed: str) -> Iterable[tuple[int, list[tuple[str, str, int]]]]:
    """Yield each address of what ``addr2line -a -f -i`` prints, with its functions where all are known."""
    for block in f"\n{printed}".split("\n0x")[1:]:
        address, *rest = block.splitlines()
        functions = [
            (demangled(name), source.rpartition(":")[0], _number(source.rpartition(":")[2]))
            for name, source in zip(rest[::2], rest[1::2], strict=False)
        ]
        if functions and all(name != "??" for name, _, _ in functions):
            yield int(address, 16), functions


def _number(text: str) -> int:
    digits = text.partition(" ")[0]
    return int(digits) if digits.isdigit() else 0
