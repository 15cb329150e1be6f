"""The schema, as numbered SQL files that are each applied once, in order.

A migration runs while processes of the version before work on, and others of it may start: a file
that they could not live with begins with ``-- needs: N``, the number that a version has to know. A
line ``-- rights: TABLE as on OTHER`` lets those who may use the other table use a new one, without
new grants.
"""

from __future__ import annotations

import asyncio
import re
import time

import asyncpg
import structlog

from scoreboard import files
from scoreboard.errors import ConfigurationError
from scoreboard.pg.failures import translated
from scoreboard.pg.grants import grant_as_on
from scoreboard.pg.partition_locks import LOCK_SPACE, MIGRATION_LOCK

TURN = 600.0  # seconds to wait for others that migrate, and for those who use a table
# How long a migration queues for a table. Whoever comes meanwhile waits behind it, so it then lets
# them pass.
QUEUE = "SET LOCAL lock_timeout = '1s'"
PAUSE = 1.0  # seconds until it queues again

_TABLE = """
    CREATE TABLE IF NOT EXISTS schema_migration (
        number  integer PRIMARY KEY,
        name    text NOT NULL,
        applied timestamptz NOT NULL DEFAULT now()
    );
    ALTER TABLE schema_migration ADD COLUMN IF NOT EXISTS needs integer NOT NULL DEFAULT 0
"""
_NEEDS = re.compile(r"\A-- needs: (\d+)$", re.MULTILINE)
_RIGHTS = re.compile(r"^-- rights: (\w+) as on (\w+)$", re.MULTILINE)

log = structlog.get_logger(__name__)


def _migrations() -> dict[int, tuple[str, str]]:
    """(name, text) by number, in order."""
    texts = files.texts("pg", "migrations", suffix=".sql")
    return {int(name[:4]): (name, text) for name, text in texts.items()}


async def migrate(connection: asyncpg.Connection) -> list[str]:
    """Brings the schema up to date and returns the names of what was applied. Processes that
    start at the same time take turns."""
    with translated():
        await connection.execute(
            "SELECT pg_advisory_lock($1, $2)", LOCK_SPACE, MIGRATION_LOCK, timeout=TURN
        )
        try:
            return await _apply(connection)
        finally:
            await connection.execute(
                "SELECT pg_advisory_unlock($1, $2)", LOCK_SPACE, MIGRATION_LOCK
            )


async def _apply(connection: asyncpg.Connection) -> list[str]:
    version = connection.get_server_version()
    if version.major < 14:
        raise ConfigurationError(f"PostgreSQL {version.major} is too old; 14 or later is needed")
    await connection.execute(_TABLE)
    done = {row["number"] for row in await connection.fetch("SELECT number FROM schema_migration")}
    applied = []
    for number, (name, text) in _migrations().items():
        if number in done:
            continue
        await _apply_one(connection, number, name, text)
        applied.append(name)
    return applied


async def _apply_one(connection: asyncpg.Connection, number: int, name: str, text: str) -> None:
    needs = _NEEDS.match(text)
    deadline = time.monotonic() + TURN
    while True:
        try:
            async with connection.transaction():
                await connection.execute(QUEUE)
                await connection.execute(text)
                for table, other in _RIGHTS.findall(text):
                    await grant_as_on(connection, other, table)
                await connection.execute(
                    "INSERT INTO schema_migration (number, name, needs) VALUES ($1, $2, $3)",
                    *(number, name, int(needs[1]) if needs else 0),
                )
        except asyncpg.LockNotAvailableError:
            if time.monotonic() > deadline:
                raise
            log.warning("migration_waits", name=name, reason="others use its tables for long")
            await asyncio.sleep(PAUSE)
        else:
            return


async def check_schema(connection: asyncpg.Connection, *, partitions: int) -> None:
    """Checks, at the start of every role, that it can work with the schema and that ``partitions``
    is the number that the data was written with (the first one to start sets it). Raises
    ConfigurationError saying what to do."""
    await check_version(connection)
    with translated():
        await connection.execute(
            "INSERT INTO setup (partitions) VALUES ($1) ON CONFLICT DO NOTHING", partitions
        )
        kept, coming = await connection.fetchrow("SELECT partitions, repartition FROM setup")
    if coming is not None:
        raise ConfigurationError(
            f"a change to {coming} partitions is not finished; finish it with "
            f"`scoreboard repartition {coming}`"
        )
    if kept != partitions:
        raise ConfigurationError(
            f"SCOREBOARD_PARTITIONS is {partitions}, but the data was written with {kept}; "
            f"set it to {kept}, or change the data with `scoreboard repartition {partitions}`"
        )


async def check_version(connection: asyncpg.Connection) -> None:
    """Checks that this version can work with the schema. Raises ConfigurationError saying what to
    do."""
    with translated():
        try:
            newest, needed = await connection.fetchrow(
                "SELECT max(number), max(needs) FROM schema_migration"
            )
        except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError):
            newest = needed = None
        known = max(_migrations())
        if newest is None or newest < known:
            raise ConfigurationError(
                f"the database's schema is at {newest or 0}, this version needs {known}; "
                "run `scoreboard migrate`"
            )
        if needed > known:
            raise ConfigurationError(
                f"the database's schema needs a version that knows {needed}, this one knows "
                f"{known}; run a newer version"
            )
        if newest > known:
            log.warning("schema_newer", schema=newest, known=known, remedy="finish the upgrade")
