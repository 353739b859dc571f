"""Many thousand requests to a server on the synthetic engine, 2 % of them faulty: each answered once, nothing left.

    python benchmarks/soak_serve.py [--requests 20000] [--at-a-time 8] [--seed 1] [--most-s 3600]

Faults are of every kind: the engine raises, its process exits, aborts, is killed or breaks the protocol; a client
leaves, sends what is no form, no recording, too much, or asks for a model that is not there. Each has its right status.
Meanwhile clients that send a byte a second are there. Looked at in the end: statuses, children, descriptors and files
of the server, and its memory over time. Writes ``benchmarks/results/soak_serve.json``.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from recording import host, record, show
from serve_process import ServeProcess, files_of, serving

SAMPLE = (Path(__file__).parents[1] / "samples" / "phone-en.wav").read_bytes()
ADDRESS = "/v1/audio/transcriptions"
FAULT_SHARE = 0.02
ENGINE_FAULTS = ("raise", "exit", "abort", "segfault", "kill", "garbage")
SLOW_CLIENTS = 200
TIMEOUT_S = 120.0
MB = 1024 * 1024
EXPERIMENTS = """
schema = 1
[profiles.lab.models.asr-small]
engine = "synthetic"
options = {{ text = "one two three" }}
{faulty}
[recycle]
max_jobs = 200
[serve]
workers = 2
max_queue = 64
max_upload = "1MiB"
""".format(
    faulty="\n".join(
        f'[profiles.lab.models.{how}]\nengine = "synthetic"\noptions = {{ faults = [{{ how = "{how}" }}] }}'
        for how in ENGINE_FAULTS
    )
)


@dataclass
class Seen:
    """What was seen, by kind of request."""

    statuses: dict[str, Counter[str]] = field(default_factory=dict)
    memory_mb: list[tuple[float, float]] = field(default_factory=list)

    def add(self, kind: str, status: str) -> None:
        """Count an answer."""
        self.statuses.setdefault(kind, Counter())[status] += 1


def _form(model: str = "asr-small", recording: bytes = SAMPLE) -> dict[str, Any]:
    return {"files": {"file": ("a.wav", recording)}, "data": {"model": model}}


CLIENT_FAULTS: dict[str, tuple[Callable[[], dict[str, Any]], str]] = {
    "no form": (lambda: {"content": b"{}", "headers": {"content-type": "application/json"}}, "415"),
    "no recording": (lambda: {"files": {"model": (None, "asr-small")}}, "400"),
    "no audio": (lambda: _form(recording=b"nothing of the kind" * 9), "400"),
    "too large": (lambda: _form(recording=bytes(2 * MB)), "413"),
    "unknown model": (lambda: _form(model="unknown"), "404"),
}
EXPECTED = (
    {"plain": "200", "leaves": "left"}
    | dict.fromkeys(ENGINE_FAULTS, "500")
    | {name: status for name, (_, status) in CLIENT_FAULTS.items()}
)


async def ask(client: httpx.AsyncClient, kind: str, seen: Seen) -> None:
    """Send one request of a kind."""
    plain = _form(kind if kind in ENGINE_FAULTS else "asr-small")
    what = CLIENT_FAULTS[kind][0]() if kind in CLIENT_FAULTS else plain
    try:
        wait_s = 0.002 if kind == "leaves" else TIMEOUT_S
        answer = await client.post(ADDRESS, timeout=httpx.Timeout(TIMEOUT_S, read=wait_s), **what)
    except httpx.ReadTimeout:
        seen.add(kind, "left")
    except httpx.HTTPError as error:
        seen.add(kind, type(error).__name__)
    else:
        seen.add(kind, "left" if kind == "leaves" else str(answer.status_code))


async def drip(port: int, over: asyncio.Event) -> None:
    """Be a client that sends a byte a second."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    request = b"POST /v1/audio/transcriptions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 900000\r\n"
    request += b"content-type: multipart/form-data; boundary=b\r\n\r\n"
    writer.write(request)
    while not over.is_set():
        try:
            writer.write(b"-")
            await writer.drain()
            await asyncio.wait_for(over.wait(), 1.0)
        except TimeoutError:
            continue
        except ConnectionError:
            break  # its upload was not there in time
    writer.close()


