"""``scoreboard erase``: takes a player out of everything, or makes a player anonymous."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from scoreboard.assembly.moderation import eraser
from scoreboard.assembly.operator import load_settings, operator
from scoreboard.commands.options import ACTOR, DataDirOption
from scoreboard.commands.progress import tell_wait
from scoreboard.commands.terminal import say
from scoreboard.domain.erasures import Erasure, ErasureMode
from scoreboard.errors import ConfigurationError
from scoreboard.pg.erasures import Erasures
from scoreboard.settings import Settings

PAUSE = 0.5  # seconds between two looks while a persister is at it


def erase_command(
    user: Annotated[str, typer.Argument(help="The player's id.")],
    confirm: Annotated[str, typer.Option(help="The player's id again.")],
    anonymise: Annotated[
        bool,
        typer.Option("--anonymise", help="Keep totals and the ledger's sums, under pseudonyms."),
    ] = False,
    data_dir: DataDirOption = None,
) -> None:
    """Erase a player for good, from everything that is held.

    From then on the id gets 410, until it is admitted as a new player's. When this is interrupted,
    a persister finishes it.
    """
    if confirm != user:
        raise ConfigurationError("--confirm names another player")
    mode: ErasureMode = "anonymise" if anonymise else "erase"
    done = asyncio.run(_erase(load_settings(data_dir), user, mode))
    counts = ", ".join(f"{place} {count:,}" for place, count in sorted(done.counts.items()))
    say(f"{done.erasure}  {done.mode}, done: {counts or 'nothing was held'}")


async def _erase(settings: Settings, user: str, mode: ErasureMode) -> Erasure:
    async with operator(settings, on_wait=tell_wait) as tools:
        works = eraser(settings, tools.redis, tools.pool, tools.durable)
        erasure = await works.ask(user, mode, by=ACTOR)
        record = Erasures(tools.pool)
        while erasure.state != "done":
            if not await works.work():
                await asyncio.sleep(PAUSE)
            erasure = await record.get(erasure.erasure)
        return erasure
