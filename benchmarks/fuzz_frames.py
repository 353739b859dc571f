"""A hostile worker in the long run: fuzzed frames against one pool, with innocent jobs in between.

    python benchmarks/fuzz_frames.py [--frames 100000] [--workers 2] [--seed 1] [--most-s 3600]

Each frame is an honest reply changed at random (in its bytes, or in its tree: another kind of value, a number out of
range, a part doubled or missing, deep nesting, a result announced in shared memory), or bytes of no meaning; one in
fifty has a changed header too. It is written to the wire by a job in a worker. Asserted at the end: every innocent job
has its own result, every fuzzing job ended as its worker's death or with its own answer, nothing else ended a worker,
and the parent is as it was. Writes ``benchmarks/results/fuzz_frames.json``.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from collections import Counter, deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import msgspec
import psutil
from recording import host, record, show
from soak import MIB, held

from orchestrator.errors import WorkerDiedError
from orchestrator.pool.jobs import Call
from orchestrator.pool.pool import Pool
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

UNDER_WAY = 32
INNOCENT_EVERY = 5
READ_EVERY = 50
HEADERS = 0.02
DEADLINE_S = 120.0
MOST_GROWTH_MIB = 16.0
RIGHT_EXITS = {"protocol", "crash"}
"""A fuzzing job whose header was changed ends its worker itself, so that nobody waits for bytes that never come."""
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


@dataclass
class Seen:
    """What became of the jobs."""

    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def check(self, number: int, future: Future[Any], *, innocent: bool) -> None:
        """Hold one job's outcome against what it may be."""
        error = future.exception(DEADLINE_S)
        said = None if error else future.result()
        right = said == number * 3 if innocent else isinstance(error, WorkerDiedError) or said == "mine"
        self.outcomes["innocent" if innocent else type(error).__name__ if error else "own answer"] += 1
        if not right:
            self.wrong.append(f"{'innocent' if innocent else 'fuzzing'} job {number}: {error or said!r}")


def fuzz(frames: int, workers: int, seed: int, most_s: float = math.inf) -> dict[str, Any]:
    """Run it, for so many seconds at most; ``problems`` of what is returned must be empty."""
    chance = random.Random(seed)
    seen, before = Seen(), held()
    process, began = psutil.Process(), time.monotonic()
    readings: list[float] = []
    under_way: deque[tuple[int, Future[Any], bool]] = deque()
    with Pool(workers=workers) as pool:
        for number in range(frames):
            header = chance.randbytes(4) if chance.random() < HEADERS else b""
            job = Call("fuzz_jobs:send", fuzzed(chance), header)
            under_way.append((number, pool.submit(job), False))
            if number % INNOCENT_EVERY == 0:
                under_way.append((number, pool.submit(Call("operator:mul", number, 3)), True))
            while len(under_way) > UNDER_WAY:
                at, future, innocent = under_way.popleft()
                seen.check(at, future, innocent=innocent)
            if number % READ_EVERY == 0:
                readings.append(process.memory_full_info().uss / MIB)
                if time.monotonic() - began > most_s:
                    break
        for at, future, innocent in under_way:
            seen.check(at, future, innocent=innocent)
        under_way.clear()
        del future
        stats = pool.stats()
    after, growth = held(), readings[-1] - readings[len(readings) // 2]
    exits = dict(stats.exits)
    problems = seen.wrong + [
        f"{name}: {before[name]} before, {after[name]} after"
        for name in before
        if before[name] != after[name]
    ]
    problems += [
        f"{count} workers ended as {reason}" for reason, count in exits.items() if reason not in RIGHT_EXITS
    ]
    if growth > MOST_GROWTH_MIB:
        problems.append(f"the parent grew by {growth:.1f} MiB in the second half")
    return {
        "frames": number + 1,
        "workers": workers,
        "seconds": round(time.monotonic() - began, 1),
        "outcomes": dict(seen.outcomes),
        "exits": exits,
        "spawns": stats.spawns,
        "before": before,
        "after": after,
        "growth_mib": round(growth, 2),
        "problems": problems,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--most-s", type=float, default=math.inf)
    said = parser.parse_args()
    found = fuzz(said.frames, said.workers, said.seed, said.most_s)
    show(
        f"{found['frames']} frames in {found['seconds']:.0f} s",
        ["outcome", "jobs"],
        found["outcomes"].items(),
    )
    show(f"exits ({found['spawns']} spawns)", ["reason", "workers"], found["exits"].items())
    show(
        "the parent",
        ["holds", "before", "after"],
        [[n, found["before"][n], found["after"][n]] for n in found["before"]],
    )
    command = (
        f"python benchmarks/fuzz_frames.py --frames {said.frames} --workers {said.workers} --seed {said.seed}"
    )
    command += "" if said.most_s == math.inf else f" --most-s {said.most_s:g}"
    found["problems"], problems = found["problems"][:50], found["problems"]
    print(
        f"written to {record('fuzz_frames', {'command': command, 'host': host('msgspec', 'psutil'), **found})}"
    )
    if problems:
        raise SystemExit("\n".join(["the fuzzing found something:", *problems[:50]]))


if __name__ == "__main__":
    main()
