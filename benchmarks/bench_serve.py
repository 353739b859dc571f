"""The same requests to ``orchestrator serve`` and to the usual service with the model in its process: memory, time.

    python benchmarks/bench_serve.py [--requests 1000] [--block 100] [--kill-every 50] [--chart docs/serve.svg]

Clips of 4 to 11 s of speech, to Moonshine, some at a time. Both services are up all the while and take turns, a block
of requests each, now one first and now the other, so that whatever else the machine does meets both. Of each: requests
per second of its own blocks, p50, p99, what failed, and the memory of its processes over the time of its blocks; of
ours, what the pool counts against its memory budget.

Then the fault: ours (started anew) with the worker that is at work killed every so many requests; the usual one has no
worker, so its process is killed, once. Writes ``benchmarks/results/serve.json`` (``--record NAME``: another one);
``--chart FILE`` draws memory over time of both, as SVG.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
from recording import RESULTS, host, record, show
from serve_process import serving

HERE = Path(__file__).parent
SAMPLES = HERE.parent / "samples"
ADDRESS = "/v1/audio/transcriptions"
LEAST_CLIP_S, MOST_CLIP_S, CLIPS = 4.0, 11.0, 8
TIMEOUT_S = 300.0
MB = 1024 * 1024
MOST_POINTS = 250
"""Of a line in the chart."""
LOOK_EVERY = 5
"""Answers between two looks at what the pool counts: a look is a request, too."""
EXPERIMENTS = """
schema = 1
[profiles.embedded.models.asr-small]
engine = "moonshine"
[serve]
workers = {workers}
memory_budget = "{budget}"
max_queue = 64
keep_warm = ["asr-small"]
"""
NAMES = {"ours": "orchestrator serve", "usual": "the usual service, model in its process"}
After = Callable[[int], Awaitable[None]]


def clips() -> list[bytes]:
    """Return recordings of 4 to 11 s: the sample, again and again, cut at different lengths."""
    with wave.open(str(SAMPLES / "jfk.wav"), "rb") as sample:
        settings, frames = sample.getparams(), sample.readframes(sample.getnframes())
    made: list[bytes] = []
    for number in range(CLIPS):
        seconds = LEAST_CLIP_S + (MOST_CLIP_S - LEAST_CLIP_S) * number / (CLIPS - 1)
        wanted = int(seconds * settings.framerate) * settings.sampwidth * settings.nchannels
        with tempfile.TemporaryFile() as file:
            with wave.open(file, "wb") as clip:
                clip.setparams(settings)
                clip.writeframes((frames * (1 + wanted // len(frames)))[:wanted])
            file.seek(0)
            made.append(file.read())
    return made


def tree_bytes(process: psutil.Process) -> int:
    """Return the RSS of a process and of all that it has started; pages that they share count in each of them."""
    total = 0
    with contextlib.suppress(psutil.Error):
        for each in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                total += each.memory_info().rss
    return total


@contextmanager
def usual() -> Iterator[tuple[str, psutil.Process]]:
    """Start the usual service; give its address and process."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "--app-dir", str(HERE), "--port", str(port)]
    process = subprocess.Popen([*command, "usual_service:app", "--log-level", "warning"])
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            try:
                httpx.get(f"{url}/openapi.json", timeout=5)
                break
            except httpx.HTTPError:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise SystemExit("the usual service did not start") from None
                time.sleep(0.1)
        yield url, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


