"""``scoreboard boards``: what operators set on boards."""

from __future__ import annotations

import asyncio
import re
from typing import Annotated, Any

import msgspec
import typer

from scoreboard.assembly.moderation import moderator
from scoreboard.assembly.operator import load_settings, operator
from scoreboard.commands.options import command_group
from scoreboard.domain.boards import BoardSettings, GateMode, Rate, is_board_name
from scoreboard.errors import ConfigurationError, UnknownBoard
from scoreboard.pg.board_settings import StoredSettings
from scoreboard.settings import Settings

ACTOR = "command line"  # in the audit

_rate = re.compile(r"(?P<actions>\d{1,6})/(?P<seconds>\d{1,6}(\.\d+)?)")

Board = Annotated[str, typer.Argument(metavar="BOARD")]

boards_command = command_group(
    "Show and set boards: the anomaly gate's mode, bounds of points, rates."
)


@boards_command.command("list")
def list_command() -> None:
    """Show all boards with their settings."""
    for board, settings in asyncio.run(_all(load_settings())).items():
        typer.echo(f"{board}  {_described(settings)}")


@boards_command.command("show")
def show_command(board: Board) -> None:
    """Show a board's settings in the API's format."""
    settings = asyncio.run(_get(load_settings(), board))
    fields = {name: getattr(settings, name) for name in settings.__struct_fields__}
    names = dict(zip(fields, settings.__struct_encode_fields__, strict=True))
    for name, value in fields.items():
        typer.echo(f"{names[name]}: {msgspec.json.encode(value).decode()}")


@boards_command.command("set")
def set_command(
    board: Board,
    mode: Annotated[
        GateMode | None, typer.Option(help="The gate: off, flag (count and record) or reject.")
    ] = None,
    min_points: Annotated[int | None, typer.Option(help="Least points of an action.")] = None,
    max_points: Annotated[int | None, typer.Option(help="Most points of an action.")] = None,
    rate: Annotated[
        str | None,
        typer.Option(
            help="Most accepted actions of a user in so many seconds; or none.", metavar="N/SECONDS"
        ),
    ] = None,
    allow_history: Annotated[
        bool | None, typer.Option(help="Whether the gate accepts actions of any age.")
    ] = None,
) -> None:
    """Change the settings that are given and keep the rest; creates the board if there is none.
    Running servers follow with their next action."""
    given: dict[str, Any] = {
        "mode": mode,
        "min_points": min_points,
        "max_points": max_points,
        "allow_history": allow_history,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    if rate is not None:
        changes["rate"] = _parsed(rate)
    if not changes:
        raise ConfigurationError("say what to set; see `scoreboard boards set --help`")
    if not is_board_name(board):
        raise ConfigurationError(f"{board!r} can't be the name of a board")
    settings = asyncio.run(_set(load_settings(), board, changes))
    typer.echo(f"{board}  {_described(settings)}")


def _parsed(rate: str) -> Rate | None:
    if rate == "none":
        return None
    if not (match := _rate.fullmatch(rate)):
        raise ConfigurationError("--rate is N/SECONDS, such as 20/60, or none")
    return Rate(int(match["actions"]), float(match["seconds"]))


def _described(settings: BoardSettings) -> str:
    rate = settings.rate
    parts = [
        f"mode {settings.mode}",
        f"points {settings.min_points} to {settings.max_points}",
        f"rate {rate.actions}/{rate.seconds:g} s" if rate else "no rate",
    ]
    if settings.allow_history:
        parts.append("allows history")
    return ", ".join(parts)


async def _all(settings: Settings) -> dict[str, BoardSettings]:
    async with operator(settings) as tools:
        return await StoredSettings(tools.pool).all()


async def _get(settings: Settings, board: str) -> BoardSettings:
    async with operator(settings) as tools:
        return await StoredSettings(tools.pool).get(board)


async def _set(settings: Settings, board: str, changes: dict[str, Any]) -> BoardSettings:
    async with operator(settings) as tools:
        try:
            before = await StoredSettings(tools.pool).get(board)
        except UnknownBoard:
            before = BoardSettings()
        try:
            # Through the decoder, which knows the bounds.
            wanted = msgspec.convert(
                msgspec.to_builtins(msgspec.structs.replace(before, **changes)), BoardSettings
            )
        except ValueError as error:
            raise ConfigurationError(str(error)) from error
        decides = moderator(settings, tools.redis, tools.pool, tools.durable)
        await decides.configure(board, wanted, by=ACTOR)
    return wanted
