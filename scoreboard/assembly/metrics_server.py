"""/healthz, /readyz and /metrics on a port of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from aiohttp import web

from scoreboard.api.health import HealthHandlers
from scoreboard.api.problems import HEADERS
from scoreboard.assembly.listening import http_runner, listen
from scoreboard.settings import Settings

log = structlog.get_logger(__name__)


@asynccontextmanager
async def observable(
    settings: Settings, health: HealthHandlers, port: int, *, variable: str, shared: bool
) -> AsyncIterator[None]:
    """Answers on ``port``, unless it is 0, during the block; with ``shared`` other processes may
    answer there too. Raises ConfigurationError, which names the ``variable`` that sets the port."""
    if not port:
        yield
        return
    app = web.Application()
    app.router.add_get("/healthz", health.healthz)
    app.router.add_get("/readyz", health.readyz)
    app.router.add_get("/metrics", health.metrics)
    app.on_response_prepare.append(_harden)
    runner = http_runner(app, settings, shutdown_timeout=1)
    await runner.setup()
    try:
        await listen(
            runner,
            settings.host,
            port,
            variable=variable,
            reuse_port=shared,
        )
        log.info("observable", addresses=runner.addresses)
        yield
    finally:
        await runner.cleanup()


async def _harden(_: web.BaseRequest, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)
