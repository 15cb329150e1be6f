"""A partition's stream as the persister consumes it.

The reader holds the partition's lock in Postgres, so there is one reader at a time. Entries that
are pending when it starts were left behind by a reader that died, and it takes them over at once.
So entries are handled strictly in order, and everything up to an acknowledged entry may be deleted.
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
from scoreboard.wire.keys import CONSUMER_GROUP, PartitionKeys

CONSUMER = "persister"  # one name for all, since the lock lets only one read


def _emptied(error: ResponseError) -> bool:
    """Whether Redis lost the stream, before or in the middle of a read."""
    return str(error).startswith(("NOGROUP", "no such key"))


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
        self._seen = FIRST_EVENT  # the last entry that was read or skipped
        self._pending = False  # the last read found entries that were pending

    async def wait(self, timeout: float) -> None:
        """Returns when there is an entry that was not yet read, or after ``timeout`` seconds."""
        with reachable():
            # The server ends the wait; the longer client-side bound is for a server that vanished.
            async with asyncio.timeout(timeout + 5):
                await self._blocking.xread(
                    {self._key: str(self._seen)}, count=1, block=max(1, round(timeout * 1000))
                )

    async def read(self, count: int) -> list[Entry]:
        """Up to ``count`` entries in order: first what was left pending, then new ones. The
        caller holds the partition's lock."""
        with reachable():
            try:
                return await self._read(count)
            except ResponseError as error:
                if not _emptied(error):
                    raise
                await self._create_group()
                return await self._read(count)

    async def read_ahead(self, count: int, wait: float = 0.0) -> list[Entry]:
        """Up to ``count`` entries after those of the last ``read``, which need not be acknowledged
        yet; none while older ones may be pending, or when none come within ``wait`` seconds."""
        if self._pending:
            return []
        with reachable():
            try:
                return await self._read_new(count, wait)
            except ResponseError as error:
                if not _emptied(error):
                    raise
                return []

    async def find_again(self) -> None:
        """The next read goes to the server that has the stream now."""
        await self._ask_again()

    async def _read(self, count: int) -> list[Entry]:
        cursor: bytes | str = "0-0"
        while True:
            cursor, entries, _ = await self._redis.xautoclaim(
                self._key, CONSUMER_GROUP, CONSUMER, min_idle_time=0, start_id=cursor, count=count
            )
            self._pending = bool(entries)
            if entries:
                self._seen = EventId(*split_id(entries[-1][0]))
                return list(entries)
            if cursor == b"0-0":
                break
        entries = await self._read_new(count)
        if not entries:
            (group,) = await self._redis.xinfo_groups(self._key)
            self._seen = EventId(*split_id(group["last-delivered-id"]))
        return entries

    async def _read_new(self, count: int, wait: float = 0.0) -> list[Entry]:
        # The server ends the wait; the longer client-side bound is for a server that vanished.
        async with asyncio.timeout(wait + 5 if wait else None):
            reply: Any = await (self._blocking if wait else self._redis).xreadgroup(
                CONSUMER_GROUP,
                CONSUMER,
                {self._key: ">"},
                count=count,
                block=max(1, round(wait * 1000)) if wait else None,
            )
        if not reply:
            return []
        entries: list[Entry] = reply[0][1]
        self._seen = EventId(*split_id(entries[-1][0]))
        return entries

    async def _create_group(self) -> None:
        self._seen = FIRST_EVENT  # not the stream that was read before
        try:
            await self._redis.xgroup_create(self._key, CONSUMER_GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    async def acknowledge(self, ids: Sequence[bytes], awaited: Sequence[str] = ()) -> int:
        """Called when these entries, the stream's oldest, are committed: announces that to those
        who wait, acknowledges the entries and removes them. ``awaited`` are the attempts among them
        that are announced one by one. Returns how many the stream still holds."""
        last = EventId(*split_id(ids[-1]))
        with reachable():
            # Not in a MULTI: a Redis 7.0 that is out of memory refuses every command inside one,
            # and nothing would ever leave the stream. It is safe to stop after any of these.
            async with self._redis.pipeline(transaction=False) as pipe:
                if awaited:  # before the other, at which who was not named asks the ledger
                    pipe.publish(self._committed, " ".join(awaited))
                pipe.publish(self._persisted, str(last))
                pipe.xack(self._key, CONSUMER_GROUP, *ids)
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
