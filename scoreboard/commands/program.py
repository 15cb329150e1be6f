"""The program with options and subcommands, as a person types it."""

from __future__ import annotations

import importlib
import keyword
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from scoreboard import __version__
from scoreboard.commands.terminal import say

# Each is `NAME_command` in commands/NAME.py (NAME_.py for a word of Python's), loaded when asked
# for, so that `serve` starts without what only `train` needs. The order is that of
# `scoreboard --help`.
COMMANDS = (
    "up",
    "serve",
    "persist",
    "migrate",
    "rebuild",
    "verify",
    "dead",
    "ledger",
    "repartition",
    "boards",
    "calendar",
    "models",
    "webhooks",
    "revert",
    "erase",
    "token",
    "train",
    "evaluate",
    "replay",
    "export",
    "import",
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
    module = f"{command}_" if keyword.iskeyword(command) else command
    return getattr(importlib.import_module(f"scoreboard.commands.{module}"), f"{command}_command")


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
        say(__version__)
        raise typer.Exit
