"""Make the smallest shared library a symbol reader can read: a header, two tables, no code."""

import platform
import struct

MACHINES = {"x86_64": 62, "aarch64": 183}


def shared_library(
    defined: list[str],
    wanted: list[str] = (),
    *,
    wide: bool = True,
    big: bool = False,
    machine: int = MACHINES.get(platform.machine(), 62),
) -> bytes:
    order = ">" if big else "<"
    names = b"\0" + b"".join(name.encode() + b"\0" for name in [*defined, *wanted])
    symbols = _symbol(order, wide, 0, 0)
    offset = 1
    for index, name in enumerate([*defined, *wanted]):
        symbols += _symbol(order, wide, offset, 7 if index < len(defined) else 0)
        offset += len(name.encode()) + 1
    header_bytes = 64 if wide else 52
    section_bytes = 64 if wide else 40
    first, second = header_bytes, header_bytes + len(symbols)
    sections = second + len(names)
    identity = b"\x7fELF" + bytes([2 if wide else 1, 2 if big else 1, 1]) + bytes(9)
    kind = "HHIQQQIHHHHHH" if wide else "HHIIIIIHHHHHH"
    header = struct.pack(
        order + kind, 3, machine, 1, 0, 0, sections, 0, header_bytes, 0, 0, section_bytes, 3, 2
    )
    table = "IIQQQQIIQQ" if wide else "IIIIIIIIII"
    rows = [
        (0,) * 10,
        (0, 11, 0, 0, first, len(symbols), 2, 1, 8, len(_symbol(order, wide, 0, 0))),
        (0, 3, 0, 0, second, len(names), 0, 0, 1, 0),
    ]
    body = b"".join(struct.pack(order + table, *row) for row in rows)
    return identity + header + symbols + names + body


def _symbol(order: str, wide: bool, name: int, section: int) -> bytes:
    if wide:
        return struct.pack(order + "IBBHQQ", name, 18, 0, section, 4096 if section else 0, 16)
    return struct.pack(order + "IIIBBH", name, 4096 if section else 0, 16, 18, 0, section)
