"""``scoreboard verify``: the ledger, user_score, Redis and the receipts agree."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Annotated

import typer

from scoreboard.assembly.operator import Operator, load_settings, operator
from scoreboard.commands.options import DataDirOption
from scoreboard.commands.progress import progress_bar, tell_wait
from scoreboard.commands.terminal import console, say
from scoreboard.domain.audit import Difference, Report
from scoreboard.domain.boards import no_such_board
from scoreboard.domain.moments import moment_of
from scoreboard.domain.quantities import quantity
from scoreboard.settings import Settings


def verify_command(
    board: Annotated[str | None, typer.Option(help="The board; default: all.")] = None,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Set boards that differ to what their ledger says."),
    ] = False,
    data_dir: DataDirOption = None,
) -> None:
    """Compare the ledger, the totals and Redis, user by user.

    For every user these are the ledger's sum, user_score, Redis and the receipts. Prints every
    difference and the write-behind lag; safe while scores come in. The exit code is 1 when there
    was a difference (with --repair: when one remains).
    """
    if asyncio.run(_verify(load_settings(data_dir), board, repair)):
        raise typer.Exit(1)


async def _verify(settings: Settings, board: str | None, repair: bool) -> bool:
    """Returns True when something differs at the end."""
    differs = False
    async with operator(settings, on_wait=tell_wait) as tools:
        names = await tools.boards(board)
        if not names:
            say("There are no boards yet.")
        for name in names:
            if not await tools.durable.ledger.knows(name):
                raise no_such_board(name)
            report = await _compare(tools, name)
            if report.differences and repair:
                say(f"{name}: repairing from the ledger")
                await tools.durable.rebuilder.rebuild(name, correct=True)
                report = await _compare(tools, name)
            differs = differs or report.differences > 0
        behind = await tools.audit.backlog()
    say(f"write-behind: {quantity(behind, 'event')} not in Postgres yet")
    return differs


async def _compare(tools: Operator, board: str) -> Report:
    with progress_bar(console(err=True)) as bar:
        tables = [one.table for one in await tools.postgres.occurrences(board)]
        users = [await tools.postgres.users(table) for table in (board, *tables)]
        task = bar.add_task(board, total=sum(users))
        report = await tools.verifier.verify(board, print_difference, partial(bar.advance, task))
    folded = await tools.postgres.detail_from(board)
    say(
        f"{board}: {quantity(report.users, 'user')}, "
        + (f"{quantity(report.occurrences, 'occurrence')}, " if report.occurrences else "")
        + f"{quantity(report.receipts, 'receipt')}, "
        + quantity(report.differences, "difference")
        + ("" if report.live else "; not live in Redis, compared within Postgres")
        + (f"; {quantity(report.moving, 'user')} kept moving" if report.moving else "")
        + (f"; actions before {moment_of(folded):%Y-%m-%d %H:%M}Z are folded" if folded else "")
    )
    return report


def print_difference(difference: Difference) -> None:
    """Says in a line what does not agree."""
    action = f" action {difference.action_id!r}" if difference.action_id is not None else ""
    user = f" user {difference.user_id!r}{action}:" if difference.user_id is not None else ""
    say(
        f"{difference.board}:{user} {difference.where} has "
        f"{difference.found or 'nothing'}, the ledger {difference.expected}"
    )
