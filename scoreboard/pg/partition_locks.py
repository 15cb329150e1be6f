"""The partitions' locks: waiting for one, and who holds it. They are advisory locks of a session,
so a process that dies loses its locks as soon as Postgres knows (pg/pool.py)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

import asyncpg
import structlog

from scoreboard.background import end
from scoreboard.domain.ledger import LockHolder
from scoreboard.errors import Unavailable
from scoreboard.pg.failures import translated
from scoreboard.pg.sql import statements

_sql = statements("partition_locks")
log = structlog.get_logger(__name__)

# Keys of pg_advisory_lock: a number of our own, then the partition (or the migrations).
LOCK_SPACE = 0x5342
MIGRATION_LOCK = -1
PROFILES_LOCK = -2
ERASURES_LOCK = -3
FOLDS_LOCK = -4
RANKS_LOCK = -5
REPARTITION_LOCK = -6
ERASED_LOCK = -7
WEEKS_LOCK = -8

LOOK = 5.0  # seconds between two looks at who holds a lock that is waited for
HOPELESS = 30.0  # seconds after which a lock is given up whose holder does nothing


OnWait = Callable[[int, LockHolder, float], None]  # partition, its holder, seconds until now


def log_wait(partition: int, holder: LockHolder, waited: float) -> None:
    """Tells the log whom a process waits for."""
    log.warning("partition_taken", partition=partition, holder=str(holder), waited=round(waited, 1))


class AdvisoryLocks:
    """``patience`` is how many seconds to wait for a lock that another session holds, which
    ``on_wait`` is told."""

    def __init__(self, pool: asyncpg.Pool, *, patience: float, on_wait: OnWait = log_wait) -> None:
        self._pool = pool
        self._patience = patience
        self._on_wait = on_wait
        self._blocked: set[int] = set()

    async def take_if_free(self, connection: Any, partition: int) -> bool:
        """Takes the lock unless another session holds it. Raises Unavailable."""
        with translated():
            free = await connection.fetchval(_sql["take_if_free"], LOCK_SPACE, partition)
        return bool(free)

    async def take_free(self, connection: Any, partitions: Sequence[int]) -> list[int]:
        """Takes the locks that no other session holds; of which partitions. Raises Unavailable."""
        with translated():
            rows = await connection.fetch(_sql["take_free"], LOCK_SPACE, partitions)
        return [partition for partition, free, _ in rows if free]

    async def take(self, connection: Any, partition: int) -> None:
        """Waits for the lock, and tells for whom. Raises Unavailable when it can't be had:
        within ``patience`` seconds, or because its holder does nothing."""
        if not await self.take_if_free(connection, partition):
            waiting = asyncio.create_task(self._wait(connection, partition))
            looking = asyncio.create_task(self._look(partition, connection.get_server_pid()))
            try:
                await asyncio.wait((waiting, looking), return_when=asyncio.FIRST_COMPLETED)
                if looking.done():
                    raise taken(looking.result())
                await waiting
            finally:
                await end(waiting, looking)
        self._blocked.discard(partition)

    async def holder(self, partition: int) -> LockHolder | None:
        """Who holds the lock now. Raises Unavailable."""
        with translated():
            row = await self._pool.fetchrow(_sql["holder"], LOCK_SPACE, partition)
        return None if row is None else LockHolder(*row)

    async def blocked(self) -> dict[int, LockHolder]:
        """The partitions that were waited for in vain and whose holder still does nothing. Raises
        Unavailable."""
        found: dict[int, LockHolder] = {}
        for partition in sorted(self._blocked):
            holder = await self.holder(partition)
            if holder is not None and holder.stalled:
                found[partition] = holder
            else:
                self._blocked.discard(partition)
        return found

    async def _wait(self, connection: Any, partition: int) -> None:
        try:
            with translated():
                try:
                    await connection.execute(
                        _sql["take"], LOCK_SPACE, partition, timeout=self._patience
                    )
                # Ours, or one that a role or a database has been given.
                except (TimeoutError, asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError):
                    raise taken(None) from None
        except Unavailable as error:
            if error.__cause__ is None and (holder := await self._holder_or_none(partition)):
                raise taken(holder) from None
            raise

    async def _look(self, partition: int, own: int) -> LockHolder:
        """Looks at the holder, unless it is the waiting process ``own``, from time to time; returns
        it when waiting has become hopeless."""
        started, told = time.monotonic(), 0
        while True:
            await asyncio.sleep(LOOK)
            holder = await self._holder_or_none(partition)
            if holder is None or holder.pid == own:
                continue
            waited = time.monotonic() - started
            if holder.pid != told:
                self._on_wait(partition, holder, waited)
                told = holder.pid
            if holder.stalled:
                self._blocked.add(partition)
                if waited >= HOPELESS:
                    return holder

    async def _holder_or_none(self, partition: int) -> LockHolder | None:
        try:
            return await self.holder(partition)
        except Unavailable:
            return None


def taken(holder: LockHolder | None) -> Unavailable:
    """The error for a lock that could not be had."""
    words = "" if holder is None else f"It is held by {holder}. {holder.remedy}".rstrip()
    return Unavailable("Another process works on this partition.", words=words)
