"""`scoreboard up`: everything on this machine with one command."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from scoreboard import settings as configuration
from scoreboard.local import supervisor
from scoreboard.local.interruption import Interrupted
from scoreboard.local.running_service import DEFAULT_DATA_DIR


def up_command(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="Port to listen on; 0 picks a free one.", min=0, max=65535)
    ] = 8080,
    data_dir: Annotated[
        Path, typer.Option(help="Where data, logs, the secret and run.json are kept.")
    ] = DEFAULT_DATA_DIR,
    workers: Annotated[
        int, typer.Option(help="Serving processes that share the port.", min=1, max=64)
    ] = 1,
) -> None:
    """Start everything here: Valkey, Postgres, the persister and the service.

    With SCOREBOARD_REDIS_URL or SCOREBOARD_DATABASE_URL set, that server is used instead of an
    embedded one. Ctrl-C stops everything; the scores are kept.
    """
    settings = configuration.load(os.environ)
    plan = supervisor.Plan(
        host=host, port=port, directory=data_dir.resolve(), workers=workers, settings=settings
    )
    typer.echo(f"Starting; data and logs are kept in {data_dir}/")
    ended = None
    try:
        with supervisor.running(plan) as scoreboard:
            typer.echo(_banner(scoreboard, data_dir))
            ended = scoreboard.wait()
    except Interrupted:
        pass
    if ended:
        raise typer.Exit(1)
    typer.echo("Stopped. The scores are kept.")


def _banner(scoreboard: supervisor.Scoreboard, data_dir: Path) -> str:
    action = '{"userId":"ada","actionId":"try-\'$(date +%s)\'","points":15}'
    return f"""
Scoreboard is running.

  Leaderboard  {scoreboard.url}/
  API          {scoreboard.url}/docs
  Data, logs   {data_dir}/

A development token with every scope:

{scoreboard.token}

Post a score and see it on the page:

curl -s {scoreboard.url}/api/score -H 'Content-Type: application/json' \\
  -H 'Authorization: Bearer {scoreboard.token}' \\
  -d '{action}'

Ctrl-C stops everything; the scores are kept."""
