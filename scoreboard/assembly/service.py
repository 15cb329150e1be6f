"""The HTTP and WebSocket service from start to stop."""

from __future__ import annotations

import asyncio
import gc
import signal

import structlog
from aiohttp import web

from scoreboard.assembly.application import END, HEALTH, application
from scoreboard.assembly.descriptors import fitted, make_room
from scoreboard.assembly.listening import http_runner, listen
from scoreboard.assembly.metrics_server import observable
from scoreboard.assembly.shortages import log_shortages_sparingly
from scoreboard.assembly.threads import start_threads
from scoreboard.assembly.tracing import tracing
from scoreboard.settings import Settings
from scoreboard.telemetry import sharing

log = structlog.get_logger(__name__)

SHUTDOWN_TIMEOUT = 10.0  # seconds that requests in flight may take at shutdown
OWN_DESCRIPTORS = 512  # beside those of clients: connections to servers, files


async def serve(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT. Raises ConfigurationError."""
    limit = make_room(
        settings.max_connections + settings.max_http_connections + OWN_DESCRIPTORS,
        remedy="raise the hard limit (ulimit -Hn, LimitNOFILE), or lower "
        "SCOREBOARD_MAX_CONNECTIONS and SCOREBOARD_MAX_HTTP_CONNECTIONS",
    )
    settings = fitted(settings, limit, own=OWN_DESCRIPTORS)
    log_shortages_sparingly()
    await start_threads()
    loop = asyncio.get_running_loop()
    async with tracing("scoreboard-serve") as tracer:
        app = await application(settings, tracer)
        end = app[END] = loop.create_future()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, _end_by_signal, end)
        await _answer(app, settings, end)


async def _answer(app: web.Application, settings: Settings, end: asyncio.Future[None]) -> None:
    """Answers until ``end``."""
    runner = http_runner(app, settings, shutdown_timeout=SHUTDOWN_TIMEOUT)
    async with observable(
        settings,
        app[HEALTH],
        settings.serve_metrics_port,
        variable="SCOREBOARD_SERVE_METRICS_PORT",
        shared=settings.reuse_port,
    ):
        await runner.setup()
        try:
            await listen(
                runner,
                settings.host,
                settings.port,
                variable="SCOREBOARD_PORT",
                backlog=4096,
                reuse_port=settings.reuse_port,
            )
            spare_collections()
            log.info("serving", addresses=runner.addresses)
            if settings.reuse_port and sharing.folder() is None:
                log.warning("metrics_of_one_process", remedy=f"set {sharing.VARIABLE}")
            await end
            log.info("stopping")
        finally:
            await runner.cleanup()


def spare_collections() -> None:
    """Makes the garbage collector ignore the objects that exist now, which stay for good, and run
    less often: a busy process has a few thousand objects in use, which a collection only finds
    alive."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)


def _end_by_signal(end: asyncio.Future[None]) -> None:
    if not end.done():
        end.set_result(None)
