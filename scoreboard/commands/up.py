"""`scoreboard up`: everything on this machine with one command."""

from __future__ import annotations

import os
import shlex
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from scoreboard import settings as configuration
from scoreboard.assembly.descriptors import raise_limit
from scoreboard.commands.teller import Teller
from scoreboard.local import supervisor
from scoreboard.local.interruption import Interrupted
from scoreboard.local.running_service import DEFAULT_DATA_DIR
from scoreboard.settings import DATA_DIR_VARIABLE


def up_command(
    host: Annotated[
        str, typer.Option(envvar="SCOREBOARD_HOST", help="Address to listen on.")
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(
            envvar="SCOREBOARD_PORT",
            help="Port to listen on; 0 picks a free one.",
            min=0,
            max=65535,
        ),
    ] = 8080,
    data_dir: Annotated[
        Path,
        typer.Option(
            envvar=DATA_DIR_VARIABLE, help="Where data, logs, the secret and run.json are kept."
        ),
    ] = DEFAULT_DATA_DIR,
    workers: Annotated[
        int, typer.Option(help="Serving processes that share the port.", min=1, max=64)
    ] = 1,
) -> None:
    """Start everything on this machine with one command.

    That is Valkey, Postgres, the persister and the service. With SCOREBOARD_REDIS_URL or
    SCOREBOARD_DATABASE_URL set, that server is used instead of an embedded one. Ctrl-C stops
    everything; the scores are kept.
    """
    settings = configuration.load(os.environ)
    raise_limit()
    with Teller(sys.stdout.fileno(), sys.stdout.encoding) as teller:
        plan = supervisor.Plan(
            host=host,
            port=port,
            directory=data_dir.resolve(),
            workers=workers,
            settings=settings,
            say=lambda sentence: teller.say(f"{time.strftime('%H:%M:%S')}  {sentence}"),
        )
        teller.say(f"Starting; data and logs are kept in {data_dir}/")
        try:
            with supervisor.running(plan) as scoreboard:
                teller.say(_banner(scoreboard, data_dir))
                scoreboard.wait()
        except Interrupted:
            pass
        teller.say("Stopped. The scores are kept.")


def _banner(scoreboard: supervisor.Scoreboard, data_dir: Path) -> str:
    action = '{"userId":"ada","actionId":"try-\'$(date +%s)\'","points":15}'
    hours = supervisor.TOKEN_TTL // 3600
    # As it was called, since in a checkout it is not where a shell looks for programs.
    program = sys.argv[0] if Path(sys.argv[0]).name == "scoreboard" else "scoreboard"
    elsewhere = "" if data_dir == DEFAULT_DATA_DIR else f" --data-dir {shlex.quote(str(data_dir))}"
    gate = {
        "off": "off: nothing is judged",
        "flag": "flag: what looks like cheating counts, and is listed for review",
        "reject": "reject: what looks like cheating does not count, and is listed for review",
    }[scoreboard.gate_mode]
    return f"""
Scoreboard is running.

  Leaderboard  {scoreboard.url}/
  Console      {scoreboard.url}/admin
  API          {scoreboard.url}/docs
  Data, logs   {data_dir}/
  Gate         {gate}
               (SCOREBOARD_DEFAULT_GATE_MODE, for a new default board)

Post a score and see it on the page. The token may do everything for {hours} hours;
`{program} token{elsewhere}` prints one for an hour.

TOKEN={scoreboard.token}
curl -s {scoreboard.url}/api/score -H 'Content-Type: application/json' \\
  -H "Authorization: Bearer $TOKEN" \\
  -d '{action}'

Ctrl-C stops everything; the scores are kept."""
