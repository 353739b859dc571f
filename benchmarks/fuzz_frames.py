"""A hostile worker in the long run: fuzzed frames against one pool, with innocent jobs in between.

    python benchmarks/fuzz_frames.py [--frames 100000] [--first 0] [--seed 1] [--processes 2000] [--most-s 3600]

Each frame is an honest reply changed at random (in its bytes, or in its tree: another kind of value, a number out of
range, a part doubled or missing, deep nesting, a result announced in shared memory), or bytes of no meaning; one in
fifty has a changed header too. It is written to the wire when its job runs, by a worker that is new for nearly every
frame, because the pool ends the one that sent it. The first ``--processes`` frames come from workers that are
processes; behind the others are stand-ins (stand_ins.py): the same pool, pipes and decoders, and one program that
speaks for all workers.

They run in parts, each in a process of its own that is watched: what crashes or hangs it is looked for by trying the
frames under way again, one by one, and named by its number. ``--first NUMBER --frames 1`` tries one again by hand.

Asserted at the end: no crash and no hang, every innocent job has its own result, every fuzzing job ended as its
worker's death or with its own answer, nothing else ended a worker, and the parent is as it was. Writes
``benchmarks/results/fuzz_frames.json``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from fuzzed_replies import drawn
from recording import host, record, show
from soak import MIB, held

from orchestrator.errors import WorkerDiedError
from orchestrator.pool.jobs import Call
from orchestrator.pool.pool import Pool

UNDER_WAY = 32
INNOCENT_EVERY = 5
READ_EVERY = 50
PART = 5_000
"""Frames of one process."""
DEADLINE_S = 120.0
MOST_GROWTH_MIB = 16.0
MOST_PROBLEMS = 50
RIGHT_EXITS = {"protocol", "crash"}
"""A fuzzing job whose header was changed ends its worker itself, so that nobody waits for bytes that never come."""
PROGRESS = struct.Struct("<QQ")
"""In the progress file: the number of the first frame that has not ended, and of the first that has not begun."""


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


class Progress:
    """Tells a watching process which frames are under way; one write each, so that a crash loses none."""

    def __init__(self, path: str | None) -> None:
        self._descriptor = -1 if path is None else os.open(path, os.O_WRONLY)

    def tell(self, ended: int, begun: int) -> None:
        """Frames before ``ended`` have ended, those from ``begun`` on have not begun."""
        if self._descriptor >= 0:
            os.pwrite(self._descriptor, PROGRESS.pack(ended, begun), 0)


@contextlib.contextmanager
def stand_ins(wanted: bool) -> Iterator[None]:
    """Have workers that are no processes, if ``wanted``."""
    if not wanted:
        yield
        return
    from stand_ins import StandIns  # noqa: PLC0415

    program = StandIns()
    try:
        with program.in_place():
            yield
    finally:
        program.close()


def fuzz(
    frames: int,
    workers: int,
    seed: int,
    *,
    first: int = 0,
    processes: bool = True,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Send so many frames from number ``first`` on; ``problems`` of what is returned must be empty."""
    tell = (progress or Progress(None)).tell
    seen, before = Seen(), held()
    process, began = psutil.Process(), time.monotonic()
    readings: list[float] = []
    under_way: deque[tuple[int, Future[Any], bool]] = deque()

    def take(most: int) -> None:
        while len(under_way) > most:
            at, future, innocent = under_way.popleft()
            seen.check(at, future, innocent=innocent)
            tell(under_way[0][0] if under_way else at + 1, number + 1)

    with stand_ins(not processes), Pool(workers=workers) as pool:
        for number in range(first, first + frames):
            payload, header = drawn(seed, number)
            tell(under_way[0][0] if under_way else number, number + 1)
            under_way.append((number, pool.submit(Call("fuzz_jobs:send", payload, header)), False))
            if number % INNOCENT_EVERY == 0:
                under_way.append((number, pool.submit(Call("operator:mul", number, 3)), True))
            take(UNDER_WAY)
            if number % READ_EVERY == 0:
                readings.append(process.memory_full_info().uss / MIB)
        take(0)
        stats = pool.stats()
    after, growth = held(), (readings or [0.0])[-1] - (readings or [0.0])[len(readings) // 2]
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
        problems.append(f"the parent grew by {growth:.1f} MiB in the second half of frames {first} and on")
    return {
        "frames": frames,
        "seconds": round(time.monotonic() - began, 1),
        "outcomes": dict(seen.outcomes),
        "exits": exits,
        "spawns": stats.spawns,
        "before": before,
        "after": after,
        "growth_mib": round(growth, 2),
        "problems": problems,
    }


# ---------------------------------------------------------------------- parts, each in a process that is watched


def watched(command: Sequence[str], deadline_s: float = DEADLINE_S) -> tuple[dict[str, Any], str, range]:
    """Run a part; return what it printed, or how it broke off with the frames that were under way then.

    ``--progress PATH`` is added to the command. A part that ends no frame for ``deadline_s`` hangs, and is killed.
    """
    with tempfile.NamedTemporaryFile() as file, tempfile.TemporaryFile() as printed:
        os.pwrite(file.fileno(), PROGRESS.pack(0, 0), 0)
        process = subprocess.Popen(
            [*command, "--progress", file.name],
            stdout=printed,
            start_new_session=True,
            cwd=Path(__file__).parent,
        )
        last, since = b"", time.monotonic()
        hangs = False
        while process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.2)
            if (now := os.pread(file.fileno(), PROGRESS.size, 0)) != last:
                last, since = now, time.monotonic()
            elif time.monotonic() - since > deadline_s:
                hangs = True
                process.kill()
                break
        status = process.wait()
        if status == 0:
            return json.loads(os.pread(printed.fileno(), 1 << 24, 0)), "", range(0)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its workers
        how = (
            "hung"
            if hangs
            else f"ended by {_signal(status)}"
            if status < 0
            else f"ended with status {status}"
        )
        return {}, how, range(*PROGRESS.unpack(os.pread(file.fileno(), PROGRESS.size, 0)))


