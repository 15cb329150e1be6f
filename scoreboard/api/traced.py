"""The span of a call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.typedefs import Handler

if TYPE_CHECKING:
    from scoreboard.telemetry.tracing import Tracer


def is_traced(path: str) -> bool:
    """Whether calls of this path are traced: those of the API. Probes and pages would bury them,
    and a WebSocket lasts for hours."""
    return path.startswith("/api/")


def traced(handler: Handler, tracer: Tracer, route: str) -> Handler:
    """``handler``, whose calls have spans."""

    async def trace(request: web.Request) -> web.StreamResponse:
        with tracer.answering(request.method, route, request.headers) as span:
            response = await handler(request)
            span.answered(response.status)
            return response

    return trace
