"""A partition's stream as the persister consumes it.

The reader holds the partition's lock in Postgres, so there is one reader at a time, and everything
up to an acknowledged entry is deleted. So what the stream holds is what is left to do, in order;
what a reader that died had read is still there. There is a consumer group on the stream, by which
persisters of earlier versions read; it would cost Redis more than the reading itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import ResponseError

from scoreboard.domain.ledger import FIRST_EVENT, Entry, EventId
from scoreboard.redisio.commands import by_server, of_each, reachable
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
        self._key = PartitionKeys(partition).events
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
        with reachable():
            async with self._redis.pipeline(transaction=False) as pipe:
                _acknowledge(pipe, self.partition, ids, awaited)
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


def _acknowledge(
    pipe: Pipeline, partition: int, ids: Sequence[bytes], awaited: Sequence[str]
) -> None:
    """Adds what removes committed entries of the partition and announces them. Not for a MULTI: a
    Redis 7.0 that is out of memory refuses every command inside one, and nothing would ever leave
    the stream. It is safe to stop after any of these."""
    keys, last = PartitionKeys(partition), EventId(*split_id(ids[-1]))
    if awaited:  # before the other, at which who was not named asks the ledger
        pipe.publish(keys.committed, " ".join(awaited))
    pipe.publish(keys.persisted, str(last))
    pipe.xtrim(keys.events, minid=f"{last.ms}-{last.seq + 1}", approximate=False)


class PartitionStreams:
    """The streams of some partitions, by their places. What is asked of several at once is one
    round trip to each server that has some of them, and fails for those of a server that fails."""

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

    async def lengths_of(self, partitions: Sequence[int]) -> Mapping[int, int | Exception]:
        """How many entries each of these holds, or why that can't be known now. Raises nothing."""

        def ask(pipe: Pipeline, partition: int) -> None:
            pipe.xlen(PartitionKeys(partition).events)

        return await self._each(partitions, ask)

    async def read_each(self, counts: Mapping[int, int]) -> Mapping[int, list[Entry] | Exception]:
        """Of each of these partitions up to so many of the oldest entries, or why they can't be
        read. The caller holds their locks. Raises nothing."""

        def ask(pipe: Pipeline, partition: int) -> None:
            pipe.xread({PartitionKeys(partition).events: "0"}, count=counts[partition])

        read = await self._each(list(counts), ask)
        return {
            partition: reply if isinstance(reply, Exception) else reply[0][1] if reply else []
            for partition, reply in read.items()
        }

    async def acknowledge_each(
        self, committed: Mapping[int, tuple[Sequence[bytes], Sequence[str]]]
    ) -> Mapping[int, Exception | None]:
        """As ``PartitionStream.acknowledge`` does of one: of each of these partitions the entries'
        ids and the attempts that are awaited. Why it failed, or None. Raises nothing."""

        def ask(pipe: Pipeline, partition: int) -> None:
            _acknowledge(pipe, partition, *committed[partition])

        replies = await self._each(list(committed), ask)
        return {
            partition: reply if isinstance(reply, Exception) else None
            for partition, reply in replies.items()
        }

    async def _each(
        self, partitions: Sequence[int], ask: Callable[[Pipeline, int], None]
    ) -> dict[int, Any]:
        """The reply to the last command that ``ask`` adds for each of the partitions, or an
        error."""
        if not partitions:
            return {}

        async def asked(some: Sequence[int]) -> list[Any]:
            lasts: list[int] = []
            with reachable():
                async with self._redis.pipeline(transaction=False) as pipe:
                    for partition in some:
                        ask(pipe, partition)
                        lasts.append(len(pipe) - 1)
                    replies = await pipe.execute()
            return [replies[at] for at in lasts]

        found: dict[int, Any] = {}
        try:
            with reachable():
                parts = await by_server(self._redis, partitions)
            told = await of_each(parts, asked)
        except Exception as error:  # noqa: BLE001 (it is that of each)
            return dict.fromkeys(partitions, error)
        for some, replies in zip(parts, told, strict=True):
            if isinstance(replies, Exception):
                found.update(dict.fromkeys(some, replies))
            else:
                found.update(zip(some, replies, strict=True))
        return found
