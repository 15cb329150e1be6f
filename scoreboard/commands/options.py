"""Options that several commands take, and the form of those with subcommands."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from typer.core import TyperCommand

from scoreboard.domain.announced import AnnouncedEvent
from scoreboard.errors import ConfigurationError
from scoreboard.settings import DATA_DIR_VARIABLE

ACTOR = "command line"  # in the audit

UrlOption = Annotated[
    str | None,
    typer.Option(help="The service; default: SCOREBOARD_URL, else what `scoreboard up` left here."),
]
TokenOption = Annotated[
    str | None,
    typer.Option(help="Access token; default: SCOREBOARD_TOKEN, else that of `scoreboard up`."),
]
DataDirOption = Annotated[
    Path | None,
    typer.Option(
        envvar=DATA_DIR_VARIABLE,
        help="Data directory of the `scoreboard up` to work with; default: .scoreboard, unless the "
        "environment names the servers.",
    ),
]


def command_group(description: str) -> typer.Typer:
    """A command that consists of subcommands."""
    return typer.Typer(
        add_completion=False, no_args_is_help=True, rich_markup_mode=None, help=description
    )


class OfBoard(TyperCommand):
    """A command whose argument is a board. It takes the board by ``--board`` as well, as commands
    do of which the board is only an option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Like typer's."""
        for place, arg in enumerate(args):
            name, given, board = arg.partition("=")
            if name == "--board":  # what follows it, or stands in it, is left as the argument
                return super().parse_args(
                    ctx, args[:place] + [board] * bool(given) + args[place + 1 :]
                )
        return super().parse_args(ctx, args)


def writable(path: Path | None) -> Path | None:
    """Called for an option that names a file to write: refuses one that can't be written before the
    work begins."""
    if path is not None:
        place = path if path.exists() else path.parent
        if path.is_dir() or not os.access(place, os.W_OK):
            raise typer.BadParameter(f"{str(path)!r} can't be written")
    return path


def moment(text: str, option: str) -> datetime:
    """The moment of an option's text, which has an offset. Raises ConfigurationError."""
    try:
        read = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        read = None
    if read is None or read.tzinfo is None:
        raise ConfigurationError(
            f"{option} is a moment with an offset, such as 2026-12-05T18:00:00Z, not {text!r}"
        )
    return read


def date(text: str) -> datetime:
    """Reads an option that is a date: its first moment, in UTC."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no date such as 2026-01-31") from None


def local_moment(text: str) -> datetime:
    """Reads an option that is a date, or a moment, by the local clock unless it has an offset."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no moment such as 2026-01-31T18:00:00Z or 2026-01-31"
        ) from None


def announced_events(texts: Sequence[str]) -> list[AnnouncedEvent]:
    """The events of options ``--event``. Raises ConfigurationError."""
    try:
        return [AnnouncedEvent.from_text(text) for text in texts]
    except ValueError as error:
        example = "2026-12-05T00:00:00Z/2026-12-07T00:00:00Z/2"
        raise ConfigurationError(f"--event is FROM/TO/FACTOR, such as {example}: {error}") from None
