"""All endpoints together, as an ASGI application."""

from __future__ import annotations

from starlette.routing import Route, Router

from orchestrator.serving.edge import Edge
from orchestrator.serving.looking import Looking
from orchestrator.serving.service import Service
from orchestrator.serving.speech import Alignments, Transcriptions, translations


def application(service: Service, *, own_host: str = "127.0.0.1", open_to_all: bool = False) -> Edge:
    """Return the application. Arguments as :class:`~orchestrator.serving.edge.Edge`."""
    look = Looking(service)
    router = Router(
        [
            Route("/v1/audio/transcriptions", Transcriptions(service), methods=["POST"]),
            Route("/v1/audio/translations", translations, methods=["POST"]),
            Route("/v1/align", Alignments(service), methods=["POST"]),
            Route("/v1/models", look.models, methods=["GET"]),
            Route("/v1/models/{name:path}", look.model, methods=["GET"]),
            Route("/v1/pool", look.pool, methods=["GET"]),
            Route("/metrics", look.metrics, methods=["GET"]),
            Route("/health", look.ready, methods=["GET"]),
            Route("/health/live", look.live, methods=["GET"]),
            Route("/health/ready", look.ready, methods=["GET"]),
            Route("/", look.page, methods=["GET"]),
        ],
        redirect_slashes=False,
    )
    return Edge(router, service, own_host=own_host, open_to_all=open_to_all)