def _signal(status: int) -> str:
    try:
        return signal.Signals(-status).name
    except ValueError:
        return str(-status)


def blamed(command: Sequence[str], under_way: range, deadline_s: float = DEADLINE_S) -> list[str]:
    """Try frames again, each alone; say which of them break a part off."""
    found = []
    for number in under_way:
        _, how, _ = watched([*command, "--first", str(number), "--frames", "1"], deadline_s)
        if how:
            found.append(f"frame {number}, alone: {how}")
    return found or [f"frames {under_way.start} to {under_way.stop - 1}: none of them does it alone"]


def part(said: argparse.Namespace, first: int, frames: int, *, processes: bool) -> dict[str, Any]:
    """Run one part; what broke it off is among its ``problems``."""
    base = [sys.executable, __file__, "--seed", str(said.seed), "--workers", str(said.workers), "--part"]
    base += ["processes"] if processes else ["stand-ins"]
    found, how, under_way = watched([*base, "--first", str(first), "--frames", str(frames)])
    if how:
        ended = under_way.start - first if under_way else 0
        return {"frames": ended, "problems": [f"a part {how}", *blamed(base, under_way)]}
    return found


def run_parts(said: argparse.Namespace) -> dict[str, Any]:
    """Run all parts, for about so many seconds at most, and put together what they found."""
    began, done = time.monotonic(), 0
    total: dict[str, Any] = {
        "frames": 0,
        "from_processes": 0,
        "parts": 0,
        "spawns": 0,
        "most_growth_mib": 0.0,
    }
    counts: dict[str, Counter[str]] = {"outcomes": Counter(), "exits": Counter()}
    problems: list[str] = []
    while done < said.frames and time.monotonic() - began < said.most_s:
        processes = done < said.processes
        frames = min(PART, (said.processes if processes else said.frames) - done, said.frames - done)
        found = part(said, said.first + done, frames, processes=processes)
        done += frames
        total["parts"] += 1
        total["frames"] += found["frames"]
        total["from_processes"] += found["frames"] if processes else 0
        total["spawns"] += found.get("spawns", 0)
        total["most_growth_mib"] = max(total["most_growth_mib"], found.get("growth_mib", 0.0))
        for name, counter in counts.items():
            counter.update(found.get(name, {}))
        problems += found["problems"]
        total |= {name: found[name] for name in ("before", "after") if name in found}
        print(f"{done} of {said.frames} frames, {time.monotonic() - began:.0f} s", file=sys.stderr)
    return {
        **total,
        "workers": said.workers,
        "seconds": round(time.monotonic() - began, 1),
        **{name: dict(counter) for name, counter in counts.items()},
        "problems": problems[:MOST_PROBLEMS],
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2_000)
    parser.add_argument("--most-s", type=float, default=math.inf)
    parser.add_argument("--part", choices=["processes", "stand-ins"], help=argparse.SUPPRESS)
    parser.add_argument("--progress", help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.part:
        progress, processes = Progress(said.progress), said.part == "processes"
        options = {"first": said.first, "processes": processes, "progress": progress}
        print(json.dumps(fuzz(said.frames, said.workers, said.seed, **options)))
        return
    found = run_parts(said)
    show(
        f"{found['frames']} frames in {found['seconds']:.0f} s, {found['from_processes']} from processes",
        ["outcome", "jobs"],
        found["outcomes"].items(),
    )
    show(f"exits ({found['spawns']} spawns)", ["reason", "workers"], found["exits"].items())
    command = " ".join(["python benchmarks/fuzz_frames.py", *sys.argv[1:]])
    if said.frames > 1:
        document = {"command": command, "host": host("msgspec", "psutil"), **found}
        print(f"written to {record('fuzz_frames', document)}")
    if found["problems"]:
        raise SystemExit("\n".join(["the fuzzing found something:", *found["problems"]]))


if __name__ == "__main__":
    main()
