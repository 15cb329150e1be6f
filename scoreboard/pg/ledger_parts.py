"""The ledger in parts of time: how the plain table becomes one that has parts, and how parts are
opened ahead."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import asyncpg
import structlog

from scoreboard.errors import ConfigurationError, Unavailable
from scoreboard.pg.failures import translated
from scoreboard.pg.partition_locks import LOCK_SPACE, MIGRATION_LOCK
from scoreboard.pg.sql import statements

_sql = statements("ledger_parts")
log = structlog.get_logger(__name__)

DAY = 86_400_000  # ms
PART = 35 * DAY  # the length of a part
NOTICE = 7 * DAY  # the first bound is at least so far ahead
NEAR = 2 * DAY  # a way to the first part that nobody goes to its end is given up so long before
WAIT = "SET LOCAL lock_timeout = '500ms'"  # of a statement that everybody else would wait behind
PAUSE = 0.5  # seconds until it is tried again
TRIES = 240
READING = 6 * 3600.0  # seconds for a statement that reads the whole table


async def in_a_moment(connection: Any, *statements: str) -> None:
    """Runs statements that need a table alone in one transaction, and waits for the table only so
    long that nobody notices; again, until it works. Raises Unavailable when it never does."""
    for _ in range(TRIES):
        try:
            async with connection.transaction():
                await connection.execute(WAIT)
                for statement in statements:
                    await connection.execute(statement)
                return
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
            await asyncio.sleep(PAUSE)
    raise Unavailable(
        "A table of the ledger is in use all the time.",
        words="Long statements keep it: look at pg_stat_activity, and repeat the command.",
    )


async def partition(connection: Any, tell: Callable[[str], None]) -> bool:
    """Makes the ledger a table in parts, as the owner of the database, while everything goes on.
    May be repeated after an interruption at any point. ``tell`` is told of each step. False when it
    has parts already. Raises ConfigurationError or Unavailable."""
    with translated():
        await connection.execute("SELECT pg_advisory_lock($1, $2)", LOCK_SPACE, MIGRATION_LOCK)
        try:
            return await _partition(connection, tell)
        finally:
            await connection.execute(
                "SELECT pg_advisory_unlock($1, $2)", LOCK_SPACE, MIGRATION_LOCK
            )


async def _partition(connection: Any, tell: Callable[[str], None]) -> bool:
    state = await connection.fetchrow(_sql["state"])
    if state["parted"]:
        await open_ahead(connection, state["now"])
        return False
    bound = state["bound"]
    if bound is not None and bound < max(state["now"], state["latest"]) + NEAR:
        await in_a_moment(connection, _sql["unbound"].format(bound=bound))
        bound = None
    if bound is None:
        bound = first_bound(max(state["now"], state["latest"]))
        await in_a_moment(connection, _sql["bound"].format(bound=bound))
    tell(f"checking about {state['actions']:,} actions")
    try:
        await connection.execute(_sql["validate"].format(bound=bound), timeout=READING)
    except asyncpg.CheckViolationError:
        await in_a_moment(connection, _sql["unbound"].format(bound=bound))
        raise ConfigurationError(
            "the ledger has events of the far future, by a clock of Redis that was wrong"
        ) from None
    tell("making the table the first part")
    await in_a_moment(connection, _sql["swap"].format(bound=bound))
    await open_ahead(connection, state["now"])
    tell("gathering statistics")
    await connection.execute(_sql["analyse"], timeout=READING)
    return True


def first_bound(latest: int) -> int:
    """Where the first part ends, when the latest event is of ``latest``; both Unix ms."""
    return ((latest + NOTICE) // PART + 1) * PART


async def open_ahead(connection: Any, now: int) -> int:
    """Opens parts until the last ends more than the length of one after ``now``, Unix ms, and
    returns how many it opened. Nothing is done while the ledger is one plain table."""
    opened = 0
    while (last := await connection.fetchval(_sql["last"])) is not None and last - PART <= now:
        await in_a_moment(connection, _sql["open"])
        opened += 1
    return opened


class LedgerParts:
    """Every method raises Unavailable when Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def keep_ahead(self) -> bool:
        """Opens the parts that will be needed soon. While the ledger is one plain table nothing is
        done, but a way to parts that was left is given up before it does harm. Returns whether it
        has parts."""
        with translated():
            async with self._pool.acquire() as connection:
                state = await connection.fetchrow(_sql["state"])
                if state["parted"]:
                    if opened := await open_ahead(connection, state["now"]):
                        log.info("ledger_parts_opened", count=opened)
                elif state["bound"] is not None:
                    near = max(state["now"], state["latest"]) + NEAR
                    async with connection.transaction():
                        await connection.execute(WAIT)
                        bound = await connection.fetchval(_sql["forget_bound"], near)
                    if bound is not None:
                        log.warning("ledger_bound_given_up", remedy="scoreboard ledger partition")
        return bool(state["parted"])
