"""``scoreboard boards``: what operators set on boards."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from scoreboard.assembly.moderation import moderator, remover
from scoreboard.assembly.operator import load_settings, operator
from scoreboard.commands.options import (
    ACTOR,
    DataDirOption,
    OfBoard,
    announced_events,
    command_group,
    moment,
)
from scoreboard.commands.period_options import amending_periods, period_of, period_text
from scoreboard.commands.progress import row_count
from scoreboard.commands.terminal import console, say
from scoreboard.domain.boards import (
    BoardSettings,
    GateMode,
    Join,
    Operator,
    Order,
    RankStyle,
    Rate,
    SettingsChange,
    SettingsGiven,
    is_board_name,
)
from scoreboard.domain.identifiers import IdRule
from scoreboard.domain.quantities import quantity
from scoreboard.domain.removals import RemovalKind
from scoreboard.errors import ConfigurationError, Unavailable
from scoreboard.pg.board_settings import StoredSettings
from scoreboard.settings import Settings

Board = Annotated[str, typer.Argument(metavar="BOARD", help="Its name; --board NAME as well.")]
Confirm = Annotated[str, typer.Option(metavar="BOARD", help="The board's name, again.")]

boards_command = command_group("Show and set boards: gate's mode, bounds of points, rates.")


@boards_command.command("list")
def list_command(data_dir: DataDirOption = None) -> None:
    """Show all boards with their settings."""
    for board, settings in asyncio.run(_all(load_settings(data_dir))).items():
        say(f"{board}  {_described(settings)}")


@boards_command.command("show", cls=OfBoard)
def show_command(board: Board, data_dir: DataDirOption = None) -> None:
    """Show as JSON what a board sets otherwise than by default."""
    settings = asyncio.run(_get(load_settings(data_dir), board))
    say(msgspec.json.format(msgspec.json.encode(settings)).decode())


@boards_command.command("set", cls=OfBoard)
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
    ids: Annotated[
        IdRule | None,
        typer.Option(
            help="User ids that the board takes: any, nfc-visible (nothing that can't be seen or "
            "is easily confused) or ascii."
        ),
    ] = None,
    operator: Annotated[
        Operator | None,
        typer.Option(help="What an action does to a total: sum, best or last."),
    ] = None,
    order: Annotated[
        Order | None, typer.Option(help="desc: more is better; asc: less is, as with lap times.")
    ] = None,
    decimals: Annotated[
        int | None,
        typer.Option(help="Decimals that a total is shown with; it is kept in the smallest unit."),
    ] = None,
    rank_style: Annotated[
        RankStyle | None,
        typer.Option(help="ordinal: nobody shares a rank; standard: equal totals do (1, 2, 2, 4)."),
    ] = None,
    top_size: Annotated[int | None, typer.Option(help="How many are in the top, 1 to 100.")] = None,
    title: Annotated[str | None, typer.Option(help="The board's name for people.")] = None,
    unit: Annotated[
        str | None, typer.Option(help="What totals are in, such as s or points.")
    ] = None,
    description: Annotated[str | None, typer.Option(help="What people are told of it.")] = None,
    opens: Annotated[
        str | None,
        typer.Option(help="From when on it takes actions; or none.", metavar="MOMENT"),
    ] = None,
    closes: Annotated[
        str | None,
        typer.Option(help="From when on it takes no more; or none.", metavar="MOMENT"),
    ] = None,
    attempts: Annotated[
        str | None,
        typer.Option(help="How many actions of a user count; or none.", metavar="N"),
    ] = None,
    capacity: Annotated[
        str | None, typer.Option(help="How many users it takes; or none.", metavar="N")
    ] = None,
    join: Annotated[
        Join | None, typer.Option(help="Whether users have to join first: open or required.")
    ] = None,
    event: Annotated[
        list[str] | None,
        typer.Option(
            help="An announced time in which actions are worth so many times the usual points, "
            "for the gate; again for further ones; or none. All that there were go.",
            metavar="FROM/TO/FACTOR",
        ),
    ] = None,
    period: Annotated[
        list[str] | None,
        typer.Option(
            help="Adds a period, or replaces the one of that name, such as 'week cron=0 0 * * 1 "
            "zone=Europe/Berlin grace=60' or 'blitz every=PT30S start=2026-01-01T00:00:00Z'; "
            "further keys are duration and keep. Others stay. May be repeated.",
            metavar="'NAME KEY=VALUE ...'",
        ),
    ] = None,
    drop_period: Annotated[
        list[str] | None, typer.Option(help="Takes a period away.", metavar="NAME")
    ] = None,
    all_time: Annotated[
        bool | None,
        typer.Option(help="Whether there is a table of all time, beside those of periods."),
    ] = None,
    zone: Annotated[
        str | None,
        typer.Option(help="By which time zone its days begin, such as Europe/Berlin."),
    ] = None,
    shards: Annotated[
        int | None,
        typer.Option(
            help="Over how many partitions its users are spread, 1 to 64; of a new board only."
        ),
    ] = None,
    data_dir: DataDirOption = None,
) -> None:
    """Change some settings of a board, or create it.

    What is not given is kept. Running servers follow with their next action. The operator, the
    order and the decimals can't change once the board has scores. When the occurrences of a period
    would come, `scoreboard calendar` shows.
    """
    options: dict[str, Any] = {
        "mode": mode,
        "minPoints": min_points,
        "maxPoints": max_points,
        "allowHistory": allow_history,
        "ids": ids,
        "operator": operator,
        "order": order,
        "decimals": decimals,
        "rankStyle": rank_style,
        "topSize": top_size,
        "title": title,
        "unit": unit,
        "description": description,
        "join": join,
        "allTime": all_time,
        "zone": zone,
        "shards": shards,
    }
    changes = {name: value for name, value in options.items() if value is not None}
    limits = {"opens": opens, "closes": closes, "attempts": attempts, "capacity": capacity}
    changes |= {
        name: None if value == "none" else value
        for name, value in limits.items()
        if value is not None
    }
    for name in ("opens", "closes"):
        if changes.get(name) is not None:
            moment(changes[name], f"--{name}")
    if rate is not None:
        changes["rate"] = _parsed(rate)
    if event:
        events = [] if event == ["none"] else announced_events(event)
        changes["events"] = msgspec.to_builtins(events)
    added = [period_of(text) for text in period or ()]
    dropped = drop_period or []
    if not (changes or added or dropped):
        raise ConfigurationError("say what to set; see `scoreboard boards set --help`")
    if not is_board_name(board):
        raise ConfigurationError(f"{board!r} can't be the name of a board")
    try:
        given = msgspec.convert(changes, SettingsGiven, strict=False)  # which knows the bounds
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{error}.") from error
    change = amending_periods(given, added, dropped)
    settings = asyncio.run(_set(load_settings(data_dir), board, change))
    say(f"{board}  {_described(settings)}")


@boards_command.command("delete", cls=OfBoard)
def delete_command(board: Board, confirm: Confirm, data_dir: DataDirOption = None) -> None:
    """Delete a board for good.

    Its scores and their ledger go with it. Meanwhile the board answers 503. When this is
    interrupted, a persister finishes it.
    """
    _remove(board, "delete", confirm, data_dir)
    say(f"{board}  deleted")


@boards_command.command("clear", cls=OfBoard)
def clear_command(board: Board, confirm: Confirm, data_dir: DataDirOption = None) -> None:
    """Delete a board's scores for good; its settings stay.

    Their ledger goes with them. Meanwhile the board answers 503. When this is interrupted, a
    persister finishes it.
    """
    _remove(board, "clear", confirm, data_dir)
    say(f"{board}  cleared")


def _remove(board: str, kind: RemovalKind, confirm: str, data_dir: Path | None) -> None:
    if confirm != board:
        raise ConfigurationError(f"--confirm names another board than {board}")
    asyncio.run(_removed(load_settings(data_dir), board, kind))


def _parsed(rate: str) -> Any:
    """The rate in the API's format."""
    try:
        return msgspec.to_builtins(Rate.from_text(rate))
    except ValueError as error:
        raise ConfigurationError(f"--rate is N/SECONDS, such as 20/60, or none: {error}") from None


