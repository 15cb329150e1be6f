"""``scoreboard train``: train the anomaly agents on recorded score actions."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from scoreboard.assembly.operator import load_settings, operator
from scoreboard.commands.action_file import read_actions
from scoreboard.commands.progress import stage_bars
from scoreboard.domain.judging import Case
from scoreboard.errors import ConfigurationError, UnknownBoard
from scoreboard.pg.cases import LedgerCases
from scoreboard.pg.models import Models
from scoreboard.settings import Settings

if TYPE_CHECKING:
    from scoreboard.anomaly.model import Model


def train_command(
    csv: Annotated[
        Path | None,
        typer.Option(
            help="Honest actions, oldest first: columns ts (epoch ms UTC), user_id, points; "
            "optionally latitude, longitude, country, device_id, user_agent. Rows with a label "
            "other than 0 are left out. Default: the ledger in Postgres.",
            metavar="CSV[.gz]",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(help="Where to write the model. Default: Postgres.", metavar="MODEL"),
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
        typer.Option(help="Leave out actions from before this date.", formats=["%Y-%m-%d"]),
    ] = None,
    activate: Annotated[
        bool, typer.Option(help="Put the model in force when it goes to Postgres.")
    ] = True,
    seed: Annotated[int, typer.Option(help="The same seed and actions make the same model.")] = 0,
    false_alarm_rate: Annotated[
        float,
        typer.Option(min=1e-6, max=0.1, help="Share of honest actions that an agent may refuse."),
    ] = 0.001,
) -> None:
    """Train the anomaly agents on the actions that count in the ledger, or on a CSV file. With
    --csv and --save neither a server nor a database is needed."""
    if importlib.util.find_spec("sklearn") is None:
        raise ConfigurationError("Training needs scikit-learn: pip install 'scoreboard[train]'.")
    from scoreboard.anomaly import agents

    console = Console(stderr=True)
    settings = None if csv and save else load_settings()
    if csv:
        cases = [row.case for row in read_actions(csv) if not row.label]
    else:
        assert settings is not None
        since_ms = round(since.replace(tzinfo=UTC).timestamp() * 1000) if since else 0
        cases = asyncio.run(_from_ledger(settings, board, since_ms))
    model = _trained(cases, seed, false_alarm_rate, console)
    record = model.training
    console.print(f"Trained on {record.actions:,} actions of {record.users:,} users.")
    for name, share in record.refused.items():
        console.print(f"  {name}: refuses {share:.3%} of them")
    for name in agents.names():
        if name not in record.refused:
            console.print(f"  {name}: too little data; abstains")
    if save:
        save.write_bytes(model.to_bytes())
        console.print(f"{save}: {save.stat().st_size / 1024:.0f} KiB")
    else:
        assert settings is not None
        version = asyncio.run(_store(settings, board, model, activate=activate))
        console.print(f"model {version} {'is in force' if activate else 'is stored'}")


async def _from_ledger(settings: Settings, board: str, since_ms: int) -> list[Case]:
    async with operator(settings) as tools:
        if board and not await tools.durable.ledger.knows(board):
            raise UnknownBoard(f"There is no board {board!r}.")
        cases: list[Case] = []
        async for chunk in LedgerCases(tools.pool).training(board or None, since_ms):
            cases.extend(chunk)
    return cases


def _trained(cases: Sequence[Case], seed: int, false_alarm_rate: float, console: Console) -> Model:
    from scoreboard.anomaly.training import TrainingOptions, train

    with stage_bars(console) as progress:
        return train(cases, TrainingOptions(seed=seed, false_alarm_rate=false_alarm_rate), progress)


async def _store(settings: Settings, board: str, model: Model, *, activate: bool) -> int:
    record = model.training
    refused = {f"refused by {name}": share for name, share in record.refused.items()}
    async with operator(settings) as tools:
        models = Models(tools.pool)
        version = await models.add(
            board,
            model.to_bytes(),
            first_ms=record.first_ms,
            last_ms=record.last_ms,
            false_alarm_rate=record.false_alarm_rate,
            quality={"actions": record.actions, "users": record.users, **refused},
        )
        if activate:
            await models.activate(version)
    return version
