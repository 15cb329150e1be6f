"""Which running service a client command talks to."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from scoreboard.errors import ConfigurationError

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
DEFAULT_DATA_DIR = Path(".scoreboard")


@dataclass(frozen=True, slots=True)
class Target:
    """Base URL without a final slash, and a token if one is known."""

    url: str
    token: str | None

    @property
    def headers(self) -> dict[str, str]:
        """The headers that present the token."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


def find(url: str | None, token: str | None, data_dir: Path) -> Target:
    """The service to talk to: options first, then the environment, then a running ``up``. Raises
    ConfigurationError when none is known. A token from run.json goes to that service only."""
    url = url or os.environ.get("SCOREBOARD_URL")
    token = token or os.environ.get("SCOREBOARD_TOKEN")
    if url is None:
        path = data_dir / "run.json"
        try:
            run = json.loads(path.read_text(encoding="utf-8"))
            url, token = run["url"], token or run["token"]
        except (OSError, ValueError, KeyError) as error:
            raise ConfigurationError(
                f"No service is known: {path} can't be read. Start one with `scoreboard up`, or "
                "name one with --url."
            ) from error
    return Target(url.rstrip("/"), token)
