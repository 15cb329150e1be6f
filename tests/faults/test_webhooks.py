"""Webhooks while persisters are killed: every event arrives, and a doubled one has the same id."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import asyncpg
import pytest

from scoreboard.domain.webhook_signatures import new_secret
from scoreboard.domain.webhooks import NewWebhook
from scoreboard.pg.outside_events import tell_of_erasure
from scoreboard.pg.pool import open_pool
from scoreboard.pg.webhooks import Webhooks
from scoreboard.settings import Settings
from tests.support.command import named, started
from tests.support.waiting import wait_until
from tests.support.webhook_receiver import receiving


@pytest.fixture
async def webhooks(settings: Settings) -> AsyncIterator[Webhooks]:
    pool = await open_pool(settings.database_url, connections=2, timeout=30)
    yield Webhooks(pool)
    await pool.close()


async def test_a_persister_that_is_killed_between_a_delivery_and_its_record_delivers_again(
    settings: Settings, webhooks: Webhooks
) -> None:
    servers = {
        **named(settings.redis_url, settings.database_url),
        "SCOREBOARD_WEBHOOK_NETWORKS": "127.0.0.1",
    }
    database = await asyncpg.connect(settings.database_url)
    async with receiving() as receiver, AsyncExitStack() as opened:
        opened.push_async_callback(database.close)
        receiver.manner = "holds"  # it has the event, and nobody has recorded that
        new = NewWebhook(url=receiver.url, events=["player.erased"])
        webhook = (await webhooks.add(new, new_secret(), by="eve")).id
        await tell_of_erasure(database, user="ann", mode="erase", erasure="e1")
        async with started("persist", **servers) as first:
            await wait_until(lambda: receiver.received, description="the event arrives")
            first.kill()
            await first.wait()

        receiver.manner = "takes"
        assert await webhooks.deliveries(webhook, "delivered", before=None, limit=9) == []
        await database.execute("UPDATE outside_event SET due = now()")  # the lease passes
        async with started("persist", **servers):

            async def delivered() -> bool:
                return bool(await webhooks.deliveries(webhook, "delivered", before=None, limit=9))

            await wait_until(delivered, description="the event is delivered")
    first_time, second_time = receiver.received
    assert first_time.id == second_time.id
    assert first_time.body == second_time.body