def _described(settings: BoardSettings) -> str:
    rate = settings.rate
    parts = [
        f"mode {settings.mode}",
        f"points {settings.min_points} to {settings.max_points}",
        f"rate {rate.actions}/{rate.seconds:g} s" if rate else "no rate",
    ]
    if settings.allow_history:
        parts.append("allows history")
    if settings.id_rule != "any":
        parts.append(f"ids {settings.id_rule}")
    plain = BoardSettings()
    parts += [
        f"{name.replace('_', ' ')} {value}"
        for name in ("operator", "order", "decimals", "rank_style", "top_size", "unit", "join")
        if (value := getattr(settings, name)) != getattr(plain, name)
    ]
    parts += [
        f"{name} {moment.isoformat()}"
        for name, moment in (("opens", settings.opens), ("closes", settings.closes))
        if moment is not None
    ]
    parts += [
        f"{name} {limit}"
        for name, limit in (("attempts", settings.attempts), ("capacity", settings.capacity))
        if limit is not None
    ]
    parts += [
        f"points x {event.factor:g} from {event.starts.isoformat()} to {event.ends.isoformat()}"
        for event in settings.events
    ]
    parts += [f"period {period_text(period)}" for period in settings.periods]
    if not settings.all_time:
        parts.append("no table of all time")
    if settings.clock != plain.clock:
        parts.append(f"days by {settings.clock}")
    if settings.shard_count > 1:
        parts.append(quantity(settings.shard_count, "shard"))
    if settings.title:
        parts.append(f"“{settings.title}”")
    return ", ".join(parts)


async def _all(settings: Settings) -> dict[str, BoardSettings]:
    async with operator(settings) as tools:
        return await StoredSettings(tools.pool).all()


async def _get(settings: Settings, board: str) -> BoardSettings:
    async with operator(settings) as tools:
        return await StoredSettings(tools.pool).get(board)


async def _set(settings: Settings, board: str, change: SettingsChange) -> BoardSettings:
    async with operator(settings) as tools:
        decides = moderator(settings, tools.redis, tools.pool, tools.durable)
        return await decides.configure(board, change, by=ACTOR)


async def _removed(settings: Settings, board: str, kind: RemovalKind) -> None:
    async with operator(settings) as tools:
        removes = remover(settings, tools.redis, tools.pool, tools.durable, patience=None)
        with row_count(console(err=True)) as bar:
            advance = partial(bar.advance, bar.add_task(board, total=None))
            if not await removes.remove(board, kind, by=ACTOR, progress=advance):
                raise Unavailable("The removal is decided, and a persister will finish it.")
