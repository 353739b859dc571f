"""Memory sizes as people write them.

Everywhere in this project MB is 1024² bytes, as in the experiments it started from, so ``MB`` and ``MiB``
mean the same, and so do ``KB`` and ``KiB``, ``GB`` and ``GiB``.
"""

from __future__ import annotations

import re

_FACTORS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_SIZE = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(?:([kmg]?)i?b)?\s*", re.IGNORECASE)


def parse_size(size: int | str) -> int:
    """Return the number of bytes meant by ``size``: a count, or text such as ``"1.5GiB"``.

    Units B, KB, MB, GB, KiB, MiB and GiB, in either case, all 1024-based; text without a unit counts bytes.

    Raises:
        ValueError: Not a size, or less than one byte; the message says what is allowed.
    """
    if isinstance(size, int) and not isinstance(size, bool):
        count = size
    elif isinstance(size, str) and (match := _SIZE.fullmatch(size)):
        count = int(float(match[1]) * _FACTORS[(match[2] or "").lower()])
    else:
        raise ValueError(f'{size!r} is no size: write bytes, or text such as "1.5GiB" or "800MB"')
    if count < 1:
        raise ValueError(f"{size!r} is no size: at least 1 byte")
    return count


def format_size(size_bytes: int) -> str:
    """Return ``size_bytes`` as text for people: ``1.5 GiB``, ``800 MiB``, ``512 B``; at most two decimals."""
    for unit, factor in (("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024)):
        if abs(size_bytes) >= factor:
            return f"{size_bytes / factor:.2f}".rstrip("0").rstrip(".") + f" {unit}"
    return f"{size_bytes} B"
