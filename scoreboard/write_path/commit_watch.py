"""Follows how far each partition's events are in Postgres, which the persister publishes after
every commit; for replies that promise Postgres."""

from __future__ import annotations

import asyncio
from collections import defaultdict

import structlog

from scoreboard.redisio.updates import RedisUpdates
from scoreboard.wire.events import split_id

log = structlog.get_logger(__name__)


class CommitWatch:
    """Knows the highest committed event of every partition, and which caller waits for which event.

    A partition's channel is subscribed to only once somebody waits. Messages that were published
    while Redis was away are missed. The next commit makes up for them; until then a wait may end
    with False although the event is committed, which promises too little but nothing false.
    """

    def __init__(self, subscriptions: RedisUpdates) -> None:
        self._subscriptions = subscriptions
        self._subscribed: set[int] = set()
        self._highest: dict[int, tuple[int, int]] = {}
        self._waiting: defaultdict[int, dict[asyncio.Future[None], tuple[int, int]]] = defaultdict(
            dict
        )

    async def run(self) -> None:
        """Listens until cancelled."""
        await self._subscriptions.run(self._on_commit, lambda _: None)

    async def watch(self, partition: int) -> None:
        """Subscribes to the partition's commits. Call it before the event is written, or the
        event's commit may be missed."""
        if partition not in self._subscribed:
            await self._subscriptions.subscribe(str(partition))
            self._subscribed.add(partition)

    async def wait(self, partition: int, event: str, timeout: float) -> bool:
        """True once the event is committed, False after ``timeout`` seconds."""
        wanted = split_id(event)
        if self._highest.get(partition, (0, 0)) >= wanted:
            return True
        done = asyncio.get_running_loop().create_future()
        waiting = self._waiting[partition]
        waiting[done] = wanted
        try:
            async with asyncio.timeout(timeout):
                await done
        except TimeoutError:
            return False
        finally:
            del waiting[done]
        return True

    def _on_commit(self, name: str, text: bytes) -> None:
        partition = int(name)
        try:
            committed = split_id(text)
        except ValueError:
            log.error("commit_unreadable", partition=partition, text=repr(text[:80]))
            return
        self._highest[partition] = max(committed, self._highest.get(partition, committed))
        for done, wanted in self._waiting[partition].items():
            if wanted <= committed and not done.done():
                done.set_result(None)
