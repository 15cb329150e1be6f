"""A receiver, and what delivers to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import msgspec
import pytest

from scoreboard.assembly.webhooks import telling_outsiders
from scoreboard.domain.webhook_signatures import new_secret
from scoreboard.domain.webhooks import Delivery, EventType, NewWebhook
from scoreboard.pg.outside_events import tell_of_erasure
from scoreboard.pg.webhooks import Webhooks
from scoreboard.settings import Settings
from scoreboard.workers import lookout
from tests.support.looks import looking_for
from tests.support.waiting import wait_until
from tests.support.webhook_receiver import Receiver, receiving

NETWORK = "127.0.0.0/8"


@dataclass
class Outside:
    """Webhooks in Postgres, and what they are told."""

    webhooks: Webhooks
    database: asyncpg.Connection

    async def add(self, url: str, *events: EventType, **given: Any) -> int:
        new = NewWebhook(url=url, events=list(events) or ["player.erased"], **given)
        return (await self.webhooks.add(new, new_secret(), by="eve")).id

    async def erase(self, *users: str) -> None:
        """Records ``player.erased`` of each, in a transaction."""
        async with self.database.transaction():
            for user in users:
                await tell_of_erasure(self.database, user=user, mode="erase", erasure="e1")

    async def deliveries(self, webhook: int, state: str | None = None) -> list[Delivery]:
        found = await self.webhooks.deliveries(webhook, state, before=None, limit=10_000)
        return [delivery for _, delivery in found]

    async def ended(self, webhook: int, state: str, count: int) -> None:
        async def so_many() -> bool:
            return len(await self.deliveries(webhook, state)) == count

        await wait_until(so_many, description=f"{count} deliveries are {state}")

    async def failing(self, webhook: int) -> str:
        """Waits until an attempt has failed; why."""

        async def failure() -> str | None:
            return (await self.webhooks.get(webhook)).failure

        return str(await wait_until(failure, description="an attempt fails"))

    async def let_pauses_pass(self) -> None:
        await self.database.execute("UPDATE outside_event SET due = now() WHERE due > now()")

    async def bodies(self, kind: EventType) -> list[Any]:
        rows = await self.database.fetch(
            "SELECT body FROM outside_event WHERE kind = $1 ORDER BY id", kind
        )
        return [msgspec.json.decode(row["body"]) for row in rows]


@asynccontextmanager
async def telling(settings: Settings) -> AsyncIterator[None]:
    """Outsiders are told, as by a persister, for as long as the block lasts."""
    async with (
        telling_outsiders(settings) as wakes,
        looking_for(settings.database_url, wakes),
    ):
        yield


@pytest.fixture
def outside(pool: asyncpg.Pool, database: asyncpg.Connection) -> Outside:
    return Outside(Webhooks(pool), database)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running


@pytest.fixture
def near(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings by which this machine may be told, and at once."""
    monkeypatch.setattr(lookout, "LOOK", 0.02)
    monkeypatch.setattr(lookout, "SOON", 0.02)
    return msgspec.structs.replace(settings, webhook_networks=NETWORK)
