"""``scoreboard repartition``: another number of partitions."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from scoreboard.assembly.operator import load_settings
from scoreboard.assembly.repartition import repartitioner
from scoreboard.commands.options import DataDirOption
from scoreboard.commands.progress import stage_bars
from scoreboard.commands.terminal import console, say
from scoreboard.commands.verify import print_difference
from scoreboard.domain.quantities import quantity
from scoreboard.domain.repartition import Outcome
from scoreboard.settings import Settings


def repartition_command(
    partitions: Annotated[
        int, typer.Argument(metavar="N", min=1, max=1024, help="How many there shall be.")
    ],
    data_dir: DataDirOption = None,
) -> None:
    """Change the number of partitions, with the service stopped.

    What is only in Redis goes to Postgres, Redis is compared with it and emptied, and the boards
    are loaded under their new keys and compared again. When it is interrupted, run it again; until
    it is done no process starts. As long as Postgres has the former number, that number gives the
    change up. Runs as the owner of the database: SCOREBOARD_MIGRATION_URL, else
    SCOREBOARD_DATABASE_URL. The exit code is 1 when the last comparison finds differences.
    """
    outcome = asyncio.run(_repartition(load_settings(data_dir), partitions))
    if outcome is Outcome.UNCHANGED:
        say(f"The data has {quantity(partitions, 'partition')} already.")
        return
    if outcome is Outcome.GIVEN_UP:
        say(f"Given up: the data has {quantity(partitions, 'partition')}, as before.")
        return
    say(
        f"The data has {quantity(partitions, 'partition')} now. Start the service with "
        f"SCOREBOARD_PARTITIONS={partitions} for every process."
    )
    if outcome is Outcome.DIFFERS:
        say("There are differences: `scoreboard verify --repair` mends them.", err=True)
        raise typer.Exit(1)


async def _repartition(settings: Settings, partitions: int) -> Outcome:
    with stage_bars(console(err=True)) as tell:
        async with repartitioner(settings, tell=tell, on_difference=print_difference) as works:
            return await works.change(partitions)
