"""Read from the file of a shared library which functions it exports and for which processor. It is never loaded.

Reads the dynamic symbol table of ELF files of either width and byte order (the format of Linux). Layout, as in
elf(5): a header points to the section headers; the section of type DYNSYM links to its string table; each
symbol has the offset of its name there, and the index of the section that defines it (0: it is only wanted).
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import BinaryIO, NamedTuple

_DYNSYM = 11
_PROCESSORS = {3: "x86", 40: "arm", 62: "x86-64", 183: "aarch64", 243: "riscv"}
_LARGEST_TABLE_BYTES = 256 * 1024 * 1024


class NotAnElfFileError(Exception):
    """The file is something else, or cut off; the message says what is wrong."""


class _Shape(NamedTuple):
    """The layout of an ELF file of one word size and byte order."""

    order: str
    wide: bool

    @property
    def header(self) -> struct.Struct:
        """Fields after the 16 identifying bytes."""
        return struct.Struct(self.order + ("HHIQQQIHHHHHH" if self.wide else "HHIIIIIHHHHHH"))

    @property
    def section(self) -> struct.Struct:
        return struct.Struct(self.order + ("IIQQQQIIQQ" if self.wide else "IIIIIIIIII"))

    @property
    def symbol(self) -> struct.Struct:
        """(name, info, other, section, …) or (name, value, size, info, other, section)."""
        return struct.Struct(self.order + ("IBBHQQ" if self.wide else "IIIBBH"))


class _Section(NamedTuple):
    kind: int
    offset: int
    size_bytes: int
    link: int


def exported_functions(path: Path) -> set[str]:
    """Return the names that the library at ``path`` defines for others.

    Raises:
        NotAnElfFileError: It is no ELF file, has no dynamic symbols, or is cut off.
        OSError: It cannot be read.
    """
    with open(path, "rb") as file:
        try:
            return _exported(file)
        except (struct.error, IndexError) as error:
            raise NotAnElfFileError("the file is cut off or damaged") from error


def processor(path: Path) -> str | None:
    """Return the name of the processor that the ELF file at ``path`` is for; None when it is no ELF file.

    Raises:
        OSError: It cannot be read.
    """
    with open(path, "rb") as file:
        start = file.read(20)
    if len(start) < 20 or start[:4] != b"\x7fELF":
        return None
    number = int.from_bytes(start[18:20], "big" if start[5] == 2 else "little")
    name = _PROCESSORS.get(number, f"processor {number}")
    return name if start[4] == 2 or number in {3, 40} else f"{name}, 32 bits"


def _exported(file: BinaryIO) -> set[str]:
    shape = _shape(file.read(16))
    sections = _sections(file, shape)
    table = next((section for section in sections if section.kind == _DYNSYM), None)
    if table is None:
        raise NotAnElfFileError("the file has no dynamic symbols: it is no shared library")
    names = _content(file, sections[table.link])
    symbols = _content(file, table)
    size = shape.symbol.size
    found: set[str] = set()
    for start in range(0, len(symbols) // size * size, size):
        fields = shape.symbol.unpack_from(symbols, start)
        if fields[3] if shape.wide else fields[5]:
            name = fields[0]
            found.add(names[name : names.index(b"\0", name)].decode(errors="replace"))
    found.discard("")
    return found


def _shape(identity: bytes) -> _Shape:
    if len(identity) < 16 or identity[:4] != b"\x7fELF":
        raise NotAnElfFileError("the file is no ELF shared library")
    if identity[4] not in {1, 2} or identity[5] not in {1, 2}:
        raise NotAnElfFileError("the file is no ELF file of a kind known here")
    return _Shape("<" if identity[5] == 1 else ">", identity[4] == 2)


def _sections(file: BinaryIO, shape: _Shape) -> list[_Section]:
    fields = shape.header.unpack(file.read(shape.header.size))
    start, size, count = fields[5], fields[10], fields[11]
    sections: list[_Section] = []
    for index in range(count):
        file.seek(start + index * size)
        section = shape.section.unpack(file.read(shape.section.size))
        sections.append(_Section(section[1], section[4], section[5], section[6]))
    return sections


def _content(file: BinaryIO, section: _Section) -> bytes:
    whole = os.fstat(file.fileno()).st_size
    if section.size_bytes > min(whole, _LARGEST_TABLE_BYTES) or section.offset > whole:
        raise NotAnElfFileError("the file is cut off or damaged")
    file.seek(section.offset)
    content = file.read(section.size_bytes)
    if len(content) < section.size_bytes:
        raise NotAnElfFileError("the file is cut off or damaged")
    return content
