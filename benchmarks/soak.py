"""A long life of one pool in a few minutes: many jobs, 2 % of them with a fault of every kind, all recycling at once.

    python benchmarks/soak.py [--jobs 20000] [--workers 4] [--seed 1] [--sandbox strict] [--free-descriptors 2]

Three models take turns in the slots: ``quick`` reaches the limit of jobs, ``leaky`` the one of RSS, ``slow`` the
one of age. One job in 20 carries audio in shared memory. Asserted at the end: no job lost, none answered twice or with
another's answer, every outcome of the right type, and the parent as it was: descriptors, shared memory, threads,
children, and its memory flat. Prints tables and writes ``benchmarks/results/soak.json``.

``--sandbox strict`` confines every worker. With ``--free-descriptors`` the parent has no more than so many left once
its workers are up: replacements and successors meet the shortage, and nothing else may change. There is no audio then:
jobs that wait with it would keep the descriptors for which the workers wait. Those two write ``soak_strict.json`` and
``soak_short.json``.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import random
import statistics
import threading
import time
from collections import Counter
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import psutil
from recording import host, record, show
from shortage import Shortage

from orchestrator.errors import EngineUnavailableError, JobError, JobTimeoutError, WorkerDiedError
from orchestrator.pool.events import JobEnded, PoolEvent
from orchestrator.pool.futures import JobFuture
from orchestrator.pool.jobs import EngineJob
from orchestrator.pool.models import Model
from orchestrator.pool.pool import Pool
from orchestrator.pool.recycling import Recycle
from orchestrator.pool.stats import PoolStats

MIB = 1024 * 1024
FAULT_SHARE = 0.02
AUDIO_SHARE = 0.05
HANG_TIMEOUT_S = 0.3
MOST_GROWTH_MIB = 4.0
READINGS = 200
MOST_WAIT_S = 20.0
CANCELLER = "soak-canceller"
MEMORY_OF_ENDINGS = 2000
RECYCLE = Recycle(
    hard_rss="300MiB",
    models={
        "quick": Recycle(max_jobs=20, hard_rss="300MiB", jitter=0.3),
        "leaky": Recycle(max_rss="40MiB", hard_rss="300MiB", jitter=0.3),
        "slow": Recycle(max_age_s=0.4, hard_rss="300MiB", jitter=0.3),
    },
)
"""A limit of its own for each model, so that on a busy machine none hides another."""
TURN = 250
"""Jobs per worker until every model has had its turn."""
SHARES = {"quick": 0.6, "leaky": 0.2, "slow": 0.2}

# What a job with this fault must end with; None: with its result, as if nothing had been.
FAULTS: dict[str, type[BaseException] | None] = {
    "raise": JobError,
    "refuse": JobError,
    "unavailable": EngineUnavailableError,
    "sys_exit": JobError,
    "exit": WorkerDiedError,
    "abort": WorkerDiedError,
    "segfault": WorkerDiedError,
    "kill": WorkerDiedError,
    "hang": JobTimeoutError,
    "hang_ignoring_sigterm": JobTimeoutError,
    "hang_holding_gil": JobTimeoutError,
    "allocate": WorkerDiedError,
    "garbage": WorkerDiedError,
    "garbage_frame": WorkerDiedError,
    "oversized_frame": WorkerDiedError,
    "noise": None,
    "grandchild": None,
    "grandchild_fork": None,
    "cancelled": CancelledError,
}


@dataclass
class Counts:
    """What came back. Callbacks of futures write it, each job in its own place."""

    answers: bytearray
    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def check(self, number: int, fault: str | None, future: JobFuture[Any]) -> None:
        """Hold one job's outcome against what it had to be."""
        error = future.exception() if not future.cancelled() else CancelledError()
        expected = FAULTS[fault] if fault else None
        right = (
            type(error) is expected if expected is not CancelledError else isinstance(error, CancelledError)
        )
        if expected is None:
            right = error is None and future.result().text == text_of(number)
        with self.lock:
            self.answers[number] += 1
            self.outcomes[type(error).__name__ if error else "result"] += 1
            if not right:
                self.wrong.append(f"job {number}, fault {fault}: {error!r}")


