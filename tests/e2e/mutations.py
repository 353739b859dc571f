"""Files as a hostile or a broken program would hand them to us: valid ones, changed at random, from a seed.

A JSON document is changed in its tree (another kind of value, a number out of every range, a name that is gone, a part
doubled or very deep), and any file in its bytes (flipped, cut, doubled, filled with zeros).
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from typing import Any

DEEP = "[" * 100_000 + "]" * 100_000
VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1,
    2**31,
    2**63,
    10**30,
    -(10**30),
    0.5,
    -0.0,
    1e308,
    -1e308,
    5e-324,
    float("nan"),
    float("inf"),
    "",
    "x",
    "../../../etc/passwd",
    "\x1b[2J",
    "</script><script>alert(1)</script>",
    "\ud800",
    "é" * 3000,
    [],
    [[]],
    {},
    {"": {}},
    [None, "x", {}],
    list(range(50)),
)


def changed_json(document: Any, chance: random.Random) -> bytes:
    """Return ``document`` as JSON with one to three places changed."""
    for _ in range(chance.choice((1, 1, 2, 3))):
        holder, key = chance.choice(_places(document))
        chance.choice(_CHANGES)(holder, key, chance)
    text = json.dumps(document)
    if chance.random() < 0.02:
        text = text.replace("null", DEEP, 1) if "null" in text else f'{{"deep": {DEEP}, {text[1:]}'
    return text.encode("utf-8", "surrogatepass")


def changed_bytes(content: bytes, chance: random.Random) -> bytes:
    """Return ``content`` with some of its bytes changed, taken away or put in."""
    made = bytearray(content)
    for _ in range(chance.choice((1, 1, 4, 20))):
        at = chance.randrange(len(made) + 1)
        match chance.randrange(6):
            case 0:
                made[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del made[at : at + chance.randrange(1, 40)]
            case 2:
                made[at:at] = made[: chance.randrange(1, 40)]
            case 3:
                made[at : at + 8] = bytes(8)
            case 4:
                made[at:at] = chance.choice(
                    (b"1e999", b"-", b"\x00", b"\xff\xfe", b",,,", b'"', b"\n\n", b"9" * 400)
                )
            case _:
                del made[at:]
    return bytes(made)


def _places(document: Any) -> list[tuple[Any, Any]]:
    """Return every (holder, key or index) of a JSON tree, the shallow ones as often as the many deep ones."""
    found: list[list[tuple[Any, Any]]] = []
    level = [document]
    while level:
        entries = [
            (holder, key)
            for holder in level
            for key in (holder if isinstance(holder, dict) else range(len(holder)))
        ]
        if entries:
            found.append(entries)
        level = [each for holder, key in entries if isinstance(each := holder[key], dict | list)]
    return [place for entries in found for place in (entries * (1 + 200 // len(entries)))[:200]]


def _replace(holder: Any, key: Any, chance: random.Random) -> None:
    holder[key] = copy.deepcopy(chance.choice(VALUES))


def _remove(holder: Any, key: Any, _: random.Random) -> None:
    if isinstance(holder, dict):
        holder.pop(key, None)
    elif holder:
        holder.pop(min(key, len(holder) - 1))


def _rename(holder: Any, key: Any, chance: random.Random) -> None:
    if isinstance(holder, dict) and key in holder:
        holder[chance.choice(("", "x", "schema", key + "2", key.upper()))] = holder.pop(key)


def _double(holder: Any, key: Any, _: random.Random) -> None:
    if isinstance(holder, list):
        holder.extend(holder[:200])
    elif key in holder:
        holder[f"{key}'"] = holder[key]


def _swap(holder: Any, key: Any, chance: random.Random) -> None:
    keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
    if keys and key in keys:
        other = chance.choice(keys)
        holder[key], holder[other] = holder[other], holder[key]


def _scale(holder: Any, key: Any, chance: random.Random) -> None:
    value = holder[key] if not isinstance(holder, dict) or key in holder else None
    if isinstance(value, int | float) and not isinstance(value, bool):
        holder[key] = value * chance.choice((-1, 0, 1000, 1e18, 1e300))
    else:
        holder[key] = copy.deepcopy(chance.choice(VALUES))


_CHANGES: tuple[Callable[[Any, Any, random.Random], None], ...] = (
    _replace,
    _replace,
    _remove,
    _rename,
    _double,
    _swap,
    _scale,
)
