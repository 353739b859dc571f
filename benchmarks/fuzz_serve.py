"""Requests changed at random, sent to a server: none may be answered 500, and the server must live.

    python benchmarks/fuzz_serve.py [--requests 5000] [--seed 1] [--most-s 600]

A whole request (a form with a recording, for each endpoint and format) is taken, and one to four things are done to
its bytes: flipped, cut out, doubled, put in, cut off, or a header or field is replaced by something nasty. It is sent
and the status is read; a server that still waits for the rest after some seconds (``waits``) is told that there is
none. In the end a plain request must be answered as at the beginning.
Writes ``benchmarks/results/fuzz_serve.json``.
"""

from __future__ import annotations

import argparse
import io
import random
import socket
import time
import wave
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx
from recording import host, record, show
from serve_process import ServeProcess, files_of, serving

SAMPLE = Path(__file__).parents[1] / "samples" / "phone-en.wav"
EXPERIMENTS = """
schema = 1
[profiles.lab.models.asr-small]
engine = "synthetic"
options = { text = "one two three" }
[profiles.lab.models.aligner]
engine = "synthetic"
[serve]
workers = 2
max_upload = "2MiB"
upload_timeout_s = 5
"""


def clip() -> bytes:
    """Return a recording of a third of a second."""
    with io.BytesIO() as file:
        with wave.open(file, "wb") as made:
            made.setnchannels(1)
            made.setsampwidth(2)
            made.setframerate(16_000)
            made.writeframes(bytes(10_666))
        return file.getvalue()


TIMEOUT_S = 30.0
WAIT_S = 3.0
AT_A_TIME = 32
NASTY = [
    b"\x00", b"\r\n", b"\r\n\r\n", b"--b", b"--b--", b"%00", b"../../etc/passwd", b"\xff\xfe", b"A" * 9000,
    b"-1", b"99999999999999999999", b"chunked", b"http://127.0.0.1/", "大".encode(), b"'\"<>", b"NaN", b"{}",
]  # fmt: skip
CLIP = clip()
PATHS = [
    b"/v1/audio/transcriptions",
    b"/v1/align",
    b"/v1/audio/translations",
    b"/v1/models/x",
    b"/v1/pool",
    b"/",
]


def whole(draw: random.Random) -> bytes:
    """Return a request as a client would send it."""
    fields = [
        (b"model", draw.choice([b"asr-small", b"whisper-1", b"aligner"])),
        (b"response_format", draw.choice([b"json", b"json", b"text", b"srt", b"vtt", b"verbose_json"])),
        (b"stream", draw.choice([b"true", b"false", b"false"])),
        (b"text", b"one two"),
        (b"language", draw.choice([b"en", b"zh-TW", b""])),
    ]
    recording = CLIP if draw.random() < 0.8 else CLIP[: draw.choice([0, 44, 3000])]
    parts = [b'--b\r\ncontent-disposition: form-data; name="%s"\r\n\r\n%s\r\n' % each for each in fields]
    draw.shuffle(parts)
    file = (
        b'--b\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\n' + recording + b"\r\n"
    )
    body = b"".join(parts[: draw.randrange(len(parts) + 1)]) + file + b"--b--\r\n"
    head = b"POST %s HTTP/1.1\r\nhost: 127.0.0.1\r\n" % draw.choice(PATHS[:2] * 4 + PATHS)
    head += b"content-type: multipart/form-data; boundary=b\r\ncontent-length: %d\r\n\r\n" % len(body)
    return head + body


def changed(request: bytes, draw: random.Random) -> bytes:
    """Return a request to which a few things were done; most of them near its beginning."""
    for _ in range(draw.randint(1, 4)):
        within = len(request) if draw.random() < 0.3 else min(len(request), 900)
        at = draw.randrange(max(1, within))
        match draw.randrange(6):
            case 0:
                request = request[:at] + bytes([draw.randrange(256)]) + request[at + 1 :]
            case 1:
                request = request[:at] + request[at + draw.randint(1, 40) :]
            case 2:
                request = request[:at] + request[at : at + draw.randint(1, 200)] * 2 + request[at + 1 :]
            case 3:
                request = request[:at] + draw.choice(NASTY) + request[at:]
            case 4:
                request = request[: max(1, at)]
            case _:
                value = draw.choice(
                    [b"b", b"content-length: ", b"file", b"multipart", b"127.0.0.1", b"form-data"]
                )
                request = request.replace(value, draw.choice(NASTY), 1)
    return request


def sent(server: ServeProcess, request: bytes) -> str:
    """Send bytes; return the status, ``closed`` without one."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT_S) as connection:
        try:
            connection.sendall(request)
            connection.settimeout(WAIT_S)
            try:
                answer = connection.recv(64)
            except TimeoutError:
                connection.settimeout(TIMEOUT_S)
                connection.shutdown(socket.SHUT_WR)
                connection.recv(64)
                return "waits"
        except TimeoutError:
            return "silent"
        except OSError:
            return "closed"
    return answer[9:12].decode("ascii", "replace") if answer.startswith(b"HTTP/") else "closed"


def asked(server: ServeProcess) -> str:
    """Send a plain request; return its text."""
    with open(SAMPLE, "rb") as recording:
        answer = httpx.post(
            f"{server.url}/v1/audio/transcriptions", files={"file": recording}, timeout=TIMEOUT_S
        )
    return str(answer.json()["text"])


def main() -> None:
    """Fuzz, and write what was seen."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("--requests", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--most-s", type=float, default=600.0)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    statuses: Counter[str] = Counter()
    with serving(EXPERIMENTS) as server:
        before = asked(server)
        descriptors = server.seen.num_fds()
        began = time.monotonic()
        with ThreadPoolExecutor(AT_A_TIME) as threads:
            while statuses.total() < options.requests and time.monotonic() - began < options.most_s:
                requests = [changed(whole(draw), draw) for _ in range(AT_A_TIME)]
                for request, status in zip(
                    requests, threads.map(partial(sent, server), requests), strict=True
                ):
                    statuses[status] += 1
                    if status in {"500", "silent"}:
                        print(f"{status} for {request[:400]!r}")
        seconds = time.monotonic() - began
        after = asked(server)
        time.sleep(1)
        left = {"descriptors": server.seen.num_fds() - descriptors, "files": files_of(server)}
        failures = [line for line in server.lines() if line.get("event") == "failure"]
    good = not statuses["500"] and not statuses["silent"] and not failures and before == after
    show("Requests changed at random", ["status", "requests"], sorted(statuses.items()))
    print(f"{'good' if good else 'NOT GOOD'}: {statuses.total()} in {seconds:.0f} s; left {left}")
    record(
        "fuzz_serve",
        {
            "host": host("starlette", "uvicorn", "python-multipart"),
            "seed": options.seed,
            "requests": statuses.total(),
            "seconds": round(seconds, 1),
            "statuses": dict(sorted(statuses.items())),
            "failures_in_log": len(failures),
            "same_answer_after": before == after,
            "left": left,
            "good": good,
        },
    )
    raise SystemExit(0 if good else 1)


if __name__ == "__main__":
    main()
