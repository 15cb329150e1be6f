"""The HTTP and WebSocket service: its parts, and its life from start to stop."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import AsyncIterator

import structlog
from aiohttp import web

from scoreboard.api.admin import AdminHandlers
from scoreboard.api.app import build
from scoreboard.api.auth import Authenticator
from scoreboard.api.board_reader import BoardReader
from scoreboard.api.board_reads import BoardHandlers
from scoreboard.api.health import HealthHandlers
from scoreboard.api.live.hub import Hub
from scoreboard.api.live.websockets import LiveLeaderboard
from scoreboard.api.scores import ScoreHandlers
from scoreboard.api.tokens import keys_from
from scoreboard.assembly import probes
from scoreboard.assembly.listening import listen
from scoreboard.assembly.model_gates import ModelGates
from scoreboard.assembly.moderation import moderator
from scoreboard.assembly.recovery import recovery
from scoreboard.assembly.startup import check_servers, open_board
from scoreboard.background import end, keep_running
from scoreboard.domain.boards import is_board_name
from scoreboard.errors import ConfigurationError
from scoreboard.pg.archived_boards import ArchivedBoards
from scoreboard.pg.board_settings import StoredSettings
from scoreboard.pg.cases import LedgerCases
from scoreboard.pg.models import Models
from scoreboard.pg.pool import open_pool
from scoreboard.pg.reviews import Reviews
from scoreboard.redisio import connections
from scoreboard.redisio.line_pool import ScriptLines
from scoreboard.redisio.live_boards import LiveBoards
from scoreboard.redisio.patrol_reports import PatrolReports
from scoreboard.redisio.tickets import RedisTickets
from scoreboard.redisio.updates import RedisUpdates
from scoreboard.settings import Settings
from scoreboard.wire.keys import PartitionKeys
from scoreboard.write_path.commit_watch import CommitWatch
from scoreboard.write_path.durability_waits import DurabilityWaits
from scoreboard.write_path.judged_calls import JudgedCalls
from scoreboard.write_path.submitter import Submitter

log = structlog.get_logger(__name__)

SHUTDOWN_TIMEOUT = 10.0  # seconds that requests in flight may take at shutdown
KEEPALIVE = 75.0  # seconds that an idle HTTP connection is kept
DATABASE_CONNECTIONS = 8
WRITING_LINES, READING_LINES = 64, 16  # connections to Redis for scripts

# Ends the service: without a result after a signal, with an error when a server proves unfit.
END: web.AppKey[asyncio.Future[None]] = web.AppKey("end", asyncio.Future)


async def serve(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT. Raises ConfigurationError."""
    loop = asyncio.get_running_loop()
    app = await application(settings)
    end = app[END] = loop.create_future()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _end_by_signal, end)
    runner = web.AppRunner(
        app,
        access_log=None,
        handle_signals=False,
        keepalive_timeout=KEEPALIVE,
        shutdown_timeout=SHUTDOWN_TIMEOUT,
    )
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


async def application(settings: Settings) -> web.Application:
    """Puts the parts together, even while servers are away; requests will wait for them. Raises
    ConfigurationError."""
    if not is_board_name(settings.default_board):
        raise ConfigurationError(
            f"SCOREBOARD_DEFAULT_BOARD: {settings.default_board!r} can't be the name of a board "
            "(small letters, digits, - and _)"
        )
    redis = connections.client(settings.redis_url, timeout=settings.redis_timeout)
    blocking = connections.client(settings.redis_url, timeout=None)
    pool = await open_pool(
        settings.database_url,
        connections=DATABASE_CONNECTIONS,
        timeout=settings.database_timeout,
    )
    durable = recovery(settings, redis, blocking, pool)
    commits = CommitWatch(
        RedisUpdates(
            settings.redis_url,
            lambda partition: PartitionKeys(int(partition)).persisted,
            timeout=settings.redis_timeout,
        )
    )
    gates = ModelGates(Models(pool))
    unbounded = connections.pool(settings.redis_url, timeout=None)
    writing, reading = (
        ScriptLines(unbounded, timeout=settings.redis_timeout, most=most)
        for most in (WRITING_LINES, READING_LINES)
    )
    submitter = Submitter(
        writing,
        durable.rebuilder,
        keyspace=durable.keyspace,
        dedupe_window=settings.dedupe_window,
        board_idle=settings.board_idle,
        backlog_limit=settings.backlog_limit,
        waits=DurabilityWaits(commits, durable.ledger, timeout=settings.durability_timeout),
        judged=JudgedCalls(redis, gates, LedgerCases(pool), keyspace=durable.keyspace),
    )
    live = LiveBoards(reading, keyspace=durable.keyspace)
    reader = BoardReader(live, ArchivedBoards(pool), durable.rebuilder)
    authenticator = Authenticator(
        keys_from(settings),
        settings.jwt_algorithm,
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
    )
    hub = Hub(
        RedisUpdates(
            settings.redis_url,
            lambda board: durable.keyspace.board(board).channel,
            timeout=settings.redis_timeout,
        ),
        reader,
        settings,
    )
    health = HealthHandlers(
        {
            "redis": lambda: probes.redis_state(redis, durable.keyspace),
            "board": probes.Opening(live, settings.default_board),
        },
        {
            "postgres": lambda: probes.postgres_state(pool),
            "gate": lambda: probes.gate_state(gates),
            "audit": lambda: probes.audit_state(PatrolReports(redis)),
        },
    )
    app = build(
        ScoreHandlers(
            submitter,
            authenticator,
            default_board=settings.default_board,
            durability=settings.durability,
            body_timeout=settings.body_timeout,
        ),
        BoardHandlers(
            reader,
            authenticator,
            default_board=settings.default_board,
            public_reads=settings.public_reads,
            body_timeout=settings.body_timeout,
        ),
        LiveLeaderboard(hub, authenticator, RedisTickets(redis), settings),
        health,
        AdminHandlers(
            moderator(settings, redis, pool, durable),
            Reviews(pool),
            StoredSettings(pool),
            authenticator,
            body_timeout=settings.body_timeout,
        ),
        max_body_bytes=settings.max_body_bytes,
    )

    async def starting() -> None:
        await check_servers(settings, redis, pool)
        # So that readers find the default board, empty, before its first action.
        await open_board(durable.rebuilder, settings.default_board)

    async def started(app: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(starting())
        task.add_done_callback(lambda done: _end_unfit(app, done))
        yield
        await end(task)

    async def connected(_: web.Application) -> AsyncIterator[None]:
        yield
        await durable.rebuilder.close()
        await redis.aclose()
        await blocking.aclose()
        await pool.close()

    async def submitting(_: web.Application) -> AsyncIterator[None]:
        yield
        await reader.close()
        await submitter.close()
        await reading.close()

    async def listening(_: web.Application) -> AsyncIterator[None]:
        tasks = [
            asyncio.create_task(hub.run()),
            asyncio.create_task(keep_running("commits", commits.run)),
            asyncio.create_task(keep_running("gates", gates.run)),
        ]
        yield
        await end(*tasks)

    async def say_goodbye(_: web.Application) -> None:
        health.stopping = True
        await hub.close()

    app.cleanup_ctx.extend((connected, submitting, listening, started))
    app.on_shutdown.append(say_goodbye)
    return app


def _end_unfit(app: web.Application, starting: asyncio.Task[None]) -> None:
    if starting.cancelled() or (error := starting.exception()) is None:
        return
    log.error("start_failed", reason=str(error))
    if END in app and not app[END].done():
        app[END].set_exception(error)
