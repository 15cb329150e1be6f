"""``scoreboard rebuild``: loads boards from Postgres into Redis."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Annotated

import typer

from scoreboard.assembly.operator import load_settings, operator
from scoreboard.commands.options import DataDirOption
from scoreboard.commands.progress import progress_bar, tell_wait
from scoreboard.commands.terminal import console
from scoreboard.errors import ConfigurationError
from scoreboard.settings import Settings


def rebuild_command(
    board: Annotated[str | None, typer.Option(help="The board to rebuild.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Rebuild every board.")] = False,
    data_dir: DataDirOption = None,
) -> None:
    """Load a board from Postgres into Redis, even a live one.

    Meanwhile writes to the board get 503, and reads are answered from Postgres. Needed only when
    Redis is known to be wrong: cold, lost and fenced boards are loaded again by themselves.
    """
    if (board is None) != every:
        raise ConfigurationError("say which board to rebuild: --board NAME, or --all")
    asyncio.run(_rebuild(load_settings(data_dir), board))


async def _rebuild(settings: Settings, board: str | None) -> None:
    async with operator(settings, on_wait=tell_wait) as tools:
        with progress_bar(console(err=True)) as bar:
            for name in await tools.boards(board):
                tables = [
                    one.table
                    for one in await tools.postgres.occurrences(name)
                    if one.state == "open"
                ]
                users = [await tools.postgres.users(table) for table in (name, *tables)]
                task = bar.add_task(name, total=sum(users))
                await tools.durable.rebuilder.rebuild(name, partial(bar.advance, task))
