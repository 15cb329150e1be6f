"""The process that carries the streams into Postgres: its parts, from start to stop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from scoreboard.api.health import HealthHandlers
from scoreboard.assembly import probes
from scoreboard.assembly.descriptors import make_room
from scoreboard.assembly.metrics_server import observable
from scoreboard.assembly.moderation import (
    closer,
    day_keeper,
    eraser,
    ledger_folder,
    profile_follower,
    remover,
    week_keeper,
)
from scoreboard.assembly.recovery import recovery, verifier_of
from scoreboard.assembly.shortages import log_shortages_sparingly
from scoreboard.assembly.startup import check_servers
from scoreboard.assembly.threads import start_threads
from scoreboard.assembly.tracing import tracing
from scoreboard.assembly.training_process import check_training, train_apart
from scoreboard.assembly.webhook_targets import webhook_targets
from scoreboard.assembly.webhooks import telling_outsiders
from scoreboard.background import end, keep_running, unless_stopped
from scoreboard.errors import Unavailable
from scoreboard.pg.ledger_audit import LedgerAudit
from scoreboard.pg.ledger_parts import LedgerParts
from scoreboard.pg.models import Models
from scoreboard.pg.pool import open_pool
from scoreboard.pg.waiting_work import WorkRecord
from scoreboard.redisio.patrol_reports import PatrolReports
from scoreboard.redisio.persister_reports import PersisterReports
from scoreboard.redisio.topologies import topology_of
from scoreboard.redisio.write_watch import WriteWatch
from scoreboard.settings import Settings
from scoreboard.telemetry import sharing
from scoreboard.telemetry.tallies import keep_published
from scoreboard.workers.ledger_keeper import LedgerKeeper
from scoreboard.workers.lookout import Lookout
from scoreboard.workers.patrol import PAUSE, Patrol
from scoreboard.workers.persister import ROUNDS, Persister
from scoreboard.workers.retrainer import Retrainer

if TYPE_CHECKING:
    from scoreboard.telemetry.tracing import Tracer

log = structlog.get_logger(__name__)

PATROL_CONNECTIONS = 2
CLOSER_CONNECTIONS = 4  # one of them ranks
FOLLOWER_CONNECTIONS = 3
ERASER_CONNECTIONS = 3
LOOKOUT_CONNECTIONS = 1
WEEKS_CONNECTIONS = 3
KEEPER_CONNECTIONS = 3
OWN_DESCRIPTORS = 128  # beside the two connections of each partition
TELL = 5.0  # seconds between two reports of what keeps this process from its work
STATEMENT_TIMEOUT = 60.0  # seconds; on a busy database a batch may take that long


async def _tell(persister: Persister, reports: PersisterReports) -> None:
    """Tells the serving processes what keeps this one from its work, for as long as it does."""
    while True:
        await asyncio.sleep(TELL)
        if persister.troubles:
            with contextlib.suppress(Unavailable):  # then they know that Redis is away
                await reports.publish(persister.troubles, valid=3 * TELL)


async def persist(settings: Settings) -> None:
    """Persists until SIGTERM or SIGINT; the batch that was begun is finished. Raises
    ConfigurationError."""
    if settings.retrain_interval:
        check_training()
    webhook_targets(settings)
    make_room(
        2 * settings.partitions + OWN_DESCRIPTORS,
        remedy="raise the hard limit (ulimit -Hn, LimitNOFILE)",
    )
    log_shortages_sparingly()
    await start_threads()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with tracing("scoreboard-persist") as tracer:
        await _persist(settings, stop, tracer)


async def _persist(settings: Settings, stop: asyncio.Event, tracer: Tracer | None) -> None:
    """Persists until ``stop`` is set."""
    topology = topology_of(settings)
    redis = topology.client(timeout=settings.redis_timeout)
    blocking = topology.client(timeout=None, connections=settings.partitions)
    pool = await open_pool(
        settings.database_url,
        connections=min(settings.partitions, ROUNDS)
        + PATROL_CONNECTIONS
        + CLOSER_CONNECTIONS
        + FOLLOWER_CONNECTIONS
        + ERASER_CONNECTIONS
        + LOOKOUT_CONNECTIONS
        + WEEKS_CONNECTIONS
        + (KEEPER_CONNECTIONS if settings.ledger_retention else 0),
        timeout=STATEMENT_TIMEOUT,
    )
    durable = recovery(settings, topology, redis, blocking, pool, tracer=tracer)
    persister = Persister(
        durable.streams, durable.ledger, durable.reverter, batch=settings.persist_batch
    )
    postgres = LedgerAudit(pool)
    verifier = verifier_of(durable, redis, postgres)
    reports = PatrolReports(redis)
    removals = remover(settings, redis, pool, durable, patience=None)
    patrol = Patrol(postgres, verifier, reports)
    closes = closer(pool, durable)
    follower = profile_follower(topology, settings, redis, pool, durable)
    erasures = eraser(settings, redis, pool, durable)
    days = day_keeper(pool, durable)
    weeks = week_keeper(redis, pool, durable)
    folder = (
        ledger_folder(settings, pool, durable, settings.ledger_archive)
        if settings.ledger_retention
        else None
    )
    keeper = LedgerKeeper(LedgerParts(pool), folder)
    watch = WriteWatch(redis, topology, settings.partitions)
    troubles = PersisterReports(redis)

    async def at_work() -> Mapping[str, Any]:
        return probes.own_persister_state(persister.troubles)

    start = probes.Start()
    health = HealthHandlers(
        {
            "redis": probes.RedisState(redis, settings.partitions),
            "writes": lambda: probes.writes_state(watch),
            "postgres": lambda: probes.postgres_state(pool),
            "persister": at_work,
            "start": start,
        },
        {"audit": lambda: probes.audit_state(reports)},
    )
    try:
        async with observable(
            settings,
            health,
            settings.metrics_port,
            variable="SCOREBOARD_METRICS_PORT",
            shared=False,
        ):
            await unless_stopped(stop, check_servers(settings, redis, pool))
            start.done = True
            log.info("persisting", partitions=settings.partitions)
            async with telling_outsiders(settings) as outsiders, asyncio.TaskGroup() as tasks:
                lookout = Lookout(
                    WorkRecord(pool),
                    durable.closing,
                    {
                        "periods": closes.wake,
                        "ranks": closes.wake_ranking,
                        "profiles": follower.wake,
                        "erasures": erasures.wake,
                        **outsiders,
                    },
                )
                beside = [
                    tasks.create_task(keep_running("patrol", patrol.run, restart=PAUSE)),
                    tasks.create_task(keep_running("write watch", watch.run)),
                    tasks.create_task(keep_running("lookout", lookout.run)),
                    tasks.create_task(keep_running("removals", removals.run)),
                    tasks.create_task(keep_running("turns of periods", closes.run_turns)),
                    tasks.create_task(keep_running("ends of periods", closes.run_ends)),
                    tasks.create_task(keep_running("ranks of periods", closes.run_ranks)),
                    tasks.create_task(keep_running("profiles", follower.run)),
                    tasks.create_task(keep_running("days", days.run)),
                    tasks.create_task(keep_running("weeks", weeks.run)),
                    tasks.create_task(keep_running("ledger", keeper.run)),
                    tasks.create_task(keep_running("erasures", erasures.run)),
                    tasks.create_task(
                        keep_running("troubles", partial(_tell, persister, troubles))
                    ),
                ]
                if sharing.folder() is not None:
                    beside.append(tasks.create_task(keep_running("figures", keep_published)))
                if settings.retrain_interval:
                    retrainer = Retrainer(
                        Models(pool), train_apart, interval=settings.retrain_interval
                    )
                    beside.append(tasks.create_task(keep_running("retrainer", retrainer.run)))
                await persister.run(stop)
                health.stopping = True
                await end(*beside)
    finally:
        await durable.rebuilder.close()  # a load goes on when who wanted it has ended
        await redis.aclose()
        await blocking.aclose()
        await topology.close()
        await pool.close()
        log.info("persister_stopped")
