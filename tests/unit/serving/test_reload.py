"""SIGHUP where pools cannot be started: which one there is then, and what supervisors see."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("python_multipart", reason="needs the extra 'serve'")
pytest.importorskip("starlette", reason="needs the extra 'serve'")

from orchestrator.errors import OrchestratorError
from orchestrator.serving import service as module
from orchestrator.serving.api_errors import ApiError
from orchestrator.serving.looking import Looking
from orchestrator.serving.service import Service


class Files:
    """The configuration on disk, and which of those there were can be started."""

    def __init__(self) -> None:
        self.name = "old"
        self.can_start = {"old"}
        self.closed: list[str] = []

    def read(self, *_: object, waits: bool = False) -> Any:
        assert not waits, "a reload waits for no writer of a pipe: nothing could interrupt it"
        name = self.name
        settings = SimpleNamespace(keys=(), keep_warm=(), max_requests=1)
        return SimpleNamespace(name=name, settings=settings, same_pool=lambda other: other.name == name)

    def start(self, configuration: Any, _: Path) -> Any:
        if configuration.name not in self.can_start:
            raise OrchestratorError(f"{configuration.name} cannot be started")

        def close(*, drop: bool) -> None:
            self.closed.append(configuration.name)

        return SimpleNamespace(
            configuration=configuration,
            settings=configuration.settings,
            pool=SimpleNamespace(stats=lambda: SimpleNamespace(slots=())),
            under_way=0,
            warm=False,
            close=close,
        )


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> Files:
    made = Files()
    monkeypatch.setattr(module, "read_configuration", made.read)
    monkeypatch.setattr(module, "start", made.start)
    return made


def within(files: Files, folder: Path, work: Callable[[Service], Awaitable[None]]) -> None:
    async def whole() -> None:
        service = Service(Path("experiments.toml"), "auto", {})
        inner: Any = service
        inner._folder = SimpleNamespace(path=folder)
        inner._loaded = files.start(files.read(), folder)
        await work(service)

    asyncio.run(whole())


async def is_live(service: Service) -> bool:
    nothing: Any = None
    try:
        await Looking(service).live(nothing)
    except ApiError as error:
        return error.status != 503
    return True


def test_without_any_pool_a_server_is_neither_live_nor_ready_until_a_reload_helps(
    files: Files, tmp_path: Path
) -> None:
    async def work(service: Service) -> None:
        assert await is_live(service)
        files.name, files.can_start = "new", set()
        await service.reload()
        assert not await is_live(service)
        assert not await service.is_ready()
        with pytest.raises(ApiError) as refused:
            async with service.entry():
                pass
        assert refused.value.status == 503
        # The file is as it was when there was a pool: that is no reason to keep the one that is closed.
        files.name, files.can_start = "old", {"old"}
        await service.reload()
        assert await is_live(service)
        assert await service.is_ready()

    within(files, tmp_path, work)


def test_a_new_pool_that_cannot_be_started_leaves_one_as_before(files: Files, tmp_path: Path) -> None:
    async def work(service: Service) -> None:
        files.name = "new"
        await service.reload()
        configuration: Any = service.loaded.configuration
        assert configuration.name == "old"
        assert await is_live(service)
        assert await service.is_ready()

    within(files, tmp_path, work)
    assert files.closed == ["old"]
