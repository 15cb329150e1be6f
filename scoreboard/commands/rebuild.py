"""``scoreboard rebuild``: loads boards from Postgres into Redis."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Annotated

import typer
from rich.console import Console

from scoreboard.assembly.operator import load_settings, operator
from scoreboard.commands.progress import progress_bar
from scoreboard.errors import ConfigurationError
from scoreboard.settings import Settings


def rebuild_command(
    board: Annotated[str | None, typer.Option(help="The board to rebuild.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Rebuild every board.")] = False,
) -> None:
    """Load a board from Postgres into Redis, even when it is live there.

    Meanwhile writes to the board get 503, and reads are answered from Postgres. Needed only when
    Redis is known to be wrong: cold, lost and fenced boards are loaded again by themselves.
    """
    if (board is None) != every:
        raise ConfigurationError("say which board to rebuild: --board NAME, or --all")
    asyncio.run(_rebuild(load_settings(), board))


async def _rebuild(settings: Settings, board: str | None) -> None:
    console = Console(stderr=True)
    async with operator(settings) as tools:
        with progress_bar(console) as bar:
            for name in await tools.boards(board):
                task = bar.add_task(name, total=await tools.postgres.users(name))
                await tools.durable.rebuilder.rebuild(name, partial(bar.advance, task))
