"""``scoreboard models``: which trained model judges which board."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from scoreboard.assembly.operator import load_settings, operator
from scoreboard.commands.options import ACTOR, DataDirOption, command_group
from scoreboard.commands.terminal import say
from scoreboard.domain.gate_models import GateModel, HeldBack
from scoreboard.pg.models import Models
from scoreboard.settings import Settings

MAX_VERSION = 2**63 - 1  # in Postgres

models_command = command_group(
    "Show trained models and put one in force. Running servers follow within seconds."
)


@models_command.command("list")
def list_command(data_dir: DataDirOption = None) -> None:
    """Show the newest hundred models, those in force marked with *."""
    rows = asyncio.run(_list(load_settings(data_dir)))
    if not rows:
        say("There is no model yet; `scoreboard train` makes one.")
    for row in rows:
        window = (
            f"{row.trained_from:%Y-%m-%d} to {row.trained_to:%Y-%m-%d}"
            if row.trained_from and row.trained_to
            else "-"
        )
        quality = "".join(f", {name} {_figure(value)}" for name, value in row.quality.items())
        say(
            f"{'*' if row.active else ' '} {row.version}  {row.board or 'all boards'}  "
            f"trained {row.created:%Y-%m-%dT%H:%M:%SZ} on {window}, "
            f"{row.bytes / 1024:.0f} KiB, false alarms {row.false_alarm_rate:g}{quality}"
        )


def _figure(value: float) -> str:
    """Formats a count in full and a share to four digits."""
    return str(value) if isinstance(value, int) else f"{value:.4g}"


@models_command.command("activate")
def activate_command(
    version: Annotated[
        int, typer.Argument(help="As `models list` shows it.", min=1, max=MAX_VERSION)
    ],
    data_dir: DataDirOption = None,
) -> None:
    """Put a model in force on its board, in place of the one that is."""
    asyncio.run(_activate(load_settings(data_dir), version))
    say(f"model {version} is in force")


@models_command.command("hold-back")
def hold_back_command(
    version: Annotated[
        int, typer.Argument(help="As `models list` shows it.", min=1, max=MAX_VERSION)
    ],
    data_dir: DataDirOption = None,
) -> None:
    """Take a model out of force. The model for all boards judges its board then, or none."""
    held = asyncio.run(_hold_back(load_settings(data_dir), version))
    then = "only the rules apply" if held.instead is None else f"model {held.instead} judges"
    say(f"model {version} is held back; {then} now")


@models_command.command("rollback")
def rollback_command(
    board: Annotated[
        str, typer.Option(help="The board; default: the model for all without one of their own.")
    ] = "",
    data_dir: DataDirOption = None,
) -> None:
    """Go back to the model before the one in force."""
    version = asyncio.run(_rollback(load_settings(data_dir), board))
    say(f"model {version} is in force")


async def _list(settings: Settings) -> list[GateModel]:
    async with operator(settings) as tools:
        return await Models(tools.pool).list()


async def _activate(settings: Settings, version: int) -> None:
    async with operator(settings) as tools:
        await Models(tools.pool).activate(version, by=ACTOR)


async def _hold_back(settings: Settings, version: int) -> HeldBack:
    async with operator(settings) as tools:
        return await Models(tools.pool).hold_back(version, by=ACTOR)


async def _rollback(settings: Settings, board: str) -> int:
    async with operator(settings) as tools:
        return await Models(tools.pool).rollback(board, by=ACTOR)
