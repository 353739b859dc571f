"""The endpoints that only look: models, health, metrics, the pool, the page."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from orchestrator.errors import EngineUnavailableError
from orchestrator.serving.answers import json_answer
from orchestrator.serving.api_errors import ApiError, busy
from orchestrator.serving.page import CONTENT_SECURITY_POLICY, PAGE
from orchestrator.serving.service import Service

OWNER = "orchestrator"


class Looking:
    """Answers from what a service knows."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def models(self, _: Request) -> Response:
        """Answer ``GET /v1/models``: the models of the profile, then their other names."""
        offer = self._service.loaded.configuration.offer
        return json_answer(
            {"object": "list", "data": [self._model(name) for name in (*offer.engines, *offer.aliases)]}
        )

    async def model(self, request: Request) -> Response:
        """Answer ``GET /v1/models/NAME``."""
        offer = self._service.loaded.configuration.offer
        name = request.path_params["name"]
        offer.named(name, offer.model)
        return json_answer(self._model(name))

    def _model(self, name: str) -> dict[str, Any]:
        return {"id": name, "object": "model", "created": self._service.created, "owned_by": OWNER}

    async def live(self, _: Request) -> Response:
        """Answer ``GET /health/live``: whether a pool decides anything; else the process is to be replaced."""
        if not self._service.has_pool:
            raise ApiError(503, "there is no pool: a reload could start none", code="not_live")
        try:
            await self._service.stats()
        except TimeoutError:
            raise ApiError(503, "the pool does not answer", code="not_live") from None
        return json_answer({"status": "live"})

    async def ready(self, _: Request) -> Response:
        """Answer ``GET /health/ready``: whether requests are welcome."""
        try:
            ready = await self._service.is_ready()
        except TimeoutError:
            ready = False
        if not ready:
            raise busy(
                "the server is not ready: it starts, stops, or reads its configuration", "not_ready", 503
            )
        return json_answer({"status": "ready"})

    async def pool(self, _: Request) -> Response:
        """Answer ``GET /v1/pool``: what ``orchestrator top`` shows."""
        snapshot = await asyncio.to_thread(self._service.snapshot)
        return Response(msgspec.json.encode(snapshot), media_type="application/json")

    async def metrics(self, _: Request) -> Response:
        """Answer ``GET /metrics`` for Prometheus."""
        from orchestrator.pool.prometheus import metrics_of  # noqa: PLC0415 - its package is looked for when asked

        stats = await self._service.stats()
        try:
            from prometheus_client import CONTENT_TYPE_LATEST, generate_latest  # noqa: PLC0415
            from prometheus_client.registry import Collector, CollectorRegistry  # noqa: PLC0415
        except ImportError as error:
            what = f"metrics for Prometheus need the package prometheus-client ({error})"
            raise EngineUnavailableError(what, "pip install 'orchestrator[serve]'") from error

        class Once(Collector):
            def collect(self) -> Any:
                return metrics_of(stats)

        registry = CollectorRegistry()
        registry.register(Once())
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    async def page(self, _: Request) -> Response:
        """Answer ``GET /``."""
        headers = {"content-security-policy": CONTENT_SECURITY_POLICY, "referrer-policy": "no-referrer"}
        return Response(PAGE, media_type="text/html; charset=utf-8", headers=headers)
