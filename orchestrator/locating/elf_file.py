"""What a module's file says about itself: its build id, and the function at an offset. ELF only; else nothing.

Layout, as in elf(5): section headers; sections of type NOTE (the GNU build id among them), SYMTAB and DYNSYM with
their string tables. Names of C++ are demangled by the C++ library's own ``__cxa_demangle``, where there is one.
"""

from __future__ import annotations

import bisect
import ctypes
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

_SYMTAB, _NOTE, _DYNSYM = 2, 7, 11
_FUNCTION = 2
_SECTION = struct.Struct("<IIQQQQIIQQ")
_PROGRAM = struct.Struct("<IIQQQQQQ")
_LOAD = 1
_SYMBOL = struct.Struct("<IBBHQQ")
_GNU_BUILD_ID = 3
_MOST_BYTES = 1 << 30


@dataclass
class ElfFile:
    """One file; empty where it is no 64-bit little-endian ELF file."""

    build_id: str = ""
    starts: list[int] = field(default_factory=list[int])
    ends: list[int] = field(default_factory=list[int])
    names: list[bytes] = field(default_factory=list[bytes])
    loads: list[tuple[int, int, int]] = field(default_factory=list[tuple[int, int, int]])
    """Parts that are loaded: where they begin in the file, their address, their length."""
    has_lines: bool = False
    """Whether it has debug information with lines."""

    def address_of(self, place: int) -> int:
        """Return the address of a place in the file; of one in no loaded part the place itself."""
        for start, address, length in self.loads:
            if start <= place < start + length:
                return place - start + address
        return place

    def function_at(self, offset: int) -> str:
        """Return the demangled name of the function at ``offset``; empty where no symbol covers it."""
        index = bisect.bisect_right(self.starts, offset) - 1
        if index < 0 or offset > self.ends[index]:
            return ""
        return demangled(self.names[index].decode(errors="replace"))


def open_elf(path: Path) -> ElfFile:
    """Read the file at ``path``; what cannot be read gives an empty answer."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            return ElfFile()
        return _read(path.read_bytes())
    except (OSError, struct.error, IndexError, ValueError, OverflowError):
        return ElfFile()


def _read(content: bytes) -> ElfFile:
    if content[:6] != b"\x7fELF\x02\x01":
        return ElfFile()
    (table,) = struct.unpack_from("<Q", content, 40)
    size, count = struct.unpack_from("<HH", content, 58)
    sections: list[tuple[int, ...]] = [
        _SECTION.unpack_from(content, table + index * size) for index in range(count)
    ]
    symbols: dict[int, tuple[int, bytes]] = {}
    build_id = ""
    for section in sections:
        kind, offset, length, link = section[1], section[4], section[5], section[6]
        if kind == _NOTE:
            build_id = build_id or _build_id(content[offset : offset + length])
        elif kind in (_SYMTAB, _DYNSYM):
            _add_symbols(symbols, content, offset, length, sections[link][4])
    ordered = sorted(symbols.items())
    (names,) = struct.unpack_from("<H", content, 62)
    named = content[sections[names][4] : sections[names][4] + sections[names][5]] if names < count else b""
    return ElfFile(
        build_id,
        [start for start, _ in ordered],
        [end for _, (end, _) in ordered],
        [name for _, (_, name) in ordered],
        _loads(content),
        b".debug_line\0" in named,
    )


def _loads(content: bytes) -> list[tuple[int, int, int]]:
    (table,) = struct.unpack_from("<Q", content, 32)
    size, count = struct.unpack_from("<HH", content, 54)
    every = [_PROGRAM.unpack_from(content, table + index * size) for index in range(count)]
    return [(part[2], part[3], part[5]) for part in every if part[0] == _LOAD]


def _add_symbols(
    symbols: dict[int, tuple[int, bytes]], content: bytes, offset: int, length: int, strings: int
) -> None:
    for name, info, _, section, value, size in _SYMBOL.iter_unpack(
        content[offset : offset + length // _SYMBOL.size * _SYMBOL.size]
    ):
        if info & 15 == _FUNCTION and section and size:
            end = content.index(b"\0", strings + name)
            symbols[value] = (value + size, content[strings + name : end])


def _build_id(notes: bytes) -> str:
    at = 0
    while at + 12 <= len(notes):
        name_size, size, kind = struct.unpack_from("<III", notes, at)
        body = at + 12 + (name_size + 3) // 4 * 4
        if kind == _GNU_BUILD_ID and notes[at + 12 : at + 15] == b"GNU":
            return notes[body : body + size].hex()
        at = body + (size + 3) // 4 * 4
    return ""


@lru_cache(maxsize=4096)
def demangled(name: str) -> str:
    """Return a C++ symbol as people write it; any other name as it is."""
    if not name.startswith("_Z") or (demangle := _demangler()) is None:
        return name
    status = ctypes.c_int()
    made = demangle(name.encode(), None, None, ctypes.byref(status))
    if not made:
        return name
    try:
        return ctypes.string_at(made).decode(errors="replace")
    finally:
        ctypes.CDLL(None).free(ctypes.c_void_p(made))


@lru_cache(maxsize=1)
def _demangler() -> Callable[..., int | None] | None:
    for name in ("libstdc++.so.6", "libc++abi.so.1", "libc++abi.dylib"):
        try:
            found = ctypes.CDLL(name)["__cxa_demangle"]
        except (OSError, AttributeError):
            continue
        found.restype = ctypes.c_void_p
        return found
    return None
