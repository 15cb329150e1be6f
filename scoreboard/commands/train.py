"""``scoreboard train``: train the anomaly agents on recorded score actions."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scoreboard.assembly.operator import Operator, load_settings, operator
from scoreboard.assembly.training_process import NOT_IN_FORCE, check_training
from scoreboard.commands.action_file import read_actions
from scoreboard.commands.options import ACTOR, DataDirOption, date, writable
from scoreboard.commands.progress import stage_bars
from scoreboard.commands.terminal import console, printable
from scoreboard.domain.announced import usual
from scoreboard.domain.judging import Case
from scoreboard.domain.quantities import quantity
from scoreboard.errors import UnknownBoard
from scoreboard.pg.board_settings import StoredSettings
from scoreboard.pg.cases import LedgerCases
from scoreboard.pg.models import Models
from scoreboard.settings import Settings

if TYPE_CHECKING:
    from rich.console import Console

    from scoreboard.anomaly.activation import LastWeek
    from scoreboard.anomaly.model import Model


def train_command(
    csv: Annotated[
        Path | None,
        typer.Option(
            help="Honest actions, oldest first: columns ts (epoch milliseconds or seconds, or a "
            "time such as 2026-01-31T18:00:00Z), user_id, points; "
            "optionally latitude, longitude, country, device_id, user_agent. Rows with a label "
            "other than 0 are left out. Default: the ledger in Postgres.",
            metavar="CSV[.gz]",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            help="Where to write the model. Default: Postgres.", metavar="MODEL", callback=writable
        ),
    ] = None,
    board: Annotated[
        str,
        typer.Option(
            help="The board whose actions are read and that the model judges. Default: all "
            "actions, for all boards without a model of their own."
        ),
    ] = "",
    since: Annotated[
        datetime | None,
        typer.Option(
            help="Leave out actions from before this date.",
            parser=date,
            metavar="YYYY-MM-DD",
        ),
    ] = None,
    activate: Annotated[
        bool, typer.Option(help="Put the model in force when it goes to Postgres.")
    ] = True,
    seed: Annotated[
        int,
        typer.Option(help="The same seed and actions make the same model.", min=0, max=2**32 - 1),
    ] = 0,
    false_alarm_rate: Annotated[
        float,
        typer.Option(min=1e-6, max=0.1, help="Share of honest actions that an agent may refuse."),
    ] = 0.001,
    data_dir: DataDirOption = None,
) -> None:
    """Train the anomaly agents, on the ledger or a CSV file.

    Of the ledger, on the actions that count. A model that would refuse more of the last week's
    actions than its rate allows is stored and not put in force; the exit code is then 3. With --csv
    and --save neither a server nor a database is needed.
    """
    check_training()
    from scoreboard.anomaly import agents

    screen = console(err=True)
    settings = None if csv and save else load_settings(data_dir)
    if csv:
        cases = [row.case for row in read_actions(csv) if not row.label]
    else:
        assert settings is not None
        since_ms = round(since.timestamp() * 1000) if since else 0
        cases = asyncio.run(_from_ledger(settings, board, since_ms))
    model = _trained(cases, seed, false_alarm_rate, screen)
    record = model.training
    actions = quantity(record.actions, "action", ",")
    screen.print(f"Trained on {actions} of {quantity(record.users, 'user', ',')}.")
    for name, share in record.refused.items():
        screen.print(f"  {name}: refuses {share:.3%} of them")
    for name, rows in record.synthetic.items():
        novelties = "novelty" if rows == 1 else "novelties"
        screen.print(f"  {name}: was shown {rows:,} synthetic {novelties}")
    for name in agents.names():
        if name not in record.refused:
            screen.print(f"  {name}: too little data; abstains")
    if save:
        save.write_bytes(model.to_bytes())
        screen.print(f"{printable(str(save))}: {save.stat().st_size / 1024:.0f} KiB")
    else:
        assert settings is not None
        week = _last_week(model, cases, screen)
        fit = activate and not week.too_many
        version = asyncio.run(
            store(settings, board, model, week.refused, activate=fit, of_ledger=csv is None)
        )
        screen.print(f"model {version} {'is in force' if fit else 'is stored'}")
        if activate and not fit:
            screen.print(
                f"It would refuse {week.refused:.2%} of the last week's {week.actions:,} actions, "
                f"where at most {week.allowed:.2%} are wanted, so it is not in force. See why they "
                f"are unlike; `scoreboard models activate {version}` puts it in force all the same."
            )
            raise typer.Exit(NOT_IN_FORCE)


async def _from_ledger(settings: Settings, board: str, since_ms: int) -> list[Case]:
    async with operator(settings) as tools:
        await _check_board(tools, board)
        cases: list[Case] = []
        events = (await StoredSettings(tools.pool).get(board)).events if board else ()
        async for chunk in LedgerCases(tools.pool).training(board or None, since_ms):
            cases.extend(usual(chunk, events))
    return cases


async def _check_board(tools: Operator, board: str) -> None:
    """Raises UnknownBoard when there is no such board; '' stands for all."""
    if board and not await tools.durable.ledger.knows(board):
        raise UnknownBoard(f"There is no board {board!r}.")


def _trained(cases: Sequence[Case], seed: int, false_alarm_rate: float, screen: Console) -> Model:
    from scoreboard.anomaly.training import TrainingOptions, train

    with stage_bars(screen) as progress:
        return train(cases, TrainingOptions(seed=seed, false_alarm_rate=false_alarm_rate), progress)


def _last_week(model: Model, cases: Sequence[Case], screen: Console) -> LastWeek:
    from scoreboard.anomaly.activation import last_week

    with stage_bars(screen) as progress:
        return last_week(model, cases, progress)


async def store(
    settings: Settings,
    board: str,
    model: Model,
    refused: float,
    *,
    activate: bool,
    of_ledger: bool,
) -> int:
    """Stores a model, which would have ``refused`` this share of the last week, and returns its
    version. Raises UnknownBoard when the board whose ledger it was trained on is gone by now."""
    record = model.training
    by_agent = {f"refused by {name}": share for name, share in record.refused.items()}
    synthetic = {f"synthetic for {name}": rows for name, rows in record.synthetic.items()}
    async with operator(settings) as tools:
        if of_ledger:
            await _check_board(tools, board)
        models = Models(tools.pool)
        version = await models.add(
            board,
            model.to_bytes(),
            first_ms=record.first_ms,
            last_ms=record.last_ms,
            false_alarm_rate=record.false_alarm_rate,
            quality={
                "actions": record.actions,
                "users": record.users,
                **by_agent,
                "refused of the last week": refused,
                **synthetic,
            },
        )
        if activate:
            await models.activate(version, by=ACTOR)
    return version
