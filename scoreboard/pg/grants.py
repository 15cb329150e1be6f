"""The rights of the role that serves and persists."""

from __future__ import annotations

import asyncpg

from scoreboard.errors import ConfigurationError
from scoreboard.pg.failures import translated
from scoreboard.pg.sql import statements

_sql = statements("grants")


async def grant(connection: asyncpg.Connection, role: str) -> None:
    """Gives ``role`` what it needs on all tables that there are now, as the owner of the database.
    Raises ConfigurationError when there is no such role."""
    with translated():
        quoted, database = await connection.fetchrow(_sql["quoted"], role)
        if quoted is None:
            raise ConfigurationError(
                f"there is no role {role!r} to grant rights to: "
                f"""CREATE ROLE "{role}" LOGIN PASSWORD '...'"""
            )
        async with connection.transaction():
            await connection.execute(_sql["grants"].format(role=quoted, database=database))


async def grant_as_on(connection: asyncpg.Connection, other: str, table: str) -> None:
    """Gives everybody who has rights on the table ``other`` the same on ``table``."""
    for role, right in await connection.fetch(_sql["rights_on"], other):
        await connection.execute(f"GRANT {right} ON {table} TO {role}")
