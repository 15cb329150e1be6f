"""Several partitions go into the ledger together; whatever happens to one of them is its own."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import AsyncMock

import asyncpg
import pytest
from redis.asyncio import Redis

from scoreboard.background import end
from scoreboard.domain.ledger import VERSION_STRIDE, Entry, EventId
from scoreboard.errors import Unavailable
from scoreboard.pg.erasures import Erasures
from scoreboard.pg.ledger import Ledger
from scoreboard.pg.partition_locks import LOCK_SPACE
from scoreboard.pg.shared_batches import SharedSession
from scoreboard.redisio.streams import PartitionStream, PartitionStreams
from scoreboard.redisio.topologies import topology_at
from scoreboard.wire.keys import PartitionKeys
from scoreboard.workers import persister, shared_rounds
from scoreboard.workers.batches import Round
from scoreboard.workers.persister import Persister, persist_batches
from scoreboard.workers.shared_rounds import LITTLE, MOST, SharedRounds, Skipped
from tests.support.channels import listening
from tests.support.ledger_entries import fields, sums, totals
from tests.support.persisting import at_work
from tests.support.stand_ins import NoReverter
from tests.support.waiting import wait_until

PARTITIONS = 8
AWAY = Unavailable("This server is away.")


class Crash(BaseException):
    """The process is gone: nothing below it runs."""


def board_of(partition: int) -> str:
    return f"board{partition}"


async def append(redis: Redis, partition: int, event_id: str, *args: Any, **kwargs: Any) -> None:
    """Adds an entry to the stream of a partition, about its board unless another is named."""
    await append_raw(
        redis, partition, event_id, fields(*args, **{"board": board_of(partition), **kwargs})
    )


async def append_raw(
    redis: Redis, partition: int, event_id: str, raw: Mapping[bytes, bytes]
) -> None:
    entry: Any = raw
    await redis.xadd(PartitionKeys(partition).events, entry, id=event_id)


class Streams(PartitionStreams):
    """Those of all partitions, at which something may go wrong."""

    def __init__(self, redis: Redis, blocking: Redis) -> None:
        super().__init__(
            redis,
            [PartitionStream(redis, blocking, number, AsyncMock()) for number in range(PARTITIONS)],
        )
        self.fails: tuple[str, int] | None = None  # at which step that of which partition does
        self.dies = ""  # the step at which the process does

    async def lengths_of(self, partitions: Sequence[int]) -> Mapping[int, int | Exception]:
        return self._but(await super().lengths_of(partitions), "look")

    async def read_each(self, counts: Mapping[int, int]) -> Mapping[int, list[Entry] | Exception]:
        return self._but(await super().read_each(counts), "read")

    async def acknowledge_each(
        self, committed: Mapping[int, tuple[Sequence[bytes], Sequence[str]]]
    ) -> Mapping[int, Exception | None]:
        if self.dies == "after the commit":
            raise Crash
        at_work = {p: one for p, one in committed.items() if self.fails != ("acknowledge", p)}
        done = dict(await super().acknowledge_each(at_work))
        done.update(dict.fromkeys(committed.keys() - at_work.keys(), AWAY))
        return self._but(done, "acknowledge")

    def _but(self, told: Mapping[int, Any], step: str) -> dict[int, Any]:
        if self.dies == f"after the {step}":
            raise Crash
        if self.fails is None or self.fails[0] != step:
            return dict(told)
        return {p: AWAY if p == self.fails[1] else one for p, one in told.items()}


@pytest.fixture
async def streams(redis: Redis, redis_url: str) -> AsyncIterator[Streams]:
    topology = topology_at(redis_url)
    async with topology.client(timeout=None) as blocking:
        yield Streams(redis, blocking)
    await topology.close()


@asynccontextmanager
async def shared(
    streams: Streams, ledger: Ledger, *, spacing: float = 0.0
) -> AsyncIterator[SharedRounds]:
    """Shared rounds at work."""
    slots = asyncio.Semaphore(1)
    rounds = SharedRounds(streams, ledger, slots, spacing=spacing)
    running = asyncio.create_task(rounds.run())
    try:
        yield rounds
        async with slots:  # no round is under way
            pass
    finally:
        await end(running)


async def one_round(
    streams: Streams, ledger: Ledger, *partitions: int
) -> dict[int, Round | Skipped | BaseException]:
    """What became of each of these partitions in a round of all of them."""
    async with shared(streams, ledger) as rounds:
        came = await asyncio.gather(
            *(rounds.turn(streams[number], hurry=False) for number in partitions),
            return_exceptions=True,
        )
    return dict(zip(partitions, came, strict=True))


async def the_rest(streams: Streams, ledger: Ledger) -> None:
    """What is left is persisted partition by partition."""
    for stream in streams:
        async with ledger.locked(stream.partition) as session:
            while await persist_batches(stream, session, AsyncMock(), 100):
                pass


async def left(redis: Redis) -> dict[int, int]:
    """How many entries each stream has that has some."""
    lengths = {p: await redis.xlen(PartitionKeys(p).events) for p in range(PARTITIONS)}
    return {partition: length for partition, length in lengths.items() if length}


def moved(last: str, *, awaited: bool = False) -> Round:
    ms, _, seq = last.partition("-")
    return Round(EventId(int(ms), int(seq)), awaited, shareable=not awaited)


async def test_partitions_are_committed_by_one_transaction_and_each_is_acknowledged(
    redis: Redis, streams: Streams, ledger: Ledger, database: asyncpg.Connection
) -> None:
    for partition in (1, 4, 6):
        await append(redis, partition, "10-0", "ann", "a1", partition, version=2)
        await append(redis, partition, f"11-{partition}", "bob", "a1", 7, version=4)
    async with listening(redis, PartitionKeys(4).persisted) as channel:
        came = await one_round(streams, ledger, 1, 4, 6)
        assert await channel.next() == b"11-4"

    assert came == {1: moved("11-1"), 4: moved("11-4"), 6: moved("11-6")}
    assert await left(redis) == {}
    for partition in (1, 4, 6):
        board = board_of(partition)
        assert await totals(database, board) == {"ann": partition, "bob": 7}
        assert await sums(database, board) == {"ann": partition, "bob": 7}
    query = "SELECT count(DISTINCT xmin::text) FROM score_action"
    assert await database.fetchval(query) == 1, "one transaction"
    boards = await database.fetch("SELECT board, partition, version FROM board ORDER BY board")
    assert [tuple(row) for row in boards] == [(board_of(p), p, 5) for p in (1, 4, 6)]
    progress = await database.fetch("SELECT * FROM partition_progress ORDER BY partition")
    assert [tuple(row)[:3] for row in progress] == [(1, 11, 1), (4, 11, 4), (6, 11, 6)]


async def test_the_next_round_goes_on_behind_the_last_one(
    redis: Redis, streams: Streams, ledger: Ledger, database: asyncpg.Connection
) -> None:
    for number in range(1, 4):
        for partition in (0, 1):
            await append(redis, partition, f"{number}-0", "ann", f"a{number}", 2, score=2 * number)
        assert await one_round(streams, ledger, 0, 1) == dict.fromkeys((0, 1), moved(f"{number}-0"))
    assert await totals(database, board_of(0)) == await sums(database, board_of(1)) == {"ann": 6}


async def test_the_way_together_leaves_what_the_way_alone_leaves(
    redis: Redis, streams: Streams, ledger: Ledger, database: asyncpg.Connection
) -> None:
    """Of few users and few actions, so that some are known, and few events about something else:
    board for board, partitions 0 to 2 go together where they can, and 3 to 5 get the same alone."""
    rng = random.Random(20_261)
    for turn in range(40):
        for partition in range(3):
            for seq in range(rng.randint(0, 4)):
                other: dict[str, Any] = {"kind": "R"} if rng.random() < 0.02 else {"i": 5}
                event_id = f"{100 + turn}-{seq}"
                action = f"user{rng.randrange(5)}", f"a{rng.randrange(400)}", rng.randint(-9, 9)
                numbers: dict[str, Any] = {"score": rng.randint(-99, 99), "version": turn}
                for twin in (partition, partition + 3):
                    attempt = f"{twin}-{turn}-{seq}"
                    await append(
                        redis, twin, event_id, *action, attempt=attempt, **numbers, **other
                    )
        came = await one_round(streams, ledger, 0, 1, 2)
        assert not [one for one in came.values() if isinstance(one, BaseException)]
        await the_rest(streams, ledger)

    async def found(partition: int) -> list[list[str]]:
        told = []
        for table, names in {
            "score_action": "user_id, action_id, points, score, status, event_ms, event_seq",
            "user_score": "user_id, score, last_event_ms, last_event_seq",
            "board": "version, event_ms, event_seq",
            "review": "kind, user_id, action_id, points, event_ms, event_seq",
        }.items():
            query = f"SELECT {names} FROM {table} WHERE board = $1 ORDER BY {names}"
            told.append([str(row) for row in await database.fetch(query, board_of(partition))])
        return told

    for partition in range(3):
        assert await found(partition) == await found(partition + 3)
    assert await database.fetchval("SELECT count(*) FROM review") > 0
    query = """SELECT count(*) FROM (SELECT FROM score_action GROUP BY xmin::text
                                     HAVING count(DISTINCT board) > 1)"""
    assert await database.fetchval(query) > 10, "many were written together"


NO_EVENT = {b"no": b"event"}
OF_NO_KIND = {**fields(board=board_of(1)), b"o": b"Z"}
CONFLICT = fields("ann", "a1", 5, kind="C", board=board_of(1))


@pytest.mark.parametrize("raw", [NO_EVENT, OF_NO_KIND, CONFLICT])
async def test_a_batch_that_takes_more_than_one_statement_keeps_no_other(
    redis: Redis,
    streams: Streams,
    ledger: Ledger,
    database: asyncpg.Connection,
    raw: dict[bytes, bytes],
) -> None:
    for partition in (0, 1, 2):
        await append(redis, partition, "10-0", "ann", "a1", 5)
    await append_raw(redis, 1, "10-1", raw)
    came = await one_round(streams, ledger, 0, 1, 2)
    assert came == {0: moved("10-0"), 1: Skipped.ALONE, 2: moved("10-0")}
    assert await left(redis) == {1: 2}
    assert await totals(database, board_of(1)) == {}
    assert await totals(database, board_of(2)) == {"ann": 5}


REFUSED: dict[str, dict[str, Any]] = {
    "by Postgres": {"c": b'{"userAgent":"\\u0000"}'},
    "as it has no binary form": {"reached": 2**64},
}


@pytest.mark.parametrize("how", REFUSED)
async def test_when_an_event_is_refused_nothing_is_done_and_each_goes_alone(
    redis: Redis, streams: Streams, ledger: Ledger, database: asyncpg.Connection, how: str
) -> None:
    await append(redis, 0, "10-0", "ann", "a1", 5)
    await append(redis, 1, "10-0", "ann", "a1", 5, **REFUSED[how])
    assert await one_round(streams, ledger, 0, 1) == dict.fromkeys((0, 1), Skipped.ALONE)
    assert await left(redis) == {0: 1, 1: 1}
    assert await database.fetchval("SELECT count(*) FROM score_action") == 0

    await the_rest(streams, ledger)
    assert await totals(database, board_of(0)) == {"ann": 5}
    assert await database.fetchval("SELECT partition FROM dead_event") == 1


async def test_an_action_that_the_ledger_has_counts_once(
    redis: Redis, streams: Streams, ledger: Ledger, database: asyncpg.Connection
) -> None:
    for event in ("10-0", "20-0"):
        for partition in (0, 1):
            action = f"a{event}" if partition else "the same"
            await append(redis, partition, event, "ann", action, 5)
        came = await one_round(streams, ledger, 0, 1)
    assert came == dict.fromkeys((0, 1), Skipped.ALONE)
    await the_rest(streams, ledger)
    assert await sums(database, board_of(0)) == {"ann": 5}
    assert await sums(database, board_of(1)) == {"ann": 10}


async def test_events_from_before_a_board_was_made_live_are_not_written_together(
    redis: Redis, streams: Streams, ledger: Ledger, database: asyncpg.Connection
) -> None:
    """Only a round by itself asks whether their server is still the one (test_persister.py)."""
    await append(redis, 0, "10-0", "ann", "a1", 5, version=7)
    assert await one_round(streams, ledger, 0) == {0: moved("10-0")}
    async with ledger.locked(0) as session:
        await session.source.raise_version(board_of(0), 7 + VERSION_STRIDE)
    await append(redis, 0, "20-0", "ann", "a2", 2, version=7)
    await append(redis, 1, "20-0", "ann", "a2", 2)
    assert await one_round(streams, ledger, 0, 1) == dict.fromkeys((0, 1), Skipped.ALONE)
    assert await totals(database, board_of(0)) == {"ann": 5}


async def test_what_is_in_the_ledger_already_goes_alone(
    redis: Redis, streams: Streams, ledger: Ledger
) -> None:
    """As of a persister that died behind its commit, or of a history that Redis had lost."""
    for partition in (0, 1):
        await append(redis, partition, "10-0", "ann", "a1", 5)
    streams.dies = "after the commit"
    await one_round(streams, ledger, 0)
    streams.dies = ""
    came = await one_round(streams, ledger, 0, 1)
    assert came == {0: Skipped.ALONE, 1: moved("10-0")}


async def test_events_of_erased_players_are_not_written_together(
    redis: Redis, streams: Streams, ledger: Ledger, pool: asyncpg.Pool
) -> None:
    erasures = Erasures(pool)
    await erasures.ask("ann", "erase", by="eve")
    for job in await erasures.running():
        await erasures.close(job)
    await append(redis, 0, "10-0", "ann", "a1", 5)
    await append(redis, 1, "10-0", "bob", "a1", 5)
    assert await one_round(streams, ledger, 0, 1) == dict.fromkeys((0, 1), Skipped.ALONE)
    await append(redis, 2, "10-0", "bob", "a1", 5)
    assert await one_round(streams, ledger, 2) == {2: moved("10-0")}


async def test_partitions_whose_locks_others_hold_are_left_to_them(
    redis: Redis, streams: Streams, ledger: Ledger, database: asyncpg.Connection
) -> None:
    for partition in (0, 1, 2):
        await append(redis, partition, "10-0", "ann", "a1", 5)
    async with ledger.locked(1):
        came = await one_round(streams, ledger, 0, 1, 2)
    assert came == {0: moved("10-0"), 1: Skipped.TAKEN, 2: moved("10-0")}
    assert await left(redis) == {1: 1}
    assert await one_round(streams, ledger, 1) == {1: moved("10-0")}
    held = (
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = $1::int::oid"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )  # others have theirs on this server
    assert await database.fetchval(held, LOCK_SPACE) == 0


@pytest.mark.parametrize("step", ["look", "read", "acknowledge"])
async def test_partitions_whose_server_fails_keep_no_other(
    redis: Redis, streams: Streams, ledger: Ledger, database: asyncpg.Connection, step: str
) -> None:
    for partition in (0, 1, 2):
        await append(redis, partition, "10-0", "ann", "a1", 5)
    streams.fails = step, 1
    came = await one_round(streams, ledger, 0, 1, 2)
    assert came == {0: moved("10-0"), 1: AWAY, 2: moved("10-0")}
    assert await left(redis) == {1: 1}
    streams.fails = None
    await the_rest(streams, ledger)
    for partition in (0, 1, 2):
        assert await totals(database, board_of(partition)) == {"ann": 5}


STEPS = ["after the look", "after the read", "after the commit", "after the acknowledge"]


@pytest.mark.parametrize("step", STEPS)
async def test_a_round_that_ends_at_any_step_loses_and_doubles_nothing(
    redis: Redis, streams: Streams, ledger: Ledger, database: asyncpg.Connection, step: str
) -> None:
    for number in range(1, 11):
        for partition in (0, 1):
            await append(redis, partition, f"{number}-0", "ann", f"a{number}", 1, score=number)
        streams.dies = step
        rounds = SharedRounds(streams, ledger, asyncio.Semaphore(1), spacing=0.0)
        turns = [
            asyncio.create_task(rounds.turn(streams[partition], hurry=False))
            for partition in (0, 1)
        ]
        with pytest.raises(Crash):
            await rounds.run()
        await end(*turns)
        streams.dies = ""
        await the_rest(streams, ledger)
    assert await left(redis) == {}
    for partition in (0, 1):
        assert await totals(database, board_of(partition)) == {"ann": 10}
        assert await sums(database, board_of(partition)) == {"ann": 10}


async def test_a_session_that_is_lost_amid_a_round_leaves_nothing_of_it(
    redis: Redis,
    streams: Streams,
    ledger: Ledger,
    database: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its locks are lost with it, and others may be at the partitions before it ends."""
    written = SharedSession._write

    async def loses(session: SharedSession, *args: Any) -> Any:
        pid = session._connection.get_server_pid()
        await database.execute("SELECT pg_terminate_backend($1)", pid)
        return await written(session, *args)

    for partition in (0, 1):
        await append(redis, partition, "10-0", "ann", "a1", 5)
    with monkeypatch.context() as patch:
        patch.setattr(SharedSession, "_write", loses)
        came = await one_round(streams, ledger, 0, 1)
    assert [type(one) for one in came.values()] == [Unavailable, Unavailable]
    assert await left(redis) == {0: 1, 1: 1}
    assert await database.fetchval("SELECT count(*) FROM score_action") == 0
    assert await one_round(streams, ledger, 0, 1) == dict.fromkeys((0, 1), moved("10-0"))


