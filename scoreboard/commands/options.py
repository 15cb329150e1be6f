"""Options that several commands take, and the form of those with subcommands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

UrlOption = Annotated[
    str | None,
    typer.Option(help="The service; default: SCOREBOARD_URL, else what `scoreboard up` left here."),
]
TokenOption = Annotated[
    str | None,
    typer.Option(help="Access token; default: SCOREBOARD_TOKEN, else that of `scoreboard up`."),
]
DataDirOption = Annotated[
    Path, typer.Option(help="The data directory of `scoreboard up`, for its run.json.")
]


def command_group(description: str) -> typer.Typer:
    """A command that consists of subcommands."""
    return typer.Typer(
        add_completion=False, no_args_is_help=True, rich_markup_mode=None, help=description
    )
