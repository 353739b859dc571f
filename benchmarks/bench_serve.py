"""The same requests to ``orchestrator serve`` and to the usual service with the model in its process: memory, time.

    python benchmarks/bench_serve.py [--requests 1000] [--at-a-time 4] [--kill-every 50] [--most-s 1800]

Clips of 4 to 11 s of speech, to Moonshine. Each service alone, first ours, then the usual one (``usual_service.py``):
requests per second, p50 and p99, what failed, and the memory of the whole service over time. Then ours once more with
a worker killed every so many requests. (The usual service has no worker: whoever kills its model kills it.) Writes
``benchmarks/results/serve.json``, and ``--chart FILE`` draws memory over time of both.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
EXPERIMENTS = """
schema = 1
[profiles.embedded.models.asr-small]
engine = "moonshine"
[serve]
workers = {workers}
memory_budget = "600MiB"
max_queue = 64
keep_warm = ["asr-small"]
"""


def clips() -> list[bytes]:
    """Return recordings of 4 to 11 s: the sample, again and again, cut at different lengths."""
    with wave.open(str(SAMPLES / "jfk.wav"), "rb") as sample:
        settings, frames = sample.getparams(), sample.readframes(sample.getnframes())
    made = []
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
    """Return the RSS of a process and of all that it has started."""
    total = 0
    for each in (process, *process.children(recursive=True)):
        try:
            total += each.memory_info().rss
        except psutil.Error:
            continue
    return total


@contextmanager
def usual() -> Iterator[tuple[str, psutil.Process]]:
    """Start the usual service; give its address and process."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "--app-dir",
        str(HERE),
        "--port",
        str(port),
        "usual_service:app",
    ]
    process = subprocess.Popen([*command, "--log-level", "warning"])
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


async def load(
    url: str, process: psutil.Process, options: argparse.Namespace, after: Callable[[int], None]
) -> dict[str, Any]:
    """Send all requests; return what was seen. ``after`` is called after each with their number."""
    recordings = clips()
    seconds: list[float] = []
    failed = 0
    memory: list[tuple[float, float]] = []
    began = time.monotonic()
    sent = 0

    async def sender(client: httpx.AsyncClient) -> None:
        nonlocal sent, failed
        while sent < options.requests and time.monotonic() - began < options.most_s:
            sent += 1
            files = {"file": ("clip.wav", recordings[sent % CLIPS])}
            at_s = time.monotonic()
            try:
                answer = await client.post(ADDRESS, files=files)
                failed += answer.status_code != 200 or not answer.json()["text"]
            except httpx.HTTPError:
                failed += 1
            seconds.append(time.monotonic() - at_s)
            memory.append((round(time.monotonic() - began, 1), round(tree_bytes(process) / MB, 1)))
            after(len(seconds))

    async with httpx.AsyncClient(base_url=url, timeout=TIMEOUT_S) as client:
        for _ in range(2):
            await client.post(ADDRESS, files={"file": ("clip.wav", recordings[0])})
        began = time.monotonic()
        await asyncio.gather(*(sender(client) for _ in range(options.at_a_time)))
    took_s = time.monotonic() - began
    ordered = sorted(seconds)
    quarter = max(1, len(memory) // 4)
    return {
        "requests": len(seconds),
        "failed": failed,
        "seconds": round(took_s, 1),
        "requests_per_s": round(len(seconds) / took_s, 3),
        "p50_s": round(ordered[(len(ordered) - 1) // 2], 3),
        "p99_s": round(ordered[-(-len(ordered) * 99 // 100) - 1], 3),
        "memory_first_quarter_mb": round(sum(mb for _, mb in memory[:quarter]) / quarter, 1),
        "memory_last_quarter_mb": round(sum(mb for _, mb in memory[-quarter:]) / quarter, 1),
        "memory_mb": memory,
    }


def killer(process: psutil.Process, every: int) -> Callable[[int], None]:
    """Return what kills a worker of the server after every so many requests."""

    def after(done: int) -> None:
        if every and done % every == 0:
            children = process.children(recursive=True)
            loaded = [child for child in children if child.memory_info().rss > 100 * MB]
            for child in loaded[:1]:
                os.kill(child.pid, signal.SIGKILL)

    return after


def ours(options: argparse.Namespace, kill_every: int) -> dict[str, Any]:
    """Load ours; return what was seen."""
    with serving(EXPERIMENTS.format(workers=options.workers)) as server:
        after = killer(server.seen, kill_every)
        found = asyncio.run(load(server.url, server.seen, options, after))
        pool = httpx.get(f"{server.url}/v1/pool", timeout=TIMEOUT_S).json()
        return found | {"exits": pool["exits"], "budget_mb": round(pool["budget_bytes"] / MB)}


def draw(document: dict[str, Any], path: Path) -> None:
    """Draw the memory of both services over their requests, as SVG."""
    import vl_convert  # noqa: PLC0415 - only for the chart

    names = {"ours": "orchestrator serve", "usual": "model in the server's process"}
    values = [
        {"request": number, "MB": mb, "service": names[which]}
        for which in names
        for number, (_, mb) in enumerate(document[which]["memory_mb"], 1)
    ]
    spec = {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "width": 560,
        "height": 240,
        "data": {"values": values},
        "mark": {"type": "line", "strokeWidth": 1.5},
        "encoding": {
            "x": {"field": "request", "type": "quantitative", "title": "requests answered"},
            "y": {"field": "MB", "type": "quantitative", "title": "memory of the whole service, MB"},
            "color": {"field": "service", "type": "nominal", "title": None, "legend": {"orient": "top"}},
        },
    }
    path.write_text(vl_convert.vegalite_to_svg(json.dumps(spec)))


def main() -> None:
    """Measure, and write what was seen."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--at-a-time", type=int, default=4)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--kill-every", type=int, default=50)
    parser.add_argument("--most-s", type=float, default=1800.0, help="of each of the three parts")
    parser.add_argument("--chart", type=Path)
    options = parser.parse_args()
    document: dict[str, Any] = {"host": host("moonshine-voice", "fastapi", "starlette", "uvicorn")}
    document |= {"at_a_time": options.at_a_time, "workers": options.workers}
    document["ours"] = ours(options, 0)
    with usual() as (url, process):
        document["usual"] = asyncio.run(load(url, process, options, lambda _: None))
    document["ours_killed"] = ours(options, options.kill_every) | {"kill_every": options.kill_every}
    document["host_after"] = host()
    columns = ["requests", "failed", "requests_per_s", "p50_s", "p99_s"]
    columns += ["memory_first_quarter_mb", "memory_last_quarter_mb"]
    rows = [
        [name, *(document[name][column] for column in columns)] for name in ("ours", "usual", "ours_killed")
    ]
    show("Speech services under the same load", ["service", *columns], rows)
    record("serve", document)
    if options.chart:
        draw(document, options.chart)
        print(f"drawn from {RESULTS / 'serve.json'}: {options.chart}")


if __name__ == "__main__":
    main()
