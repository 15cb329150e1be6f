"""The command ``scoreboard``."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from scoreboard import __version__
from scoreboard.errors import ScoreboardError

# Command: the module and function behind it. Loaded when asked for, so that `serve` starts without
# what only `train` needs. The order is that of `scoreboard --help`.
COMMANDS = {
    "up": "up:up_command",
    "serve": "serve:serve_command",
    "persist": "persist:persist_command",
    "migrate": "migrate:migrate_command",
    "rebuild": "rebuild:rebuild_command",
    "verify": "verify:verify_command",
    "dead": "dead:dead_command",
    "boards": "boards:boards_command",
    "models": "models:models_command",
    "token": "token:token_command",
    "train": "train:train_command",
    "evaluate": "evaluate:evaluate_command",
    "replay": "replay:replay_command",
    "top": "top:top_command",
}


class _Commands(TyperGroup):
    """Finds commands by name and imports only the one that runs (all of them for ``--help``)."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        found = _function(cmd_name)
        return found if isinstance(found, typer.core.TyperGroup) else _command(cmd_name, found)


def _function(command: str) -> Any:
    module, _, name = COMMANDS[command].partition(":")
    return getattr(importlib.import_module(f"scoreboard.commands.{module}"), name)


def _command(name: str, function: Callable[..., None]) -> Any:
    single = typer.Typer(add_completion=False, rich_markup_mode=None)
    single.command(name)(function)
    command = typer.main.get_command(single)
    command.name = name
    return command


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
            _function(sys.argv[1])()
        else:
            app()
    except ScoreboardError as error:
        typer.echo(f"scoreboard: {error.detail}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
