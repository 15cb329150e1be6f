"""``scoreboard migrate``: the database's schema."""

from __future__ import annotations

import asyncio
import os

import typer

from scoreboard import settings as configuration
from scoreboard.pg.migrations import check_schema, migrate
from scoreboard.pg.pool import connect, translated
from scoreboard.settings import Settings


def migrate_command() -> None:
    """Bring the database's schema up to date; safe to run at any time and from many places."""
    for name in asyncio.run(_migrate(configuration.load(os.environ))):
        typer.echo(f"applied {name}")
    typer.echo("The schema is up to date.")


async def _migrate(settings: Settings) -> list[str]:
    with translated():
        connection = await connect(settings.database_url, timeout=settings.database_timeout)
    try:
        applied = await migrate(connection)
        await check_schema(connection, partitions=settings.partitions)
    finally:
        await connection.close()
    return applied
