"""Shared by the operator's commands that work on the ledger: options, settings and connections."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import structlog
from redis.asyncio import Redis

from scoreboard.assembly.recovery import Recovery, recovery, verifier_of
from scoreboard.assembly.startup import configure
from scoreboard.domain.shards import sharded_board
from scoreboard.local.running_service import DEFAULT_DATA_DIR, names_servers, with_servers
from scoreboard.pg.address import DATABASE_URL, MIGRATION_URL, parse
from scoreboard.pg.connection import connect
from scoreboard.pg.failures import translated
from scoreboard.pg.fitness import check_sessions
from scoreboard.pg.ledger_audit import LedgerAudit
from scoreboard.pg.migrations import check_schema
from scoreboard.pg.partition_locks import OnWait, log_wait
from scoreboard.pg.pool import open_pool
from scoreboard.redisio.board_audit import RedisAudit
from scoreboard.redisio.topologies import topology_of
from scoreboard.redisio.topology import Topology
from scoreboard.settings import Settings
from scoreboard.workers.verifier import Verifier

log = structlog.get_logger(__name__)

GREETING = 10.0  # seconds in which Postgres takes a connection and answers for the first time
ONE_COMMAND = 15.0  # seconds for a command or script of Redis, none of which is long
TIMEOUT = 60.0  # seconds for one statement; no client waits for these commands
LOCK_PATIENCE = 600.0  # seconds to wait for a partition's lock; a rebuild takes long
CONNECTIONS = 4
FOR_PEOPLE = {"SCOREBOARD_LOG_FORMAT": "console", "SCOREBOARD_LOG_LEVEL": "warning"}


def _for_people(environ: Mapping[str, str]) -> dict[str, str]:
    unset = {name: v for name, v in FOR_PEOPLE.items() if f"{name}_FILE" not in environ}
    return {**unset, **environ}


@dataclass(frozen=True, slots=True)
class Operator:
    """Both servers, and the parts built on them."""

    topology: Topology
    redis: Redis
    pool: asyncpg.Pool
    durable: Recovery
    postgres: LedgerAudit
    audit: RedisAudit
    verifier: Verifier

    async def boards(self, board: str | None) -> list[str]:
        """The board that was named with its shards, or all boards."""
        every = await self.postgres.boards()
        if board is None:
            return every
        return [name for name in every if sharded_board(name) == board] or [board]


def load_settings(data_dir: Path | None = None) -> Settings:
    """Settings from the environment, with the servers of the running ``up`` that keeps its data in
    ``data_dir``, or in this folder if the environment names none. Also sets up the log, on standard
    error: warnings in a form for people, unless the environment says otherwise."""
    environ = with_servers(os.environ, data_dir)
    # The command's own last line says why Postgres could not be reached.
    settings = configure(_for_people(environ), leave_out=("postgres_fails",))
    if not names_servers(environ):
        log.warning(
            "no_server_named",
            reason=f"no `scoreboard up` runs with its data in {DEFAULT_DATA_DIR}",
            remedy="start one, name its --data-dir, or set SCOREBOARD_REDIS_URL and "
            "SCOREBOARD_DATABASE_URL, which have their defaults now",
        )
    return settings


@asynccontextmanager
async def as_owner(settings: Settings) -> AsyncIterator[asyncpg.Connection]:
    """A connection to Postgres as the owner of the database. Raises ConfigurationError or
    Unavailable."""
    address = (
        parse(settings.migration_url, variable=MIGRATION_URL)
        if settings.migration_url
        else parse(settings.database_url, variable=DATABASE_URL)
    )
    await check_sessions(address, timeout=settings.database_timeout)
    with translated():
        connection = await connect(address, timeout=settings.database_timeout)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def operator(settings: Settings, *, on_wait: OnWait = log_wait) -> AsyncIterator[Operator]:
    """Opens everything and closes it at the end. ``on_wait`` is told whom a wait for a partition's
    lock is for. Raises ConfigurationError when the schema or the
    number of partitions does not match the data, Unavailable when a server is away."""
    async with connected(settings) as (topology, redis, pool):
        with translated():
            async with pool.acquire() as connection:
                await check_schema(connection, partitions=settings.partitions)
        durable = recovery(
            settings, topology, redis, redis, pool, lock_patience=LOCK_PATIENCE, on_wait=on_wait
        )
        postgres = LedgerAudit(pool)
        audit = RedisAudit(redis, keyspace=durable.keyspace)
        verifier = verifier_of(durable, redis, postgres)
        try:
            yield Operator(topology, redis, pool, durable, postgres, audit, verifier)
        finally:
            await durable.capacity.close()
            await durable.rebuilder.close()


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[tuple[Topology, Redis, asyncpg.Pool]]:
    """Clients of both servers, which connect when they are first used. Raises ConfigurationError
    or Unavailable."""
    topology = topology_of(settings)
    redis = topology.client(timeout=ONE_COMMAND)
    pool = await open_pool(settings.database_url, connections=CONNECTIONS, timeout=TIMEOUT)
    try:
        await check_sessions(parse(settings.database_url), timeout=GREETING)
        yield topology, redis, pool
    finally:
        await redis.aclose()
        await topology.close()
        await pool.close()
