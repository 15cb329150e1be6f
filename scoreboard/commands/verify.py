"""``scoreboard verify``: the ledger, user_score, Redis and the receipts agree."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Annotated

import typer
from rich.console import Console

from scoreboard.assembly.operator import Operator, load_settings, operator
from scoreboard.commands.progress import progress_bar
from scoreboard.domain.audit import Difference, Report
from scoreboard.domain.boards import no_such_board
from scoreboard.settings import Settings


def verify_command(
    board: Annotated[str | None, typer.Option(help="The board; default: all.")] = None,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Set boards that differ to what their ledger says."),
    ] = False,
) -> None:
    """Compare, for every user, the ledger's sum, user_score, Redis and the receipts.

    Prints every difference and the write-behind lag; safe while scores come in. The exit code is 1
    when there was a difference (with --repair: when one remains).
    """
    if asyncio.run(_verify(load_settings(), board, repair)):
        raise typer.Exit(1)


async def _verify(settings: Settings, board: str | None, repair: bool) -> bool:
    """Returns True when something differs at the end."""
    differs = False
    async with operator(settings) as tools:
        for name in await tools.boards(board):
            if not await tools.durable.ledger.knows(name):
                raise no_such_board(name)
            report = await _compare(tools, name)
            if report.differences and repair:
                typer.echo(f"{name}: repairing from the ledger")
                await tools.durable.rebuilder.rebuild(name, correct=True)
                report = await _compare(tools, name)
            differs = differs or report.differences > 0
        behind = await tools.audit.backlog()
    typer.echo(f"write-behind: {behind} events are not in Postgres yet")
    return differs


async def _compare(tools: Operator, board: str) -> Report:
    with progress_bar(Console(stderr=True)) as bar:
        task = bar.add_task(board, total=await tools.postgres.users(board))
        report = await tools.verifier.verify(board, _print, partial(bar.advance, task))
    typer.echo(
        f"{board}: {report.users} users, {report.receipts} receipts, "
        f"{report.differences} differences"
        + ("" if report.live else "; not live in Redis, compared within Postgres")
        + (f"; {report.moving} users kept moving" if report.moving else "")
    )
    return report


def _print(difference: Difference) -> None:
    action = f" action {difference.action_id!r}" if difference.action_id is not None else ""
    typer.echo(
        f"{difference.board}: user {difference.user_id!r}{action}: {difference.where} has "
        f"{difference.found or 'nothing'}, the ledger {difference.expected}"
    )
