"""The schema, as numbered SQL files that are each applied once, in order."""

from __future__ import annotations

import asyncpg

from scoreboard import files
from scoreboard.errors import ConfigurationError
from scoreboard.pg.pool import LOCK_SPACE, MIGRATION_LOCK, translated

_TABLE = """
    CREATE TABLE IF NOT EXISTS schema_migration (
        number  integer PRIMARY KEY,
        name    text NOT NULL,
        applied timestamptz NOT NULL DEFAULT now()
    )
"""


def _migrations() -> dict[int, tuple[str, str]]:
    """(name, text) by number, in order."""
    texts = files.texts("pg", "migrations", suffix=".sql")
    return {int(name[:4]): (name, text) for name, text in texts.items()}


async def migrate(connection: asyncpg.Connection) -> list[str]:
    """Brings the schema up to date and returns the names of what was applied. Processes that
    start at the same time take turns."""
    with translated():
        await connection.execute("SELECT pg_advisory_lock($1, $2)", LOCK_SPACE, MIGRATION_LOCK)
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
        async with connection.transaction():
            await connection.execute(text)
            await connection.execute(
                "INSERT INTO schema_migration (number, name) VALUES ($1, $2)", number, name
            )
        applied.append(name)
    return applied


async def check_schema(connection: asyncpg.Connection, *, partitions: int) -> None:
    """Checks, at the start of every role, that the schema is the one it was written for and that
    ``partitions`` is the number that the data was written with (the first role to start sets it).
    Raises ConfigurationError saying what to do."""
    with translated():
        try:
            newest = await connection.fetchval("SELECT max(number) FROM schema_migration")
        except asyncpg.UndefinedTableError:
            newest = None
        expected = max(_migrations())
        if newest is None or newest < expected:
            raise ConfigurationError(
                f"the database's schema is at {newest or 0}, this version needs {expected}; "
                "run `scoreboard migrate`"
            )
        if newest > expected:
            raise ConfigurationError(
                f"the database's schema is at {newest}, this version knows {expected}; "
                "run a newer version"
            )
        await connection.execute(
            "INSERT INTO setup (partitions) VALUES ($1) ON CONFLICT DO NOTHING", partitions
        )
        kept = await connection.fetchval("SELECT partitions FROM setup")
        if kept != partitions:
            raise ConfigurationError(
                f"SCOREBOARD_PARTITIONS is {partitions}, but the data was written with {kept}; "
                f"set it to {kept}"
            )
