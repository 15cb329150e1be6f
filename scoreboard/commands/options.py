"""Options that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

BoardOption = Annotated[str | None, typer.Option("--board", help="The board; default: all.")]
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
