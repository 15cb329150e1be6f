"""``scoreboard migrate``: the database's schema."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from scoreboard.assembly.operator import as_owner, load_settings
from scoreboard.commands.options import DataDirOption
from scoreboard.commands.terminal import say
from scoreboard.pg.fitness import check_encoding
from scoreboard.pg.grants import grant
from scoreboard.pg.migrations import check_version, migrate
from scoreboard.settings import Settings


def migrate_command(
    grant_to: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ROLE",
            help="Give this role what `serve` and `persist` need, on new tables too; repeatable.",
        ),
    ] = None,
    data_dir: DataDirOption = None,
) -> None:
    """Bring the database's schema up to date.

    Safe to run at any time and from many places. Runs as the owner of the database:
    SCOREBOARD_MIGRATION_URL, else SCOREBOARD_DATABASE_URL.
    """
    roles = grant_to or []
    for name in asyncio.run(_migrate(load_settings(data_dir), roles)):
        say(f"applied {name}")
    for role in roles:
        say(f"granted to {role}")
    say("The schema is up to date.")


async def _migrate(settings: Settings, roles: list[str]) -> list[str]:
    async with as_owner(settings) as connection:
        check_encoding(connection)
        applied = await migrate(connection)
        await check_version(connection)
        for role in roles:
            await grant(connection, role)
    return applied
