"""The command ``scoreboard``."""

from __future__ import annotations

import importlib
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from scoreboard import __version__
from scoreboard.errors import ScoreboardError

# Each is `NAME_command` in commands/NAME.py, loaded when asked for, so that `serve` starts without
# what only `train` needs. The order is that of `scoreboard --help`.
COMMANDS = (
    "up",
    "serve",
    "persist",
    "migrate",
    "rebuild",
    "verify",
    "dead",
    "boards",
    "models",
    "token",
    "train",
    "evaluate",
    "replay",
    "top",
)


class _Commands(TyperGroup):
    """Finds commands by name and imports only the one that runs (all of them for ``--help``)."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        found = _loaded(cmd_name)
        if not isinstance(found, typer.Typer):
            function, found = found, typer.Typer(add_completion=False, rich_markup_mode=None)
            found.command()(function)
        command = typer.main.get_command(found)
        command.name = cmd_name
        return command


def _loaded(command: str) -> Any:
    """A function, or a Typer with subcommands."""
    return getattr(importlib.import_module(f"scoreboard.commands.{command}"), f"{command}_command")


app = typer.Typer(
    cls=_Commands,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Scoreboard: leaderboards on Redis with a durable ledger in Postgres.",
)


@app.callback(invoke_without_command=True)
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """Runs the command; an error that says what to do is one line, not a traceback."""
    try:
        if sys.argv[1:] in (["serve"], ["persist"]):
            # A role as it is deployed, configured by its environment: it starts without what
            # parsing options takes, 8 MB for the rest of its life.
            _loaded(sys.argv[1])()
        else:
            app()
    except ScoreboardError as error:
        typer.echo(f"scoreboard: {error.detail}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
