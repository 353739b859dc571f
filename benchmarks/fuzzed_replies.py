"""Replies of a hostile worker, drawn at random: what fuzz_frames.py writes to the wire."""

from __future__ import annotations

import random
from typing import Any

import msgspec

from orchestrator_worker.protocol import (
    Checked,
    Chunk,
    ChunkTimes,
    Done,
    Engines,
    Failed,
    Heap,
    Hello,
    Loaded,
    Ready,
    Restarted,
    Returned,
    Trimmed,
    Unloaded,
)

HEADERS = 0.02
"""The share of frames that have a header of their own, which says a wrong length."""
VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    2**63,
    2**64 - 1,
    -(2**63),
    1.5,
    float("nan"),
    "",
    "Done",
    b"\xff",
    [],
    {},
)
encode = msgspec.msgpack.encode


def honest(chance: random.Random) -> list[dict[str, Any]]:
    """Return a message of every kind, as a tree."""
    number = chance.choice([0, 1, 5, 1 << 62, chance.getrandbits(62) | 1 << 62])
    heap = Heap(1, 2, "mallinfo2")
    messages = (
        Done(number, "plain", encode([1, "two"]), 0.1, ChunkTimes(2, 0.1, 0.2, 3), heap),
        Done(number, "plain", b"", 0.1, ChunkTimes(), None, chance.choice([1, 5, 1 << 20, 1 << 40, -1])),
        Done(number, "transcript", encode({"type": "transcript", "text": "t"}), 0.1, ChunkTimes()),
        Chunk(number, "text", final=True, replaces=2),
        Failed(number, "error", "E", "message", "traceback", "", heap, "builtins", encode([1])),
        Loaded(number, 0.1, ["call"], {"a": [1, {"b": 2}]}, heap),
        Hello(8, "0", 1, "3", ["load"]),
        Ready(heap),
        Returned(number),
        Restarted(number, "none", 0.1),
        Unloaded(number, 0.1),
        Trimmed(number, trimmed=True),
        Checked(number, ["asr"], 5),
        Engines(number, []),
    )
    return [msgspec.to_builtins(message, builtin_types=(bytes,)) for message in messages]


def changed_tree(tree: dict[str, Any], chance: random.Random) -> bytes:
    """Change a message where it means something."""
    for _ in range(chance.randint(1, 3)):
        key = chance.choice(list(tree))
        match chance.randrange(5):
            case 0:
                tree[key] = chance.choice(VALUES)
            case 1:
                del tree[key]
                tree.setdefault("type", "Done")
            case 2:
                tree[f"{key}x"] = chance.choice(VALUES)
            case 3:
                tree[key] = [tree[key]] * chance.randint(1, 50)
            case _:
                tree[chance.choice(["facts", "x", key])] = nested(chance)
    return encode(tree)


def nested(chance: random.Random) -> msgspec.Raw:
    """Return a value that is nested more or less deeply."""
    depth = chance.choice([3, 100, 900, 5_000])
    return msgspec.Raw(chance.choice([b"\x91", b"\x81\xa1k"]) * depth + b"\xc0")


def changed_bytes(payload: bytes, chance: random.Random) -> bytes:
    """Flip, cut, double or insert bytes."""
    found = bytearray(payload)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(found) + 1)
        match chance.randrange(5):
            case 0 | 1 if at < len(found):
                found[at] = chance.randrange(256)
            case 2:
                del found[at:]
            case 3:
                found[at:at] = found[at : at + chance.randint(1, 40)]
            case _:
                found[at:at] = chance.choice(
                    [b"\xdd\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff", b"\xc1", b"\x91" * 2000]
                )
    return bytes(found) or b"\xc1"


def fuzzed(chance: random.Random) -> bytes:
    """Return the payload of one frame."""
    if chance.random() < 0.05:
        return chance.randbytes(chance.randint(1, 3000))
    tree = chance.choice(honest(chance))
    if chance.random() < 0.5:
        return changed_tree(tree, chance)
    return changed_bytes(encode(tree), chance)


def drawn(seed: int, number: int) -> tuple[bytes, bytes]:
    """Return payload and header of one frame; the header is empty where it is to be the right one.

    The same for the same two numbers, whatever was drawn before: a frame that did harm is made again alone.
    """
    chance = random.Random(f"{seed} {number}")
    header = chance.randbytes(4) if chance.random() < HEADERS else b""
    return fuzzed(chance), header
