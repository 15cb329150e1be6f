"""``scoreboard serve``: the HTTP and WebSocket service."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from scoreboard.commands import roles


def serve_command(
    host: Annotated[str | None, typer.Option(help="Address; default: SCOREBOARD_HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; default: SCOREBOARD_PORT.")] = None,
) -> None:
    """Serve the API, the WebSockets and the pages.

    Configured by SCOREBOARD_* variables.
    """
    environ = dict(os.environ)
    if host is not None:
        environ["SCOREBOARD_HOST"] = host
    if port is not None:
        environ["SCOREBOARD_PORT"] = str(port)
    roles.run("serve", environ)