async def each_once(server: ServeProcess) -> None:
    """Ask once in each way, so that every model has a worker before descriptors are counted."""
    async with httpx.AsyncClient(base_url=server.url) as client:
        for kind in EXPECTED:
            await ask(client, kind, Seen())


async def load(server: ServeProcess, options: argparse.Namespace, seen: Seen) -> float:
    """Send all requests; return the seconds."""
    draw = random.Random(options.seed)
    faults = [kind for kind in EXPECTED if kind != "plain"]
    left = options.requests
    began = time.monotonic()
    over = asyncio.Event()

    async def sender(client: httpx.AsyncClient) -> None:
        nonlocal left
        while left > 0 and time.monotonic() - began < options.most_s:
            left -= 1
            if left % 100 == 0:
                seen.memory_mb.append(
                    (round(time.monotonic() - began, 1), round(server.tree_bytes() / MB, 1))
                )
            await ask(client, draw.choice(faults) if draw.random() < FAULT_SHARE else "plain", seen)

    slow = [asyncio.create_task(drip(server.port, over)) for _ in range(options.slow)]
    async with httpx.AsyncClient(base_url=server.url) as client:
        await asyncio.gather(*(sender(client) for _ in range(options.at_a_time)))
    seconds = time.monotonic() - began
    over.set()
    await asyncio.gather(*slow, return_exceptions=True)
    return seconds


def main() -> None:
    """Soak, and write what was seen."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--at-a-time", type=int, default=8)
    parser.add_argument("--slow", type=int, default=SLOW_CLIENTS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--most-s", type=float, default=3600.0)
    options = parser.parse_args()
    seen = Seen()
    with serving(EXPERIMENTS) as server:
        asyncio.run(each_once(server))
        time.sleep(1)
        before = server.seen.num_fds()
        seconds = asyncio.run(load(server, options, seen))
        time.sleep(3)
        left = {
            "connections": sum(each.status == "ESTABLISHED" for each in server.seen.net_connections("tcp")),
            "descriptors": server.seen.num_fds() - before,
            "files": files_of(server),
        }
        statuses_in_log = Counter(
            str(line["status"]) for line in server.lines() if line.get("event") == "request"
        )
        children = server.seen.children(recursive=True)
    left["children"] = sum(child.is_running() for child in children)
    wrong = {kind: dict(counts) for kind, counts in seen.statuses.items() if set(counts) != {EXPECTED[kind]}}
    requests = sum(counts.total() for counts in seen.statuses.values())
    good = not wrong and not left["connections"] and not left["files"] and not left["children"]
    show(
        "Requests by kind",
        ["kind", "expected", "answers"],
        [(kind, EXPECTED[kind], dict(counts)) for kind, counts in sorted(seen.statuses.items())],
    )
    print(f"{'good' if good else 'NOT GOOD'}: {requests} in {seconds:.0f} s; left {left}; wrong {wrong}")
    record(
        "soak_serve",
        {
            "host": host("starlette", "uvicorn", "python-multipart"),
            "seed": options.seed,
            "requests": requests,
            "at_a_time": options.at_a_time,
            "slow_clients": options.slow,
            "seconds": round(seconds, 1),
            "statuses": {kind: dict(counts) for kind, counts in sorted(seen.statuses.items())},
            "statuses_in_log": dict(sorted(statuses_in_log.items())),
            "wrong": wrong,
            "left": left,
            "memory_mb": seen.memory_mb,
            "good": good,
        },
    )
    raise SystemExit(0 if good else 1)


if __name__ == "__main__":
    main()