@dataclass(frozen=True)
class Outcome:
    """What a soak saw; :meth:`problems` says what of it must not be."""

    jobs: int
    workers: int
    seconds: float
    lost: int
    doubled: int
    wrong: list[str]
    faults: dict[str, int]
    outcomes: dict[str, int]
    exits: dict[str, int]
    spawns: int
    evictions: int
    before: dict[str, int]
    after: dict[str, int]
    growth_mib: float
    put_off_starts: int = 0
    must_recycle: bool = True

    def problems(self) -> list[str]:
        """Return what is wrong, in words."""
        found = [f"{self.lost} jobs lost"] if self.lost else []
        found += [f"{self.doubled} jobs doubled"] if self.doubled else []
        found += self.wrong
        found += [
            f"{name}: {self.before[name]} before, {self.after[name]} after"
            for name in self.before
            if self.before[name] != self.after[name]
        ]
        if self.must_recycle:
            reasons = ("jobs", "rss", "age")
            found += [f"no worker left for {reason}" for reason in reasons if not self.exits.get(reason)]
        elif not self.put_off_starts:
            found.append("descriptors were never short")
        if self.growth_mib > MOST_GROWTH_MIB:
            found.append(f"the parent grew by {self.growth_mib:.1f} MiB in the second half")
        return found


def models(sandbox: Literal["off", "strict"] = "off") -> list[Model]:
    """Return the three, each made to run into a limit of its own."""
    options: dict[str, dict[str, Any]] = {
        "quick": {},
        "leaky": {"leak_kib_per_job": 2048, "job_ms": 30},
        "slow": {"job_ms": 50},
    }
    return [
        Model(name=name, engine="synthetic", options=option, limits={"core": 0}, sandbox=sandbox)
        for name, option in options.items()
    ]


def text_of(number: int) -> str:
    """Return the one text that only this job is answered with."""
    return f"job {number}"


def held() -> dict[str, int]:
    """Return what the parent holds now."""
    links = []
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            links.append(str(descriptor.readlink()))
        except FileNotFoundError:
            continue
    maps = Path("/proc/self/maps").read_text()
    return {
        "descriptors": len(links),
        "memfds": sum("memfd:" in link for link in links),
        "shared mappings": maps.count("memfd:") + maps.count("/dev/shm/"),
        "threads": threading.active_count(),
        "children": len(psutil.Process().children(recursive=True)),
    }


def draw_faults(jobs: int, chance: random.Random) -> dict[int, str]:
    """Return which jobs get which fault: every kind as often as any other."""
    victims = chance.sample(range(jobs), max(len(FAULTS), round(jobs * FAULT_SHARE)))
    kinds = list(FAULTS)
    return {number: kinds[index % len(kinds)] for index, number in enumerate(victims)}


def model_of(number: int, workers: int) -> str:
    """Return whose turn it is: long enough for each worker to reach its limit."""
    turn = TURN * workers
    place = number % turn / turn
    for model, share in SHARES.items():
        if place < share:
            return model
        place -= share
    return model


def submit(
    pool: Pool, model: str, number: int, fault: str | None, chance: random.Random, audio_share: float
) -> JobFuture[Any]:
    """Submit one job. The queue being full makes this wait."""
    options: dict[str, Any] = {}
    if fault is not None:
        options["fault"] = {"how": "hang" if fault == "cancelled" else fault, "kib": MIB, "ms": 20_000}
        if fault == "noise":
            options["fault"]["kib"] = 1024
    audio = (np.zeros(1600, dtype=np.float32), 16_000) if chance.random() < audio_share else None
    job = EngineJob(model, "asr", audio=audio, text=text_of(number), options=options)
    hangs = fault is not None and fault.startswith("hang")
    future = pool.submit(job, timeout_s=HANG_TIMEOUT_S if hangs else None)
    if fault == "cancelled":
        timer = threading.Timer(chance.random() * 0.5, future.cancel)
        timer.name = CANCELLER
        timer.start()
    return future


def wait_for_age(pool: Pool) -> None:
    """Keep a short run's pool open until a worker was replaced for its age, which an idle one is too."""
    ends_s = time.monotonic() + MOST_WAIT_S
    while not pool.stats().exits.get("age") and time.monotonic() < ends_s:
        time.sleep(0.02)


