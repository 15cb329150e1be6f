"""How far each partition's events are in Postgres, as the persister publishes it after a commit;
for replies that promise Postgres."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import structlog

from scoreboard.wire.events import split_id

log = structlog.get_logger(__name__)


class Subscriptions(Protocol):
    """Channels by name (redisio/updates.RedisUpdates, one channel a partition)."""

    async def subscribe(self, name: str) -> None: ...

    def run(
        self, on_update: Callable[[str, bytes], None], on_resubscribed: Callable[[str], None]
    ) -> Coroutine[Any, Any, None]: ...


class CommitWatch:
    """Knows the highest committed event of every partition and who waits for which.

    Subscribed to only once somebody waits. What was published while Redis was away is not heard;
    the next commit covers it, and until then a wait ends without a promise, which is true.
    """

    def __init__(self, subscriptions: Subscriptions) -> None:
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
        """Makes sure that commits of the partition are heard from now on. To be called before the
        event is written, or its commit may be missed."""
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