async def test_who_waits_for_a_commit_is_told_and_the_partition_goes_alone_from_then_on(
    redis: Redis, streams: Streams, ledger: Ledger
) -> None:
    await append(redis, 0, "10-0", "ann", "a1", 5, attempt="waits", r=1)
    await append(redis, 1, "10-0", "ann", "a1", 5, attempt="does not")
    async with listening(redis, PartitionKeys(0).committed) as channel:
        came = await one_round(streams, ledger, 0, 1)
        assert await channel.next() == b"waits"
    assert came == {0: moved("10-0", awaited=True), 1: moved("10-0")}


async def test_who_has_much_goes_alone(redis: Redis, streams: Streams, ledger: Ledger) -> None:
    for number in range(LITTLE + 1):
        await append(redis, 0, f"10-{number}", "ann", f"a{number}", 1)
    await append(redis, 1, "10-0", "ann", "a1", 1)
    assert await one_round(streams, ledger, 0, 1) == {0: Skipped.ALONE, 1: moved("10-0")}


async def test_what_does_not_go_with_one_round_goes_with_the_next(
    redis: Redis, streams: Streams, ledger: Ledger, database: asyncpg.Connection
) -> None:
    async with redis.pipeline(transaction=False) as pipe:
        for partition in range(PARTITIONS):
            for number in range(1, LITTLE + 1):
                await append(pipe, partition, f"10-{number}", "ann", f"a{number}", 1, score=number)
        await pipe.execute()
    came = await one_round(streams, ledger, *range(PARTITIONS))
    assert came == dict.fromkeys(range(PARTITIONS), moved(f"10-{LITTLE}"))
    sizes = await database.fetch("SELECT count(*) FROM score_action GROUP BY xmin::text ORDER BY 1")
    assert [size for (size,) in sizes] == [PARTITIONS * LITTLE - MOST, MOST]


