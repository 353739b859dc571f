"""The examples, run as their users would: with a model of the synthetic engine in the real one's place."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import logging
import sys
import wave
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import orchestrator_worker
from orchestrator import Model, Pool

EXAMPLES = Path(orchestrator_worker.__file__).parents[2] / "examples"


def load(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{Path(path).stem}", EXAMPLES / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def model(**options: Any) -> Model:
    return Model(
        name="asr-small", engine="synthetic", options={"text": "one two three four", "tokens": 4, **options}
    )


@pytest.fixture
def tone(tmp_path: Path) -> Path:
    path = tmp_path / "tone.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(b"\x01\x00" * 8000)
    return path


# ---------------------------------------------------------------- the web service


def events(body: str) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for block in body.strip().split("\n\n"):
        name, data = block.split("\n")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


async def ask(app: Any, requests: Any) -> Any:
    """Run ``requests(client)`` against the application within its lifespan."""
    import httpx

    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://example", timeout=60) as client:
            return await requests(client)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    pytest.importorskip("fastapi", reason="the example's own dependency, in the extra 'dev'")
    monkeypatch.setenv("ORCHESTRATOR_EXAMPLE_APP", "0")
    return load("fastapi_service/app.py")


def test_the_service_streams_text_and_then_the_result(service: ModuleType, tone: Path) -> None:
    app = service.create_app(models=[model()])

    async def requests(client: Any) -> Any:
        answer = await client.post("/transcribe", content=tone.read_bytes())
        return answer, await client.get("/health")

    answer, health = asyncio.run(ask(app, requests))
    assert answer.headers["content-type"].startswith("text/event-stream")
    told = events(answer.text)
    assert [name for name, _ in told] == ["text"] * 4 + ["result"]
    assert "".join(data["text"] for name, data in told if name == "text") == "one two three four"
    assert told[-1][1]["text"] == "one two three four"
    assert health.json()["workers"][0]["model"] == "asr-small"


def test_the_service_refuses_what_is_too_much_and_goes_on(service: ModuleType, tone: Path) -> None:
    app = service.create_app(models=[model(job_ms=500)], most_bytes=20_000, most_requests=1)

    async def requests(client: Any) -> list[int]:
        too_big = await client.post("/transcribe", content=b"x" * 30_000)
        empty = await client.post("/transcribe", content=b"")
        both = await asyncio.gather(
            *(client.post("/transcribe", content=tone.read_bytes()) for _ in range(2))
        )
        after = await client.post("/transcribe", content=tone.read_bytes())
        return [
            too_big.status_code,
            empty.status_code,
            *sorted(one.status_code for one in both),
            after.status_code,
        ]

    assert asyncio.run(ask(app, requests)) == [413, 400, 200, 503, 200]


def test_a_job_that_fails_is_an_event_and_the_service_goes_on(service: ModuleType, tone: Path) -> None:
    app = service.create_app(models=[model(faults=[{"how": "segfault", "job": 1}])])

    async def requests(client: Any) -> list[Any]:
        return [
            events((await client.post("/transcribe", content=body)).text)
            for body in (b"no audio", tone.read_bytes())
        ]

    no_audio, crashed = asyncio.run(ask(app, requests))
    assert no_audio[-1][0] == "error"
    assert "audio" in no_audio[-1][1]["message"]
    assert crashed[-1][0] == "error"
    assert "SIGSEGV" in crashed[-1][1]["message"]


# ---------------------------------------------------------------- asyncio, data frames


def test_the_asyncio_consumer_keeps_the_order_and_names_what_failed(tone: Path) -> None:
    example = load("asyncio_consumer/consume.py")

    async def main() -> list[tuple[str, str]]:
        recordings: asyncio.Queue[str | None] = asyncio.Queue()
        for path in (str(tone), str(tone.parent), str(tone), None):
            recordings.put_nowait(path)
        return [pair async for pair in example.consume(recordings, models=[model()])]

    first, second, third = asyncio.run(main())
    assert first == third == (str(tone), "one two three four")
    assert second[0] == str(tone.parent)
    assert "is a folder" in second[1]


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_column_of_recordings_becomes_a_column_of_text(
    library: str, tone: Path, caplog: pytest.LogCaptureFixture
) -> None:
    frames = pytest.importorskip(library, reason="the example's own dependency, in the extra 'dev'")
    example = load("dataframes/transcribe_column.py")
    frame = frames.DataFrame({"recording": [str(tone), str(tone.parent / "missing.wav")]})
    with Pool(models=[model()]) as pool, caplog.at_level(logging.WARNING):
        texts = example.transcribe_column(frame["recording"], pool)
    assert texts == ["one two three four", None]
    assert "there is no such file" in caplog.text
