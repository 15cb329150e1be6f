"""The process that carries the streams into Postgres: its parts, from start to stop."""

from __future__ import annotations

import asyncio
import signal

import structlog

from scoreboard.assembly import probes
from scoreboard.assembly.metrics_server import observable
from scoreboard.assembly.recovery import recovery, verifier_of
from scoreboard.assembly.startup import check_servers
from scoreboard.assembly.training_process import train_apart
from scoreboard.background import end, keep_running, unless_stopped
from scoreboard.pg.ledger_audit import LedgerAudit
from scoreboard.pg.models import Models
from scoreboard.pg.pool import open_pool
from scoreboard.redisio import connections
from scoreboard.redisio.patrol_reports import PatrolReports
from scoreboard.settings import Settings
from scoreboard.workers.patrol import PAUSE, Patrol
from scoreboard.workers.persister import Persister
from scoreboard.workers.retrainer import Retrainer

log = structlog.get_logger(__name__)

PATROL_CONNECTIONS = 2
STATEMENT_TIMEOUT = 60.0  # seconds; on a busy database a batch may take that long


async def persist(settings: Settings) -> None:
    """Persists until SIGTERM or SIGINT; the batch that was begun is finished."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    redis = connections.client(settings.redis_url, timeout=settings.redis_timeout)
    blocking = connections.client(settings.redis_url, timeout=None, connections=settings.partitions)
    pool = await open_pool(
        settings.database_url,
        connections=settings.partitions + PATROL_CONNECTIONS,
        timeout=STATEMENT_TIMEOUT,
    )
    durable = recovery(settings, redis, blocking, pool)
    persister = Persister(
        durable.streams, durable.ledger, durable.reverter, batch=settings.persist_batch
    )
    postgres = LedgerAudit(pool)
    verifier = verifier_of(durable, redis, postgres)
    reports = PatrolReports(redis)
    patrol = Patrol(postgres, verifier, reports)
    shown = {
        "redis": lambda: probes.redis_state(redis, durable.keyspace),
        "audit": lambda: probes.audit_state(reports),
    }
    try:
        async with observable(settings, shown):
            await unless_stopped(stop, check_servers(settings, redis, pool))
            log.info("persisting", partitions=settings.partitions)
            async with asyncio.TaskGroup() as tasks:
                beside = [tasks.create_task(keep_running("patrol", patrol.run, restart=PAUSE))]
                if settings.retrain_interval:
                    retrainer = Retrainer(
                        Models(pool), train_apart, interval=settings.retrain_interval
                    )
                    beside.append(tasks.create_task(keep_running("retrainer", retrainer.run)))
                await persister.run(stop)
                await end(*beside)
    finally:
        await redis.aclose()
        await blocking.aclose()
        await pool.close()
        log.info("persister_stopped")
