"""``scoreboard ledger``: the ledger in parts of time."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from scoreboard.assembly.moderation import ledger_folder
from scoreboard.assembly.operator import as_owner, load_settings, operator
from scoreboard.commands.options import DataDirOption, command_group
from scoreboard.commands.progress import stage_bars, tell_wait
from scoreboard.commands.terminal import console, say
from scoreboard.domain.ledger_parts import LedgerPart
from scoreboard.domain.moments import moment_of
from scoreboard.domain.quantities import quantity
from scoreboard.errors import ConfigurationError
from scoreboard.pg.fitness import check_owner
from scoreboard.pg.ledger_folds import LedgerFolds
from scoreboard.pg.ledger_parts import partition
from scoreboard.pg.migrations import check_version
from scoreboard.settings import PREFIX, Settings

ledger_command = command_group("Cut the ledger into parts of time, and fold old ones.")


@ledger_command.command("partition")
def partition_command(data_dir: DataDirOption = None) -> None:
    """Cut the ledger, so far one table, into parts of five weeks.

    What is there becomes the first part, as it is. Everything goes on, and nobody is kept waiting
    for more than half a second. When it is interrupted, run it again. Runs as the owner of the
    database: SCOREBOARD_MIGRATION_URL, else SCOREBOARD_DATABASE_URL. Processes of a version without
    parts work on, and do not start again.
    """
    made = asyncio.run(_partition(load_settings(data_dir)))
    say("The ledger is in parts now." if made else "The ledger is in parts already.")


@ledger_command.command("fold")
def fold_command(
    archive: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write each part to a Parquet file here before it is folded; default: "
            "SCOREBOARD_LEDGER_ARCHIVE, else none.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say which part would be folded first.")
    ] = False,
    data_dir: DataDirOption = None,
) -> None:
    """Fold old parts into totals of each user.

    Old are those of before SCOREBOARD_LEDGER_RETENTION. Their actions are gone afterwards, and the
    totals stay. Everything goes on meanwhile; when it is interrupted, run it again. `persist` does
    the same by itself.
    """
    settings = load_settings(data_dir)
    if not settings.ledger_retention:
        raise ConfigurationError(f"{PREFIX}LEDGER_RETENTION says that all is kept")
    asyncio.run(_fold(settings, str(archive or settings.ledger_archive), dry_run=dry_run))


async def _partition(settings: Settings) -> bool:
    async with as_owner(settings) as connection:
        await check_version(connection)
        await check_owner(connection)
        return await partition(connection, say)


async def _fold(settings: Settings, archive: str, *, dry_run: bool) -> None:
    async with operator(settings, on_wait=tell_wait) as tools:
        part = await LedgerFolds(tools.pool).due(round(settings.ledger_retention * 1000))
        if dry_run:
            say("Nothing is due." if part is None else f"Due is {_described(part)}")
            return
        folder = ledger_folder(settings, tools.pool, tools.durable, archive)
        with stage_bars(console(err=True)) as report:
            done: dict[str, int] = {}

            def tell(part: LedgerPart, what: str, count: int) -> None:
                stage = f"{part.relation}: {what}"
                done[stage] = done.get(stage, 0) + count
                report(stage, done[stage], done[stage])

            folded = await folder.fold_all(tell)
    if folded is None:
        say("Another process folds now.")
    else:
        say(f"folded {quantity(folded, 'part')}" if folded else "Nothing is due.")


def _described(part: LedgerPart) -> str:
    begin = "the beginning" if part.from_ms is None else f"{moment_of(part.from_ms):%Y-%m-%d}"
    begun = ", of which the folding was begun" if part.folding else ""
    return (
        f"{part.relation}: from {begin} until {moment_of(part.to_ms):%Y-%m-%d}, about "
        f"{quantity(part.actions, 'action', ',')}, {part.size / 2**20:,.0f} MiB{begun}"
    )
