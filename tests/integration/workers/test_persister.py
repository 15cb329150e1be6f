"""From the stream to the ledger: every entry once, in order, whatever dies on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any
from unittest.mock import AsyncMock

import asyncpg
import pytest
from redis.asyncio import Redis

from scoreboard.domain.ledger import VERSION_STRIDE, Entry, EventId
from scoreboard.errors import Unavailable
from scoreboard.local.embedded_servers import Postgres
from scoreboard.pg import plain_batches
from scoreboard.pg.ledger import Ledger, LedgerSession
from scoreboard.pg.pool import open_pool
from scoreboard.redisio.streams import PartitionStream, PartitionStreams
from scoreboard.redisio.topologies import topology_at
from scoreboard.wire.keys import CONSUMER_GROUP, PartitionKeys
from scoreboard.workers.persister import Persister, persist_batches
from tests.support.channels import listening
from tests.support.ledger_entries import BOARD, PARTITION, append, append_raw, fields, sums, totals
from tests.support.persisting import at_work
from tests.support.servers import redis_client
from tests.support.stand_ins import NoReverter
from tests.support.waiting import PATIENCE, wait_until

KEYS = PartitionKeys(PARTITION)
SEED = 20_261


@pytest.fixture
async def blocking(redis_url: str) -> AsyncIterator[Redis]:
    topology = topology_at(redis_url)
    async with topology.client(timeout=None) as client:
        yield client
    await topology.close()


@pytest.fixture
def stream(redis: Redis, blocking: Redis) -> PartitionStream:
    return PartitionStream(redis, blocking, PARTITION, AsyncMock())


@pytest.fixture
def streams(redis: Redis, stream: PartitionStream) -> PartitionStreams:
    return PartitionStreams(redis, [stream])


async def step(stream: PartitionStream, ledger: Ledger, limit: int = 100) -> EventId | None:
    async with ledger.locked(PARTITION) as session:
        done = await persist_batches(stream, session, NoReverter(), limit)
        return done and done.last


async def test_what_is_appended_is_committed_trimmed_and_announced(
    redis: Redis, streams: PartitionStreams, ledger: Ledger, database: asyncpg.Connection
) -> None:
    persister = Persister(streams, ledger, NoReverter(), batch=100)
    async with listening(redis, KEYS.persisted) as channel, at_work(persister):
        await append(redis, "10-0", "ann", "a1", 5)
        await append(redis, "10-1", "bob", "a1", 7)
        while await channel.next() != b"10-1":
            pass
    assert await totals(database) == {"ann": 5, "bob": 7} == await sums(database)
    assert await redis.xlen(KEYS.events) == 0


async def test_batches_are_bounded_and_taken_in_order(
    redis: Redis, stream: PartitionStream, ledger: Ledger
) -> None:
    for i in range(1, 6):
        await append(redis, f"{i}-0", "ann", f"a{i}", 1, score=i)
    lasts = [await step(stream, ledger, limit=2) for _ in range(4)]
    assert lasts == [EventId(2, 0), EventId(4, 0), EventId(5, 0), None]


async def test_persisters_that_read_by_the_consumer_group_can_come_before_and_after(
    redis: Redis, stream: PartitionStream, ledger: Ledger, database: asyncpg.Connection
) -> None:
    """As those of earlier versions do: first what is pending, then what is new."""

    async def delivered(start: str) -> list[bytes]:
        claimed = await redis.xautoclaim(KEYS.events, CONSUMER_GROUP, "persister", 0, start)
        new: Any = await redis.xreadgroup(CONSUMER_GROUP, "persister", {KEYS.events: ">"})
        return [entry_id for entry_id, _ in [*claimed[1], *(new[0][1] if new else [])]]

    await append(redis, "1-0", "ann", "a1", 1)
    await append(redis, "2-0", "ann", "a2", 1, score=2)
    await redis.xgroup_create(KEYS.events, CONSUMER_GROUP, id="0")
    assert await delivered("0-0") == [b"1-0", b"2-0"], "an earlier one reads, and dies"
    await append(redis, "3-0", "ann", "a3", 1, score=3)
    assert await step(stream, ledger, limit=1) == EventId(1, 0)
    await stream.read(100)  # and one of this version dies
    assert await delivered("0-0") == [b"2-0", b"3-0"]
    assert await step(stream, ledger) == EventId(3, 0)
    await append(redis, "4-0", "ann", "a4", 1, score=4)
    assert await delivered("0-0") == [b"4-0"]
    assert await totals(database) == {"ann": 3}


async def test_only_actions_that_are_certain_to_have_counted_are_named_to_those_who_wait(
    redis: Redis, stream: PartitionStream, ledger: Ledger
) -> None:
    async with listening(redis, KEYS.committed) as channel:
        await append(redis, "10-0", "ann", "a1", 5, attempt="first", r=1)
        await append(redis, "10-1", "ann", "a2", 5, attempt="nobody-waits")
        await append(redis, "10-2", "bob", "a1", 5, attempt="second", r=1)
        await step(stream, ledger)
        # The same action again, as when Redis had lost the first: the first counts.
        await append(redis, "20-0", "ann", "a1", 5, attempt="late", r=1)
        async with ledger.locked(PARTITION) as session:
            await persist_batches(stream, session, AsyncMock(), 100)
        await append(redis, "30-0", "ann", "a3", 5, attempt="third", r=1)
        await step(stream, ledger)

        named: list[bytes] = []
        while b"third" not in named:
            named += (await channel.next()).split()
    assert named == [b"first", b"second", b"third"]


@pytest.mark.parametrize("replaced", [True, False])
async def test_events_from_before_a_board_was_made_live_count_if_their_server_is_still_the_one(
    redis: Redis,
    blocking: Redis,
    ledger: Ledger,
    database: asyncpg.Connection,
    replaced: bool,
) -> None:
    async def find() -> None:
        if replaced:
            await redis.delete(KEYS.events)  # the other server lacks them

    stream = PartitionStream(redis, blocking, PARTITION, find)
    await append(redis, "10-0", "ann", "a1", 5, version=7)
    await step(stream, ledger)
    async with ledger.locked(PARTITION) as session:
        await session.source.raise_version(BOARD, 7 + VERSION_STRIDE)
    await append(redis, "20-0", "ann", "a2", 2, score=7, version=7)
    done = await step(stream, ledger)

    assert done == (None if replaced else EventId(20, 0))
    assert await totals(database) == {"ann": 5 if replaced else 7} == await sums(database)
    await append(redis, "30-0", "bob", "a1", 1, version=8 + VERSION_STRIDE)
    assert await step(stream, ledger) == EventId(30, 0), "and events go on from there"


async def test_nothing_that_is_not_committed_is_ever_trimmed(
    redis: Redis, stream: PartitionStream, ledger: Ledger
) -> None:
    for i in range(1, 6):
        await append(redis, f"{i}-0", "ann", f"a{i}", 1, score=i)
    await stream.read(4)
    await step(stream, ledger, limit=2)
    left = await redis.xrange(KEYS.events) or []
    assert [event_id for event_id, _ in left] == [b"3-0", b"4-0", b"5-0"]


async def test_reading_ahead_keeps_the_order_and_skips_nothing(
    redis: Redis, stream: PartitionStream, ledger: Ledger, database: asyncpg.Connection
) -> None:
    for i in range(1, 12):
        await append(redis, f"{i}-0", "ann", f"a{i}", 1, score=i)
    await stream.read(4)  # by one that died
    async with ledger.locked(PARTITION) as session:
        done = [await persist_batches(stream, session, NoReverter(), 2, most=3) for _ in range(3)]
    assert [one and one.last for one in done] == [EventId(6, 0), EventId(11, 0), None]
    assert await totals(database) == await sums(database) == {"ann": 11}


async def test_an_emptied_redis_is_consumed_again_from_its_new_beginning(
    redis: Redis, streams: PartitionStreams, ledger: Ledger, database: asyncpg.Connection
) -> None:
    async with at_work(Persister(streams, ledger, NoReverter(), batch=100)):
        await append(redis, "10-0", "ann", "a1", 5)
        await wait_until(lambda: totals(database), description="the first event is persisted")
        await redis.flushall()
        await append(redis, "20-0", "bob", "a1", 7)
        await wait_until(
            lambda: _has(database, {"ann": 5, "bob": 7}), description="the second one too"
        )


async def _has(database: asyncpg.Connection, expected: dict[str, int]) -> bool:
    return await totals(database) == expected


async def test_two_persisters_at_once_write_every_event_once_without_deadlock(
    redis: Redis, redis_url: str, ledger: Ledger, database: asyncpg.Connection
) -> None:
    async def fill(start: int) -> None:
        async with redis.pipeline(transaction=False) as pipe:
            for i in range(start, start + 1000):
                raw = fields(f"user{i % 17}", f"a{i}", 1, score=i // 17 + 1)
                await append_raw(pipe, f"{i}-1", raw)
            await pipe.execute()

    def another(client: Redis) -> Persister:
        return Persister(
            PartitionStreams(client, [PartitionStream(client, client, PARTITION, AsyncMock())]),
            *(ledger, NoReverter()),
            batch=64,
        )

    async with (
        redis_client(redis_url) as one,
        redis_client(redis_url) as two,
        at_work(another(one)),
        at_work(another(two)),
    ):
        for start in range(0, 5000, 1000):
            await fill(start)
        await wait_until(lambda: _sum_is(database, 5000), description="all are persisted")
    assert await sums(database) == await totals(database)
    assert await redis.xlen(KEYS.events) == 0


async def _sum_is(database: asyncpg.Connection, expected: int) -> bool:
    return sum((await sums(database)).values()) == expected


STEPS = ("before read", "after read", "after commit", "after acknowledge")


class Crash(BaseException):
    """The process is gone: nothing below it runs."""


class CrashingStream:
    """Dies at one step, once."""

    def __init__(self, stream: PartitionStream, step: str) -> None:
        self.partition = stream.partition
        self._stream = stream
        self._step = step

    def _pass(self, step: str) -> None:
        if step == self._step:
            raise Crash(step)

    async def wait(self, timeout: float) -> None:
        await self._stream.wait(timeout)

    async def read(self, count: int) -> list[Entry]:
        self._pass("before read")
        entries = await self._stream.read(count)
        self._pass("after read")
        return entries

    async def read_ahead(self, count: int, wait: float = 0.0) -> list[Entry]:
        return await self._stream.read_ahead(count, wait)

    async def find_again(self) -> None:
        await self._stream.find_again()

    async def acknowledge(self, ids: Sequence[bytes], awaited: Sequence[str] = ()) -> int:
        self._pass("after commit")
        left = await self._stream.acknowledge(ids, awaited)
        self._pass("after acknowledge")
        return left

    async def last_id(self) -> EventId:
        return await self._stream.last_id()


@pytest.mark.parametrize("at", STEPS)
async def test_a_persister_that_dies_at_any_step_loses_and_doubles_nothing(
    redis: Redis,
    stream: PartitionStream,
    ledger: Ledger,
    database: asyncpg.Connection,
    at: str,
) -> None:
    for i in range(1, 51):
        await append(redis, f"{i}-0", f"user{i % 7}", f"a{i}", i, score=i)
        async with ledger.locked(PARTITION) as session:
            with pytest.raises(Crash):
                await persist_batches(CrashingStream(stream, at), session, NoReverter(), 10)
    while await step(stream, ledger):
        pass
    assert sum((await sums(database)).values()) == sum(range(1, 51))
    assert await totals(database) == {f"user{i % 7}": i for i in range(44, 51)}
    assert await redis.xlen(KEYS.events) == 0


async def test_a_persister_that_dies_just_before_its_commit_loses_and_doubles_nothing(
    redis: Redis,
    stream: PartitionStream,
    ledger: Ledger,
    database: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def die(*_: object) -> None:
        raise Crash("everything is written, nothing is committed")

    for i in range(1, 51):
        await append(redis, f"{i}-0", f"user{i % 7}", f"a{i}", i, score=i)
        with monkeypatch.context() as patch:
            patch.setattr(plain_batches, "fits", lambda _: False)  # one statement has no such step
            patch.setattr(LedgerSession, "_finish", die)
            with pytest.raises(Crash):
                await step(stream, ledger, 10)
    assert await totals(database) == {}
    while await step(stream, ledger):
        pass
    assert sum((await sums(database)).values()) == sum(range(1, 51))
    assert await totals(database) == {f"user{i % 7}": i for i in range(44, 51)}


POISON = {
    "a field is missing": {b"o": b"A"},
    "an unknown kind": fields() | {b"o": b"Z"},
    "an unknown format": fields() | {b"d": fields()[b"d"].replace(b'"v":1', b'"v":0')},
    "no JSON": fields() | {b"d": b"{"},
    "a NUL in a name": fields() | {b"d": fields()[b"d"].replace(b'"ann"', b'"a\\u0000n"')},
    "a lone surrogate": fields() | {b"d": fields()[b"d"].replace(b'"ann"', b'"\\ud800"')},
    "bytes that are no UTF-8": fields() | {b"d": fields()[b"d"].replace(b"ann", b"a\xffn")},
    "points out of range": fields() | {b"d": fields()[b"d"].replace(b'"p":5', b'"p":9e99')},
    "a score out of range": fields() | {b"s": b"9223372036854775808"},
    "a stamp beyond all calendars": fields() | {b"k": b"9000000000000000000"},
    "a stamp beyond 64 bits": fields() | {b"k": b"99999999999999999999"},
    "a NUL in the context": fields(c=b'{"userAgent":"\\u0000"}'),
    "a lone surrogate in the context": fields(c=b'{"userAgent":"\\ud800"}'),
    "an accepted event without a score": fields() | {b"s": b""},
}


async def test_only_poison_is_dead_lettered_and_its_neighbours_commit(
    redis: Redis, stream: PartitionStream, ledger: Ledger, database: asyncpg.Connection
) -> None:
    expected = {}
    for i, raw in enumerate(POISON.values(), 1):
        await append(redis, f"{i}-0", f"user{i}", "a1", i)
        await append_raw(redis, f"{i}-1", raw)
        expected[f"user{i}"] = i
    await step(stream, ledger, limit=1000)
    assert await totals(database) == expected == await sums(database)
    dead = await database.fetch("SELECT event_id, error FROM dead_event")
    buried = {row["event_id"] for row in dead}
    assert buried == {f"{i}-1" for i in range(1, len(POISON) + 1)}
    assert all(row["error"] for row in dead)
    assert await redis.xlen(KEYS.events) == 0


async def test_postgres_away_is_waited_for(
    redis: Redis, streams: PartitionStreams, postgres: Postgres, postgres_url: str
) -> None:
    pool = await open_pool(postgres_url, connections=2, timeout=PATIENCE)
    try:
        async with at_work(Persister(streams, Ledger(pool), NoReverter(), batch=10)):
            await append(redis, "1-0", "ann", "a1", 1)
            await wait_until(lambda: _empty(redis), description="the first is persisted")
            await asyncio.to_thread(postgres.stop)
            await append(redis, "2-0", "ann", "a2", 1, score=2)
            await asyncio.to_thread(postgres.start)
            await wait_until(lambda: _empty(redis), description="the second one too")
        assert await pool.fetchval("SELECT score FROM user_score") == 2
    finally:
        await pool.close()


async def _empty(redis: Redis) -> bool:
    return await redis.xlen(KEYS.events) == 0


async def test_events_of_a_newer_version_are_left_to_a_persister_that_knows_them(
    redis: Redis, stream: PartitionStream, ledger: Ledger, database: asyncpg.Connection
) -> None:
    await append(redis, "10-0", "ann", "a1", 5)
    newer = fields("bob", "a1", 7)
    await append_raw(
        redis, "10-1", newer | {b"o": b"N", b"d": newer[b"d"].replace(b'"v":1', b'"v":99')}
    )
    for _ in range(2):
        with pytest.raises(Unavailable, match="newer version"):
            await step(stream, ledger)
    assert await redis.xlen(KEYS.events) == 2, "none is acknowledged"
    assert await database.fetchval("SELECT count(*) FROM dead_event") == 0

    await redis.xdel(KEYS.events, "10-1")  # as if it were persisted elsewhere
    await step(stream, ledger)
    assert await totals(database) == {"ann": 5}
