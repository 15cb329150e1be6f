"""Builds what tells outsiders, for the persister."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from scoreboard.api.sharded_boards import ShardedBoards
from scoreboard.assembly.webhook_targets import webhook_targets
from scoreboard.background import end, keep_running
from scoreboard.domain.waiting_work import Job
from scoreboard.pg.archived_boards import ArchivedBoards
from scoreboard.pg.archived_shards import ArchivedShards
from scoreboard.pg.outside_events import OutsideEvents
from scoreboard.pg.pool import open_pool
from scoreboard.pg.profiles import StoredProfiles
from scoreboard.settings import Settings
from scoreboard.webhooks.deliverer import Deliverer
from scoreboard.webhooks.sender import Sender
from scoreboard.webhooks.shown_players import ShownPlayers
from scoreboard.webhooks.top_teller import TopTeller
from scoreboard.workers.lookout import Wake

CONNECTIONS = 2  # their own: however many deliveries end at once, the persister's stay free
STATEMENT_TIMEOUT = 20.0  # seconds


@asynccontextmanager
async def telling_outsiders(settings: Settings) -> AsyncIterator[Mapping[Job, Wake]]:
    """Delivers webhooks for as long as the block lasts, when it is woken by what this gives. Raises
    ConfigurationError."""
    sender = Sender(webhook_targets(settings))
    pool = await open_pool(
        settings.database_url, connections=CONNECTIONS, timeout=STATEMENT_TIMEOUT
    )
    record = OutsideEvents(pool)
    deliverer = Deliverer(record, ShownPlayers(StoredProfiles(pool)), sender)
    tops = ShardedBoards(ArchivedBoards(pool), ArchivedShards(pool))
    teller = TopTeller(record, tops)
    tasks = [
        asyncio.create_task(keep_running("webhooks", deliverer.run)),
        asyncio.create_task(keep_running("old deliveries", deliverer.run_tidying)),
        asyncio.create_task(keep_running("changed tops", teller.run)),
    ]
    try:
        yield {"deliveries": deliverer.wake, "tops": teller.wake}
    finally:
        await end(*tasks)
        await pool.close()
