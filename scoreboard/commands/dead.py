"""``scoreboard dead``: the entries of the streams that could not be written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

import typer

from scoreboard.assembly.moderation import retrier
from scoreboard.assembly.operator import load_settings, operator
from scoreboard.commands.options import ACTOR, DataDirOption, command_group
from scoreboard.commands.terminal import printable, say
from scoreboard.domain.ledger import DeadLetter
from scoreboard.domain.quantities import quantity
from scoreboard.errors import ConfigurationError
from scoreboard.pg.dead_letters import DeadLetters
from scoreboard.settings import Settings

MOST = 10_000  # letters that are shown in one run
PAGE = 1_000  # letters read at once

Names = Annotated[
    list[str] | None, typer.Argument(metavar="NAME", help="Names as `dead list` shows them.")
]
Every = Annotated[bool, typer.Option("--all", help="All dead letters.")]

dead_command = command_group("Show entries that could not be written; retry or drop them.")


@dead_command.command("list")
def list_command(
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="Most letters to show.")] = 100,
    data_dir: DataDirOption = None,
) -> None:
    """Show dead letters, the oldest first: name, time, error, fields."""
    letters = asyncio.run(_list(load_settings(data_dir), limit))
    for letter in letters:
        fields = " ".join(
            f"{_readable(name)}={_readable(value)}" for name, value in letter.entry[1].items()
        )
        say(f"{letter.name}  {letter.created:%Y-%m-%dT%H:%M:%SZ}  {letter.error}")
        say(f"    {fields}")
    say(quantity(len(letters), "dead letter"), err=True)


@dead_command.command("retry")
def retry_command(
    names: Names = None, every: Every = False, data_dir: DataDirOption = None
) -> None:
    """Write entries again, once the cause of their error is gone. The exit code is 1 when one could
    not be written."""
    if asyncio.run(_retry(load_settings(data_dir), _chosen(names, every))):
        raise typer.Exit(1)


@dead_command.command("drop")
def drop_command(names: Names = None, every: Every = False, data_dir: DataDirOption = None) -> None:
    """Remove dead letters for good: their actions stay out of the ledger. After that `scoreboard
    verify --repair` removes them from Redis as well."""
    asyncio.run(_drop(load_settings(data_dir), _chosen(names, every)))


def _readable(raw: bytes) -> str:
    return printable(raw.decode(errors="backslashreplace")).replace("\n", "\\n")


def _chosen(names: list[str] | None, every: bool) -> list[str] | None:
    """The names, or None for all."""
    if bool(names) == every:
        raise ConfigurationError("say which dead letters: their names, or --all")
    return None if every else names


async def _list(settings: Settings, limit: int) -> list[DeadLetter]:
    async with operator(settings) as tools:
        return await DeadLetters(tools.pool).list(None, limit)


async def _found(letters: DeadLetters, names: list[str] | None) -> AsyncIterator[DeadLetter]:
    """The letters with these names, of which none may be missing, or all (None), the oldest first,
    each once whether it stays or not."""
    found = await letters.list(names, PAGE if names is None else len(names))
    if missing := set(names or ()) - {letter.name for letter in found}:
        raise ConfigurationError(
            f"there is no dead letter {', '.join(sorted(missing))}; nothing was done"
        )
    if not found:
        say("0 dead letters", err=True)
    while found:
        for letter in found:
            yield letter
        found = await letters.list(names, PAGE, after=found[-1].place)


async def _retry(settings: Settings, names: list[str] | None) -> int:
    """Returns how many could not be written."""
    stayed = 0
    async with operator(settings) as tools:
        again = retrier(tools.redis, tools.pool, tools.durable)
        async for letter in _found(DeadLetters(tools.pool), names):
            error = await again.retry(letter, by=ACTOR)
            stayed += error is not None
            say(f"{letter.name}  {'written' if error is None else error}")
    return stayed


async def _drop(settings: Settings, names: list[str] | None) -> None:
    async with operator(settings) as tools:
        letters = DeadLetters(tools.pool)
        async for letter in _found(letters, names):
            await letters.drop(letter, by=ACTOR)
            say(f"{letter.name}  dropped")
