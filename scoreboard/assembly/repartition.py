"""Puts together what changes the number of partitions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec

from scoreboard.assembly.operator import as_owner, connected
from scoreboard.assembly.recovery import recovery, verifier_of
from scoreboard.domain.audit import Difference
from scoreboard.pg.fitness import check_owner
from scoreboard.pg.ledger_audit import LedgerAudit
from scoreboard.pg.migrations import check_version
from scoreboard.pg.partition_count import PartitionRecord
from scoreboard.redisio.partition_keys import PartitionRemains
from scoreboard.settings import Settings
from scoreboard.workers.repartitioner import PartedWorkers, Repartitioner, Tell


@asynccontextmanager
async def repartitioner(
    settings: Settings, *, tell: Tell, on_difference: Callable[[Difference], None]
) -> AsyncIterator[Repartitioner]:
    """Opens everything and closes it at the end; SCOREBOARD_PARTITIONS means nothing here. Raises
    ConfigurationError or Unavailable."""
    async with as_owner(settings) as owner, connected(settings) as (topology, redis, pool):
        await check_version(owner)
        await check_owner(owner)

        def workers_of(partitions: int) -> PartedWorkers:
            parted = msgspec.structs.replace(settings, partitions=partitions)
            durable = recovery(parted, topology, redis, redis, pool)
            verifier = verifier_of(durable, redis, LedgerAudit(pool))
            return PartedWorkers(durable.keyspace, durable.ledger, durable.rebuilder, verifier)

        yield Repartitioner(
            PartitionRecord(owner),
            PartitionRemains(redis),
            workers_of,
            board_idle=settings.board_idle,
            tell=tell,
            on_difference=on_difference,
        )