async def test_who_has_nothing_is_told_when_nobody_has(streams: Streams, ledger: Ledger) -> None:
    assert await one_round(streams, ledger, 0, 1) == dict.fromkeys((0, 1), Skipped.EMPTY)


async def test_who_has_nothing_stays_while_others_have_something(
    redis: Redis, streams: Streams, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only hurry begins rounds here, after the first."""
    monkeypatch.setattr(shared_rounds, "STAY", 3600.0)
    await append(redis, 1, "10-0", "ann", "a1", 5)
    async with shared(streams, ledger, spacing=3600.0) as rounds:
        stays = asyncio.create_task(rounds.turn(streams[0], hurry=False))
        assert await rounds.turn(streams[1], hurry=False) == moved("10-0")
        assert not stays.done()
        await append(redis, 0, "10-0", "ann", "a1", 5)
        await append(redis, 1, "11-0", "ann", "a2", 5)
        assert await rounds.turn(streams[1], hurry=True) == moved("11-0")
        assert await stays == moved("10-0")


async def test_who_has_nothing_for_long_is_told_so_though_others_have_something(
    redis: Redis, streams: Streams, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_rounds, "STAY", -1.0)
    await append(redis, 1, "10-0", "ann", "a1", 5)
    assert await one_round(streams, ledger, 0, 1) == {0: Skipped.EMPTY, 1: moved("10-0")}


async def test_who_waits_for_a_round_is_told_at_once_when_the_process_stops(
    streams: Streams, ledger: Ledger
) -> None:
    rounds = SharedRounds(streams, ledger, asyncio.Semaphore(1), spacing=0.0)
    waiting = asyncio.create_task(rounds.turn(streams[0], hurry=False))
    await asyncio.sleep(0)
    rounds.stop()
    assert await waiting is Skipped.EMPTY
    assert await rounds.turn(streams[0], hurry=True) is Skipped.EMPTY


async def test_two_persisters_write_every_event_of_all_partitions_once(
    redis: Redis,
    redis_url: str,
    streams: Streams,
    ledger: Ledger,
    database: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With poison, conflicts, somebody who waits, and batches of any size."""
    monkeypatch.setattr(persister, "SPACING", 0.005)
    monkeypatch.setattr(persister, "CLOSER", 0.005)
    monkeypatch.setattr(persister, "LATELY", 0.05)
    rng = random.Random(20_262)
    expected: dict[int, dict[str, int]] = {p: {} for p in range(PARTITIONS)}
    poison = 0
    topology = topology_at(redis_url)
    async with (
        topology.client(timeout=None) as blocking,
        at_work(Persister(streams, ledger, NoReverter(), batch=64)),
        at_work(Persister(Streams(redis, blocking), ledger, NoReverter(), batch=64)),
    ):
        for number in range(1, 1500):
            partition, user = rng.randrange(PARTITIONS), f"user{rng.randrange(7)}"
            total = expected[partition][user] = expected[partition].get(user, 0) + 3
            more = {"r": 1} if rng.random() < 0.01 else {}
            await append(
                redis, partition, f"{number}-1", user, f"a{number}", 3, score=total, **more
            )
            if rng.random() < 0.01:
                poison += 1
                await append_raw(redis, partition, f"{number}-2", NO_EVENT)
            if rng.random() < 0.01:
                await append(redis, partition, f"{number}-3", user, f"a{number}", 4, kind="C")
        await wait_until(lambda: _empty(redis), description="all is persisted")
    await topology.close()
    for partition in range(PARTITIONS):
        assert await totals(database, board_of(partition)) == expected[partition]
        assert await sums(database, board_of(partition)) == expected[partition]
    assert await database.fetchval("SELECT count(*) FROM dead_event") == poison > 0


async def _empty(redis: Redis) -> bool:
    return not await left(redis)
