"""/healthz and /metrics of a process that has no API of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import structlog
from aiohttp import web

from scoreboard.api.health import HealthHandlers, Probe
from scoreboard.assembly.listening import listen
from scoreboard.settings import Settings

log = structlog.get_logger(__name__)


@asynccontextmanager
async def observable(settings: Settings, probes: Mapping[str, Probe]) -> AsyncIterator[None]:
    """Serves /healthz and /metrics on ``settings.metrics_port``, if that is set, during the block;
    ``probes`` run before each answer of /metrics. Raises ConfigurationError."""
    if not settings.metrics_port:
        yield
        return
    health = HealthHandlers({}, probes)
    app = web.Application()
    app.router.add_get("/healthz", health.healthz)
    app.router.add_get("/metrics", health.metrics)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1)
    await runner.setup()
    try:
        await listen(
            runner, settings.host, settings.metrics_port, variable="SCOREBOARD_METRICS_PORT"
        )
        log.info("observable", addresses=runner.addresses)
        yield
    finally:
        await runner.cleanup()
