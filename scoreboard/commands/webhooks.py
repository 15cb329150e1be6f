"""``scoreboard webhooks``: who outside is told of what, and what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import msgspec
import typer

from scoreboard.assembly.operator import load_settings, operator
from scoreboard.assembly.webhook_targets import webhook_targets
from scoreboard.commands.options import ACTOR, DataDirOption, command_group
from scoreboard.commands.terminal import say
from scoreboard.domain.webhook_signatures import new_secret
from scoreboard.domain.webhooks import DELIVERY_STATES, EVENT_TYPES, Delivery, NewWebhook, Webhook
from scoreboard.errors import ConfigurationError
from scoreboard.pg.webhooks import Webhooks
from scoreboard.settings import Settings

MOST = 10_000  # deliveries in one answer

webhooks_command = command_group("Tell other services what happens, by signed HTTP calls.")

WebhookArgument = Annotated[
    int, typer.Argument(metavar="ID", help="As `webhooks list` shows it.", min=1)
]


@webhooks_command.command("add")
def add_command(
    url: Annotated[str, typer.Argument(help="Where to: https, and on the Internet.")],
    event: Annotated[
        list[str],
        typer.Option(help=f"Of what: {', '.join(EVENT_TYPES)}; repeatable.", metavar="EVENT"),
    ],
    board: Annotated[
        list[str] | None,
        typer.Option(
            help="Of which board; repeatable; default: all. top.changed needs it.",
            metavar="BOARD",
        ),
    ] = None,
    interval: Annotated[
        int, typer.Option(help="Least seconds between two top.changed of a board.")
    ] = 60,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    real_ids: Annotated[
        bool,
        typer.Option("--real-ids", help="Name players by their ids who are anonymous to readers."),
    ] = False,
    data_dir: DataDirOption = None,
) -> None:
    """Add a webhook; print its secret, which is never shown again."""
    if not set(event) <= set(EVENT_TYPES):
        raise typer.BadParameter(f"one of {', '.join(EVENT_TYPES)}", param_hint="--event")
    given = {
        "url": url,
        "events": event,
        "boards": board or None,
        "interval": interval,
        "description": description,
        "realIds": real_ids,
    }
    settings = load_settings(data_dir)
    try:
        new = msgspec.convert(given, NewWebhook)
        webhook_targets(settings).check_url(url)
    except ValueError as error:
        raise ConfigurationError(str(error).replace("$.", "")) from None
    secret = new_secret()
    added = asyncio.run(_add(settings, new, secret))
    say(f"webhook {added.id}  {secret}")


@webhooks_command.command("list")
def list_command(data_dir: DataDirOption = None) -> None:
    """Show all webhooks and how they fare."""
    webhooks = asyncio.run(_list(load_settings(data_dir)))
    if not webhooks:
        say("There is no webhook yet; `scoreboard webhooks add` makes one.")
    for one in webhooks:
        fares = "fine"
        if one.failing_since is not None:
            fares = f"fails since {one.failing_since:%Y-%m-%dT%H:%M:%SZ}: {one.failure}"
        boards = "all boards" if one.boards is None else ", ".join(one.boards)
        ids = "  real ids" if one.real_ids else ""
        what = f"{', '.join(one.events)}  {boards}{ids}"
        say(f"{one.id}  {one.url}  {what}  {one.description}".rstrip())
        say(f"    {fares}; {one.waiting} waiting, {one.dead} dead")


@webhooks_command.command("remove")
def remove_command(webhook: WebhookArgument, data_dir: DataDirOption = None) -> None:
    """Remove a webhook, with what it was not told yet."""
    asyncio.run(_remove(load_settings(data_dir), webhook))
    say(f"webhook {webhook} is removed")


@webhooks_command.command("rotate")
def rotate_command(webhook: WebhookArgument, data_dir: DataDirOption = None) -> None:
    """Print a new secret; for a day the one before signs too."""
    secret = new_secret()
    asyncio.run(_rotate(load_settings(data_dir), webhook, secret))
    say(f"webhook {webhook}  {secret}")


@webhooks_command.command("deliveries")
def deliveries_command(
    webhook: WebhookArgument,
    state: Annotated[
        str | None, typer.Option(help=f"Only those: {', '.join(DELIVERY_STATES)}.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="Most deliveries to show.")] = 100,
    data_dir: DataDirOption = None,
) -> None:
    """Show what became of a webhook's deliveries, newest first."""
    if state is not None and state not in DELIVERY_STATES:
        raise typer.BadParameter(f"one of {', '.join(DELIVERY_STATES)}", param_hint="--state")
    deliveries = asyncio.run(_deliveries(load_settings(data_dir), webhook, state, limit))
    if not deliveries:
        say("There is no such delivery.")
    for one in deliveries:
        say(
            f"{one.message}  {one.created:%Y-%m-%dT%H:%M:%SZ}  {one.event}  {one.board or '-'}  "
            f"{one.state}, attempts {one.attempts}{f', {one.failure}' if one.failure else ''}"
        )


@webhooks_command.command("retry")
def retry_command(
    webhook: WebhookArgument,
    messages: Annotated[
        list[str] | None,
        typer.Argument(metavar="MESSAGE", help="As `webhooks deliveries` shows them."),
    ] = None,
    data_dir: DataDirOption = None,
) -> None:
    """Send dead deliveries again, all of a webhook or some."""
    retried = asyncio.run(_retry(load_settings(data_dir), webhook, messages or None))
    say("1 delivery is sent again" if retried == 1 else f"{retried} deliveries are sent again")


@asynccontextmanager
async def _webhooks(settings: Settings) -> AsyncIterator[Webhooks]:
    async with operator(settings) as tools:
        yield Webhooks(tools.pool)


async def _add(settings: Settings, new: NewWebhook, secret: str) -> Webhook:
    async with _webhooks(settings) as webhooks:
        return await webhooks.add(new, secret, by=ACTOR)


async def _list(settings: Settings) -> list[Webhook]:
    async with _webhooks(settings) as webhooks:
        return await webhooks.all()


async def _remove(settings: Settings, webhook: int) -> None:
    async with _webhooks(settings) as webhooks:
        await webhooks.remove(webhook, by=ACTOR)


async def _rotate(settings: Settings, webhook: int, secret: str) -> None:
    async with _webhooks(settings) as webhooks:
        await webhooks.rotate(webhook, secret, by=ACTOR)


async def _deliveries(
    settings: Settings, webhook: int, state: str | None, limit: int
) -> list[Delivery]:
    async with _webhooks(settings) as webhooks:
        found = await webhooks.deliveries(webhook, state, before=None, limit=limit)
    return [delivery for _, delivery in found]


async def _retry(settings: Settings, webhook: int, messages: list[str] | None) -> int:
    async with _webhooks(settings) as webhooks:
        return await webhooks.retry(webhook, messages, by=ACTOR)