@dataclass(eq=False)
class Loaded:
    """A service under load, and what was seen of it. Times are those of its own blocks, seconds from the first."""

    url: str
    process: psutil.Process
    recordings: list[bytes]
    has_pool: bool = False
    latencies_s: list[float] = field(default_factory=list)
    failed: int = 0
    sent: int = 0
    spent_s: float = 0.0
    block_s: list[float] = field(default_factory=list)
    memory_mb: list[tuple[float, float]] = field(default_factory=list)
    pool_mb: list[tuple[float, float]] = field(default_factory=list)

    async def block(self, count: int, at_a_time: int, after: After | None = None) -> None:
        """Send ``count`` requests; ``after`` is called after each with the number answered so far."""
        began_s = time.monotonic()
        last = self.sent + count

        async def sender(client: httpx.AsyncClient) -> None:
            while self.sent < last:
                self.sent += 1
                await self._ask(client, began_s)
                if after is not None:
                    await after(len(self.latencies_s))

        async with httpx.AsyncClient(base_url=self.url, timeout=TIMEOUT_S) as client:
            await asyncio.gather(*(sender(client) for _ in range(at_a_time)))
        self.block_s.append(round(time.monotonic() - began_s, 2))
        self.spent_s += time.monotonic() - began_s

    async def _ask(self, client: httpx.AsyncClient, began_s: float) -> None:
        files = {"file": ("clip.wav", self.recordings[self.sent % CLIPS])}
        asked_s = time.monotonic()
        try:
            answer = await client.post(ADDRESS, files=files)
            self.failed += answer.status_code != 200 or not answer.json()["text"]
        except httpx.HTTPError:
            self.failed += 1
        now_s = time.monotonic()
        self.latencies_s.append(now_s - asked_s)
        at_s = round(self.spent_s + now_s - began_s, 1)
        self.memory_mb.append((at_s, round(tree_bytes(self.process) / MB, 1)))
        if self.has_pool and len(self.latencies_s) % LOOK_EVERY == 0:
            seen = (await client.get("/v1/pool")).json()
            self.pool_mb.append((at_s, round(seen["rss_bytes"] / MB, 1)))

    async def warm_up(self) -> None:
        """Ask twice; nothing is kept of it."""
        async with httpx.AsyncClient(base_url=self.url, timeout=TIMEOUT_S) as client:
            for _ in range(2):
                answer = await client.post(ADDRESS, files={"file": ("clip.wav", self.recordings[0])})
                if answer.status_code != 200:
                    raise SystemExit(f"{self.url} answered {answer.status_code}: {answer.text}")

    def document(self) -> dict[str, Any]:
        """Return what was seen."""
        ordered = sorted(self.latencies_s)
        quarter = max(1, len(self.memory_mb) // 4)
        found: dict[str, Any] = {
            "requests": len(ordered),
            "failed": self.failed,
            "seconds": round(self.spent_s, 1),
            "requests_per_s": round(len(ordered) / self.spent_s, 3),
            "p50_s": round(ordered[(len(ordered) - 1) // 2], 3),
            "p99_s": round(ordered[-(-len(ordered) * 99 // 100) - 1], 3),
            "first_quarter_mb": round(sum(mb for _, mb in self.memory_mb[:quarter]) / quarter, 1),
            "last_quarter_mb": round(sum(mb for _, mb in self.memory_mb[-quarter:]) / quarter, 1),
            "most_mb": max(mb for _, mb in self.memory_mb),
            "block_s": self.block_s,
            "memory_mb": self.memory_mb,
        }
        if self.has_pool:
            found["pool_mb"] = self.pool_mb
            found["pool_most_mb"] = max((mb for _, mb in self.pool_mb), default=None)
        return found


async def in_turns(services: list[Loaded], options: argparse.Namespace) -> None:
    """Load all services, a block each, in changing order; until the time is over."""
    for each in services:
        await each.warm_up()
    began_s = time.monotonic()
    while (left := options.requests - services[0].sent) > 0 and time.monotonic() - began_s < options.most_s:
        for each in services:
            await each.block(min(options.block, left), options.at_a_time)
        services.reverse()


def pool_of(service: Loaded) -> dict[str, Any]:
    """Return what ``top`` shows."""
    found: dict[str, Any] = httpx.get(f"{service.url}/v1/pool", timeout=TIMEOUT_S).json()
    return found


def facts_of(service: Loaded) -> dict[str, Any]:
    """Return what was seen of ours: of its pool too."""
    seen = pool_of(service)
    return service.document() | {"exits": seen["exits"], "budget_mb": round(seen["budget_bytes"] / MB)}


async def killed(service: Loaded, options: argparse.Namespace) -> int:
    """Load ours while SIGKILL is sent to workers at work; return how often. How many it killed, the pool says."""
    count = 0

    async def after(done: int) -> None:
        nonlocal count
        if done % options.kill_every:
            return
        workers = [slot["worker"] for slot in pool_of(service)["slots"] if slot["worker"]]
        busy = [worker for worker in workers if worker["state"] == "busy"] or workers
        for worker in busy[:1]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker["pid"], signal.SIGKILL)
                count += 1

    await service.warm_up()
    most = options.killed_requests or options.requests
    until_s = time.monotonic() + options.most_s
    while service.sent < most and time.monotonic() < until_s:
        await service.block(min(options.block, most - service.sent), options.at_a_time, after)
    return count


async def killed_once(service: Loaded, options: argparse.Namespace) -> None:
    """Load the usual service, and kill its process once."""

    async def after(done: int) -> None:
        if done == options.kill_every:
            service.process.kill()

    await service.block(options.requests, options.at_a_time, after)


def measured(options: argparse.Namespace) -> dict[str, Any]:
    """Run everything; return the document."""
    recordings = clips()
    text = EXPERIMENTS.format(workers=options.workers, budget=options.budget)
    document: dict[str, Any] = {"host": host("moonshine-voice", "fastapi", "starlette", "uvicorn")}
    document |= {name: getattr(options, name) for name in ("at_a_time", "workers", "block", "kill_every")}
    with usual() as (url, process):
        with serving(text) as server:
            mine = Loaded(server.url, server.seen, recordings, has_pool=True)
            theirs = Loaded(url, process, recordings)
            asyncio.run(in_turns([mine, theirs], options))
            document |= {"ours": facts_of(mine), "usual": theirs.document()}
            document["rate_ratio"] = round(theirs.spent_s / mine.spent_s, 3)
        document["host_between"] = host()
        down = Loaded(url, process, recordings)
        asyncio.run(killed_once(down, options))
        document["usual_killed"] = {"requests": len(down.latencies_s), "failed": down.failed, "kills": 1}
    with serving(text) as server:
        service = Loaded(server.url, server.seen, recordings, has_pool=True)
        kills = asyncio.run(killed(service, options))
        document["ours_killed"] = facts_of(service) | {"kills": kills}
    document["host_after"] = host()
    document["wanted"] = options.requests
    return document


def highest(readings: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return at most :data:`MOST_POINTS` readings: of neighbours the highest, so that no peak is left out."""
    step = -(-len(readings) // MOST_POINTS) or 1
    return [
        max(readings[at : at + step], key=lambda reading: reading[1]) for at in range(0, len(readings), step)
    ]


def draw(document: dict[str, Any], path: Path) -> None:
    """Draw the memory of both services over the time that each was under load, and the budget, as SVG."""
    try:
        import vl_convert  # noqa: PLC0415 - only for the chart
    except ImportError as error:
        sys.exit(f"the record is written, its chart is not ({error}): pip install 'orchestrator[report]'")

    drawn = {
        NAMES["usual"]: document["usual"]["memory_mb"],
        NAMES["ours"]: document["ours"]["memory_mb"],
        "its workers, which the budget bounds": document["ours"]["pool_mb"],
    }
    values = [
        {"minutes": round(at_s / 60, 3), "MB": mb, "service": name}
        for name, readings in drawn.items()
        for at_s, mb in highest(readings)
    ]
    budget_mb = document["ours"]["budget_mb"]
    order = list(drawn)
    lines = {
        "mark": {"type": "line", "strokeWidth": 1.5, "clip": True},
        "encoding": {
            "x": {
                "field": "minutes",
                "type": "quantitative",
                "title": "minutes under load",
                "scale": {"zero": True},
            },
            "y": {"field": "MB", "type": "quantitative", "title": "memory, MB"},
            "color": {
                "field": "service",
                "type": "nominal",
                "title": None,
                "scale": {"domain": order, "range": ["#c2410c", "#1d4ed8", "#7c9bea"]},
                "legend": {"orient": "top", "labelLimit": 400, "columns": 1},
            },
        },
    }
    at_budget = {"y": {"field": "MB", "type": "quantitative"}}
    text = {"text": {"value": f"memory budget, {budget_mb} MB"}}
    line = {"type": "rule", "strokeDash": [5, 4], "color": "#555"}
    name = {"type": "text", "align": "right", "dy": -6, "x": 560, "color": "#555"}
    data = {"values": [{"MB": budget_mb}]}
    rule = {"data": data, "mark": line, "encoding": at_budget}
    label = {"data": data, "mark": name, "encoding": at_budget | text}
    spec = {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "width": 560,
        "height": 240,
        "background": "white",
        "data": {"values": values},
        "layer": [lines, rule, label],
    }
    path.write_text(vl_convert.vegalite_to_svg(json.dumps(spec)) + "\n", "utf-8")


def told(document: dict[str, Any]) -> str:
    """Return what the README says of a record."""
    ours, theirs, kills = (document[name] for name in ("ours", "usual", "ours_killed"))
    return (
        f"{ours['requests']:,} requests to each, Moonshine on {document['host']['cpus']} cores: "
        f"{document['rate_ratio']:.2f} times the requests a second of a model in the server's process, which grew to "
        f"{theirs['most_mb']:,.0f} MB; our workers took {ours['pool_most_mb']:,.0f} of {ours['budget_mb']:,} MB at "
        f"most. {ours['failed']} failed, and {kills['failed']} of {kills['requests']:,} while "
        f"{kills['exits'].get('killed', 0)} workers were killed."
    )


def main() -> None:
    """Measure, and write what was seen."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n")[0])
    parser.add_argument("--requests", type=int, default=1000, help="to each service")
    parser.add_argument("--block", type=int, default=100, help="requests of a turn")
    parser.add_argument("--at-a-time", type=int, default=4)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--budget", default="600MiB", help="memory budget of our pool")
    parser.add_argument("--kill-every", type=int, default=50)
    parser.add_argument("--killed-requests", type=int, help="of the part with kills; default: as --requests")
    parser.add_argument("--most-s", type=float, default=1800.0, help="of each of the two long parts")
    parser.add_argument("--record", default="serve", help="name of the record in benchmarks/results")
    parser.add_argument("--chart", type=Path)
    parser.add_argument("--redraw", action="store_true", help="measure nothing, draw the record again")
    options = parser.parse_args()
    if options.redraw:
        document = json.loads((RESULTS / f"{options.record}.json").read_text("utf-8"))
        draw(document, options.chart)
        print(told(document))
        return
    document = measured(options)
    quarters = [f"{name}_quarter_mb" for name in ("first", "last")]
    columns = ["requests", "failed", "requests_per_s", "p50_s", "p99_s", *quarters]
    names = ("ours", "usual", "ours_killed")
    rows = [[name, *(document[name][column] for column in columns)] for name in names]
    show("Speech services under the same load, in turns", ["service", *columns], rows)
    print(f"\nrequests/s, ours to the usual one: {document['rate_ratio']}")
    ours = document["ours"]
    print(f"workers took at most {ours['pool_most_mb']} MB of a budget of {ours['budget_mb']} MB")
    down = document["usual_killed"]
    kills = document["ours_killed"]
    print(
        f"{kills['kills']} signals, {kills['exits'].get('killed', 0)} workers killed: failed {kills['failed']};"
    )
    print(f"killed once, the usual one failed {down['failed']} of {down['requests']}")
    path = record(options.record, document)
    print(f"\nfor the README: {told(document)}")
    if options.chart:
        draw(document, options.chart)
        print(f"drawn from {path}: {options.chart}")


if __name__ == "__main__":
    main()
