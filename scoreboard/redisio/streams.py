"""A partition's stream as the persister consumes it.

The reader holds the partition's lock in Postgres, so there is one reader at a time, and everything
up to an acknowledged entry is deleted. So what the stream holds is what is left to do, in order;
what a reader that died had read is still there. There is a consumer group on the stream, by which
persisters of earlier versions read; it would cost Redis more than the reading itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from scoreboard.domain.ledger import FIRST_EVENT, Entry, EventId
from scoreboard.redisio.commands import reachable
from scoreboard.wire.events import split_id
from scoreboard.wire.keys import PartitionKeys


class PartitionStream:
    """``blocking`` must be a client without a socket timeout; ``ask_again`` returns when it has
    been asked where keys are. Every method raises Unavailable when Redis is away."""

    def __init__(
        self,
        redis: Redis,
        blocking: Redis,
        partition: int,
        ask_again: Callable[[], Awaitable[None]],
    ) -> None:
        self.partition = partition
        keys = PartitionKeys(partition)
        self._key = keys.events
        self._persisted = keys.persisted
        self._committed = keys.committed
        self._redis = redis
        self._blocking = blocking
        self._ask_again = ask_again
        self._last_read = FIRST_EVENT

    async def wait(self, timeout: float) -> None:
        """Returns when there is an entry, or after ``timeout`` seconds."""
        with reachable():
            await self._read_after(FIRST_EVENT, 1, timeout)

    async def read(self, count: int) -> list[Entry]:
        """Up to ``count`` of the stream's oldest entries. The caller holds the partition's lock."""
        with reachable():
            return self._noted(await self._read_after(FIRST_EVENT, count))

    async def read_ahead(self, count: int, wait: float = 0.0) -> list[Entry]:
        """Up to ``count`` entries after those of the last ``read``, which need not be acknowledged
        yet; none when none come within ``wait`` seconds."""
        with reachable():
            return self._noted(await self._read_after(self._last_read, count, wait))

    async def find_again(self) -> None:
        """The next read goes to the server that has the stream now."""
        await self._ask_again()

    def _noted(self, entries: list[Entry]) -> list[Entry]:
        if entries:
            self._last_read = EventId(*split_id(entries[-1][0]))
        return entries

    async def _read_after(self, last: EventId, count: int, wait: float = 0.0) -> list[Entry]:
        # The server ends the wait; the longer client-side bound is for a server that vanished.
        async with asyncio.timeout(wait + 5 if wait else None):
            reply: Any = await (self._blocking if wait else self._redis).xread(
                {self._key: str(last)},
                count=count,
                block=max(1, round(wait * 1000)) if wait else None,
            )
        return reply[0][1] if reply else []

    async def acknowledge(self, ids: Sequence[bytes], awaited: Sequence[str] = ()) -> int:
        """Called when these entries, the stream's oldest, are committed: announces that to those
        who wait, and removes the entries. ``awaited`` are the attempts among them that are
        announced one by one. Returns how many the stream still holds."""
        last = EventId(*split_id(ids[-1]))
        with reachable():
            # Not in a MULTI: a Redis 7.0 that is out of memory refuses every command inside one,
            # and nothing would ever leave the stream. It is safe to stop after any of these.
            async with self._redis.pipeline(transaction=False) as pipe:
                if awaited:  # before the other, at which who was not named asks the ledger
                    pipe.publish(self._committed, " ".join(awaited))
                pipe.publish(self._persisted, str(last))
                pipe.xtrim(self._key, minid=f"{last.ms}-{last.seq + 1}", approximate=False)
                pipe.xlen(self._key)
                replies = await pipe.execute()
        return int(replies[-1])

    async def last_id(self) -> EventId:
        """The id of the latest entry ever appended; zero when there is no stream."""
        with reachable():
            try:
                info = await self._redis.xinfo_stream(self._key)
            except ResponseError as error:
                if "no such key" in str(error):
                    return FIRST_EVENT
                raise
        return EventId(*split_id(info["last-generated-id"]))


class PartitionStreams:
    """The streams of some partitions, by their places."""

    def __init__(self, redis: Redis, streams: Sequence[PartitionStream]) -> None:
        self._redis = redis
        self._streams = streams

    def __len__(self) -> int:
        return len(self._streams)

    def __getitem__(self, place: int) -> PartitionStream:
        return self._streams[place]

    def __iter__(self) -> Iterator[PartitionStream]:
        return iter(self._streams)

    async def lengths(self) -> list[int]:
        """How many entries each holds, in one round trip. Raises Unavailable."""
        with reachable():
            async with self._redis.pipeline(transaction=False) as pipe:
                for stream in self._streams:
                    pipe.xlen(PartitionKeys(stream.partition).events)
                return list(await pipe.execute())
