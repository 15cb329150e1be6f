"""Builds the parts that make boards live, for the service and for the operator's commands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import asyncpg
from redis.asyncio import Redis

from scoreboard.domain.boards import BoardSettings
from scoreboard.pg.ledger import Ledger
from scoreboard.pg.ledger_audit import LedgerAudit
from scoreboard.pg.partition_locks import OnWait, log_wait
from scoreboard.redisio.board_audit import RedisAudit
from scoreboard.redisio.capacity_shares import CapacityShares
from scoreboard.redisio.closing import ClosedBoards
from scoreboard.redisio.loader import BoardLoader
from scoreboard.redisio.reverter import LateReverter
from scoreboard.redisio.streams import PartitionStream, PartitionStreams
from scoreboard.redisio.sweeper import BoardSweeper
from scoreboard.redisio.topology import Topology
from scoreboard.settings import Settings
from scoreboard.wire.keys import Keyspace
from scoreboard.workers.calendars import Calendar
from scoreboard.workers.rebuilder import Rebuilder
from scoreboard.workers.shared_capacity import SharedCapacity
from scoreboard.workers.verifier import Verifier

if TYPE_CHECKING:
    from scoreboard.telemetry.tracing import Tracer


@dataclass(frozen=True, slots=True)
class Recovery:
    """The parts on the durable side, built on one Redis client, one blocking client and one
    pool."""

    keyspace: Keyspace
    ledger: Ledger
    streams: PartitionStreams
    reverter: LateReverter
    loader: BoardLoader
    sweeper: BoardSweeper
    rebuilder: Rebuilder
    closing: ClosedBoards
    calendar: Calendar
    capacity: SharedCapacity


def recovery(
    settings: Settings,
    topology: Topology,
    redis: Redis,
    blocking: Redis,
    pool: asyncpg.Pool,
    *,
    lock_patience: float = 30.0,
    on_wait: OnWait = log_wait,
    tracer: Tracer | None = None,
) -> Recovery:
    """Puts the parts together without connecting to anything. ``lock_patience`` is how many seconds
    to wait for a partition that another process works on; ``on_wait`` is told whom; ``tracer``
    makes the spans of commits, where there are traces."""
    keyspace = Keyspace(settings.partitions)
    ledger = Ledger(
        pool,
        lock_patience=lock_patience,
        on_wait=on_wait,
        reach=settings.ledger_reach,
        tracer=tracer,
    )
    streams = PartitionStreams(
        redis,
        [
            PartitionStream(redis, blocking, partition, topology.ask_again)
            for partition in range(settings.partitions)
        ],
    )
    reverter = LateReverter(redis, keyspace=keyspace, dedupe_window=settings.dedupe_window)
    loader = BoardLoader(
        redis,
        keyspace=keyspace,
        board_idle=settings.board_idle,
        dedupe_window=settings.dedupe_window,
    )
    sweeper = BoardSweeper(redis, keyspace=keyspace)
    default = BoardSettings(mode=settings.default_gate_mode).to_text()

    def settings_of(board: str) -> str:
        return default if board == settings.default_board else "{}"

    rebuilder = Rebuilder(
        ledger,
        streams,
        loader,
        reverter,
        sweeper,
        keyspace=keyspace,
        settings_of=settings_of,
        batch=settings.persist_batch,
    )
    closing = ClosedBoards(redis, keyspace=keyspace, backlog_limit=settings.backlog_limit)
    calendar = Calendar(closing, rebuilder)
    capacity = SharedCapacity(CapacityShares(redis, keyspace=keyspace), calendar, rebuilder)
    return Recovery(
        keyspace, ledger, streams, reverter, loader, sweeper, rebuilder, closing, calendar, capacity
    )


def verifier_of(durable: Recovery, redis: Redis, postgres: LedgerAudit) -> Verifier:
    """The audit over these parts."""
    return Verifier(
        postgres,
        RedisAudit(redis, keyspace=durable.keyspace),
        durable.ledger,
        durable.loader,
        durable.rebuilder,
        keyspace=durable.keyspace,
    )