def soak(
    jobs: int,
    workers: int,
    seed: int,
    *,
    sandbox: Literal["off", "strict"] = "off",
    free: int | None = None,
) -> Outcome:
    """Run it. The same seed draws the same jobs and faults; with ``free`` so many descriptors are left."""
    chance = random.Random(seed)
    faults = draw_faults(jobs, chance)
    counts = Counts(bytearray(jobs))
    ended: set[int] = set()
    twice: list[int] = []

    def on_event(event: PoolEvent) -> None:
        if isinstance(event, JobEnded):
            if event.job in ended:
                twice.append(event.job)
            ended.add(event.job)
            ended.discard(event.job - MEMORY_OF_ENDINGS)  # stays small, so that our own memory is flat

    before = held()
    readings: list[float] = []
    process = psutil.Process()
    began = time.monotonic()
    audio_share = AUDIO_SHARE if free is None else 0.0
    with (
        Shortage(free) as shortage,
        Pool(
            models=models(sandbox), workers=workers, recycle=RECYCLE, max_queue=200, on_event=on_event
        ) as pool,
    ):
        for number in range(jobs):
            if number == workers:
                shortage.begin(pool, workers)
            fault = faults.get(number)
            future = submit(pool, model_of(number, workers), number, fault, chance, audio_share)
            future.add_done_callback(lambda one, at=number, how=fault: counts.check(at, how, one))  # type: ignore[misc]
            del future
            shortage.look(pool)
            if number % max(1, jobs // READINGS) == 0:
                with contextlib.suppress(OSError, psutil.Error):  # there may be no descriptor to read it with
                    readings.append(process.memory_full_info().uss / MIB)
        if free is None:
            wait_for_age(pool)
        shortage.end()
        pool.close()
        stats = pool.stats()
    seconds = time.monotonic() - began
    for timer in [one for one in threading.enumerate() if one.name == CANCELLER]:
        timer.join()
    outcome = report(jobs, workers, seconds, counts, len(twice), faults, stats, before, readings)
    return dataclasses.replace(
        outcome,
        put_off_starts=shortage.put_off_starts,
        must_recycle=free is None,
    )


def report(
    jobs: int,
    workers: int,
    seconds: float,
    counts: Counts,
    twice: int,
    faults: dict[int, str],
    stats: PoolStats,
    before: dict[str, int],
    readings: list[float],
) -> Outcome:
    """Put what was seen together."""
    told = sum(count for outcomes in stats.outcomes.values() for count in outcomes.values())
    quarter = max(1, len(readings) // 4)
    growth = statistics.median(readings[-quarter:]) - statistics.median(readings[2 * quarter : 3 * quarter])
    wrong = [*counts.wrong] + ([] if told == jobs else [f"stats tell of {told} jobs"])
    return Outcome(
        jobs=jobs,
        workers=workers,
        seconds=round(seconds, 1),
        lost=counts.answers.count(0),
        doubled=twice + sum(count > 1 for count in counts.answers),
        wrong=wrong,
        faults=dict(sorted(Counter(faults.values()).items())),
        outcomes=dict(sorted(counts.outcomes.items())),
        exits=dict(sorted(stats.exits.items())),
        spawns=stats.spawns,
        evictions=stats.evictions,
        before=before,
        after=held(),
        growth_mib=round(growth, 2),
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sandbox", choices=["off", "strict"], default="off")
    parser.add_argument("--free-descriptors", type=int, default=None)
    said = parser.parse_args()
    outcome = soak(said.jobs, said.workers, said.seed, sandbox=said.sandbox, free=said.free_descriptors)
    rate = outcome.jobs / outcome.seconds
    print(
        f"{outcome.jobs} jobs over {outcome.workers} workers in {outcome.seconds:.0f} s ({rate:.0f} jobs/s)"
    )
    print(f"lost {outcome.lost}, doubled {outcome.doubled}, of the wrong type {len(outcome.wrong)}")
    show("faults injected", ["fault", "jobs"], outcome.faults.items())
    show("outcomes", ["outcome", "jobs"], outcome.outcomes.items())
    show(
        f"exits ({outcome.spawns} spawns, {outcome.evictions} evictions)",
        ["reason", "workers"],
        outcome.exits.items(),
    )
    rows = [[name, outcome.before[name], outcome.after[name]] for name in outcome.before]
    show("the parent", ["holds", "before", "after"], rows)
    print(f"\nits USS, last quarter less third quarter: {outcome.growth_mib:+.2f} MiB")
    problems = outcome.problems()
    command = f"python benchmarks/soak.py --jobs {said.jobs} --workers {said.workers} --seed {said.seed}"
    name = "soak"
    if said.sandbox != "off":
        command, name = f"{command} --sandbox {said.sandbox}", f"{name}_{said.sandbox}"
    if said.free_descriptors is not None:
        command, name = f"{command} --free-descriptors {said.free_descriptors}", f"{name}_short"
    document = {
        "command": command,
        "host": host("msgspec", "psutil", "tenacity"),
        "recycle": str(RECYCLE),
        "problems": problems[:50],
        **{each: getattr(outcome, each) for each in outcome.__dataclass_fields__ if each != "wrong"},
    }
    print(f"written to {record(name, document)}")
    if problems:
        raise SystemExit("\n".join(["the soak failed:", *problems[:50]]))


if __name__ == "__main__":
    main()
