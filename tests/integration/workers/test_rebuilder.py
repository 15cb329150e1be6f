"""Boards that are cold, lost, behind or fenced become live again with nothing lost or doubled."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Sequence
from types import SimpleNamespace

import asyncpg
import pytest
from redis.asyncio import Redis

from scoreboard.domain.ledger import FIRST_EVENT, VERSION_STRIDE, BoardRecord, EventId, UserTotal
from scoreboard.domain.submissions import Outcome
from scoreboard.domain.urgency import Urgency
from scoreboard.errors import Unavailable, UnknownBoard
from scoreboard.pg.ledger import Ledger
from scoreboard.redisio.loader import DRAFT_TTL_MS, BoardDraft
from scoreboard.settings import Settings
from scoreboard.wire.events import split_id
from scoreboard.wire.keys import Keyspace
from scoreboard.workers import rebuilder as rebuilder_module
from scoreboard.workers.rebuild_turns import MAX_AT_ONCE
from tests.support.arena import Arena, opened_arena
from tests.support.ledger_entries import PARTITIONS, sums, totals
from tests.support.waiting import PATIENCE, wait_until

ACTIONS = [(f"user{i % 7}", f"a{i}", i) for i in range(40)]


async def test_the_first_action_brings_a_board_into_being(
    arena: Arena, database: asyncpg.Connection
) -> None:
    (result,) = await arena.submit(("ann", "a1", 5))
    assert (result.outcome, result.score, result.rank) == (Outcome.ACCEPTED, 5, 1)
    row = await database.fetchrow("SELECT settings, partition FROM board")
    assert tuple(row) == ('{"ids":"nfc-visible"}', arena.keys.partition)


async def test_an_unknown_board_stays_unknown_unless_it_may_be_made(
    arena: Arena, database: asyncpg.Connection
) -> None:
    with pytest.raises(UnknownBoard):
        await arena.durable.rebuilder.ensure("arena", create=False)
    assert await database.fetchval("SELECT count(*) FROM board") == 0
    assert await arena.redis.keys() == []


async def test_only_so_many_boards_are_looked_for_because_somebody_reads_them(
    arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilder_module, "MOST_FOR_READERS", 1)
    rebuilder, knows = arena.durable.rebuilder, Ledger.knows
    asked, answer = asyncio.Event(), asyncio.Event()

    async def answers_late(ledger: Ledger, board: str) -> bool:
        asked.set()
        await answer.wait()
        return await knows(ledger, board)

    def read(board: str) -> Awaitable[None]:
        return rebuilder.ensure(board, create=False, urgency=Urgency.READ)

    monkeypatch.setattr(Ledger, "knows", answers_late)
    first = asyncio.ensure_future(read("one"))
    await asked.wait()
    with pytest.raises(Unavailable, match="Many boards are being rebuilt"):
        async with asyncio.timeout(PATIENCE):
            await read("another")
    await rebuilder.ensure("written", create=True)
    answer.set()
    for reading in (first, read("another")):
        with pytest.raises(UnknownBoard):
            await reading


async def test_a_board_that_is_made_while_somebody_asks_for_it_is_known_from_then_on(
    arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    rebuilder, knows = arena.durable.rebuilder, Ledger.knows
    asked, made = asyncio.Event(), asyncio.Event()

    async def answers_late(ledger: Ledger, board: str) -> bool:
        known = await knows(ledger, board)
        asked.set()
        await made.wait()
        return known

    monkeypatch.setattr(Ledger, "knows", answers_late)
    early = asyncio.create_task(rebuilder.ensure("arena", create=False))
    await asked.wait()
    await rebuilder.ensure("arena", create=True)
    made.set()
    with pytest.raises(UnknownBoard):
        await early
    await arena.lose_epoch()  # so that not Redis says that there is one
    await rebuilder.ensure("arena", create=False)


async def test_an_emptied_redis_gets_back_the_same_bits(arena: Arena) -> None:
    await arena.submit(*ACTIONS)
    await arena.persist()
    before, meta = await arena.zset(), await arena.meta()
    await arena.redis.flushall()
    await arena.durable.rebuilder.ensure("arena", create=False)
    after = await arena.meta()
    assert await arena.zset() == before
    for name in ("top", "cut", "clock", "event", "settings"):
        assert after[name] == meta[name], name
    assert int(after["version"]) >= int(meta["version"]) + VERSION_STRIDE


async def test_a_retry_after_a_rebuild_learns_its_first_result(arena: Arena) -> None:
    (first,) = await arena.submit(("ann", "a1", 5))
    await arena.submit(("ann", "a2", 6))
    text, left = await arena.receipt("ann", "a1")
    await arena.persist()
    await arena.redis.flushall()
    await arena.durable.rebuilder.ensure("arena", create=False)
    restored, left_now = await arena.receipt("ann", "a1")
    assert restored == text
    assert left - 60_000 < left_now <= left
    (again,) = await arena.submit(("ann", "a1", 5))
    assert (again.outcome, again.score, again.event) == (Outcome.DUPLICATE, 5, first.event)
    assert await arena.totals() == {"ann": 11}


async def test_ids_never_go_back_after_redis_was_emptied(
    arena: Arena, database: asyncpg.Connection
) -> None:
    await arena.submit(("ann", "a1", 5))
    await arena.persist()
    far = (
        4_000_000_000_000,
        7,
    )  # as if the clock had been wrong, on another board of the partition
    await database.execute("UPDATE partition_progress SET event_ms = $1, event_seq = $2", *far)
    await arena.redis.flushall()
    (result,) = await arena.submit(("ann", "a2", 5))
    assert result.event is not None
    assert split_id(result.event) > far
    await arena.persist()
    assert await totals(database) == await sums(database) == {"ann": 10}


async def test_versions_never_go_back_even_when_their_events_were_lost(arena: Arena) -> None:
    seen = [0]
    for round_ in range(3):
        await arena.submit(("ann", f"lost{round_}", 5), ("bob", f"lost{round_}", 9))
        await arena.submit(("ann", f"lost{round_}-2", 5))
        version = int((await arena.meta())["version"])
        assert version > seen[-1]
        seen.append(version)
        await arena.redis.flushall()  # nothing was persisted


async def test_what_the_stream_still_holds_is_persisted_before_a_board_is_loaded(
    arena: Arena, database: asyncpg.Connection
) -> None:
    await arena.submit(*ACTIONS)
    before = await arena.zset()
    await arena.redis.delete(arena.keys.board, arena.keys.meta)
    await arena.durable.rebuilder.ensure("arena", create=False)
    assert await arena.zset() == before
    assert await totals(database) == await sums(database) == await arena.totals()


async def test_a_restart_with_all_data_adopts_the_board_as_it_is(arena: Arena) -> None:
    await arena.submit(*ACTIONS)
    before, meta = await arena.zset(), await arena.meta()
    await arena.lose_epoch()
    receipts = await arena.redis.keys("*:action:*")
    await arena.redis.delete(*receipts[:5])  # a full load would bring these back
    await arena.durable.rebuilder.ensure("arena", create=False)
    assert await arena.zset() == before
    assert len(await arena.redis.keys("*:action:*")) == len(receipts) - 5
    after = await arena.meta()
    assert after["top"] == meta["top"]
    assert int(after["version"]) == int(meta["version"]) + VERSION_STRIDE


async def test_a_redis_that_lost_its_last_writes_gets_only_those_back(
    arena: Arena, database: asyncpg.Connection
) -> None:
    await arena.submit(*ACTIONS[:20])
    lost_before = {key: await arena.redis.dump(key) for key in await arena.redis.keys()}
    await arena.submit(*ACTIONS[20:])
    await arena.persist()
    whole, clock = await arena.zset(), (await arena.meta())["clock"]
    text, _ = await arena.receipt("user4", "a39")
    await arena.redis.flushall()
    for key, dump in lost_before.items():
        assert dump is not None
        await arena.redis.restore(key, 0, dump)
    await arena.lose_epoch()

    await arena.durable.rebuilder.ensure("arena", create=False)
    assert await arena.zset() == whole
    assert (await arena.meta())["clock"] == clock
    assert (await arena.receipt("user4", "a39"))[0] == text
    results = await arena.submit(*ACTIONS)
    assert {result.outcome for result in results} == {Outcome.DUPLICATE}
    await arena.persist()
    assert await totals(database) == await sums(database) == await arena.totals()


async def test_an_event_in_a_persisters_hands_while_redis_is_emptied_counts_once(
    arena: Arena, database: asyncpg.Connection
) -> None:
    """The client retries during the rebuild, which waits for the persister's lock."""
    await arena.submit(("ann", "a1", 5))
    partition = arena.keys.partition
    stream = arena.durable.streams[partition]
    async with arena.durable.ledger.locked(partition) as session:
        from scoreboard.workers.batches import decode

        entries = await stream.read(10)
        await arena.redis.flushall()
        retry = asyncio.create_task(arena.submit(("ann", "a1", 5)))
        await asyncio.sleep(0)
        batch = decode(entries)
        await session.write(batch.events, batch.dead)
    (result,) = await retry
    assert (result.outcome, result.score) == (Outcome.DUPLICATE, 5)
    await arena.persist()
    assert await totals(database) == await sums(database) == await arena.totals() == {"ann": 5}


async def test_many_callers_cause_one_rebuild(
    settings: Settings, redis: Redis, pool: asyncpg.Pool, arena: Arena
) -> None:
    await arena.submit(*ACTIONS)
    await arena.persist()
    await redis.flushall()
    async with opened_arena(settings, redis, pool) as other:
        await asyncio.gather(
            *(
                process.durable.rebuilder.ensure("arena", create=create)
                for process in (arena, other)
                for create in (True, False)
                for _ in range(8)
            )
        )
    version = int((await arena.meta())["version"])
    assert VERSION_STRIDE < version < 2 * VERSION_STRIDE


async def test_a_redis_that_restarts_during_a_load_voids_it(
    arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    await arena.submit(*ACTIONS)
    await arena.persist()
    await arena.redis.flushall()
    add = BoardDraft.add

    async def add_and_lose(draft: BoardDraft, rows: Sequence[UserTotal]) -> None:
        await add(draft, rows)
        await arena.redis.flushall()

    with monkeypatch.context() as patch:
        patch.setattr(BoardDraft, "add", add_and_lose)
        with pytest.raises(Unavailable):
            await arena.durable.rebuilder.ensure("arena", create=False)
    assert await arena.meta() == {}
    await arena.durable.rebuilder.ensure("arena", create=False)
    assert sum((await arena.totals()).values()) == sum(points for _, _, points in ACTIONS)


async def test_hidden_users_stay_hidden_and_go_on_counting(
    arena: Arena, database: asyncpg.Connection
) -> None:
    await arena.submit(("ann", "a1", 50), ("bob", "a1", 7))
    await arena.persist()
    await database.execute("UPDATE user_score SET hidden = true WHERE user_id = 'ann'")
    await arena.redis.flushall()
    await arena.durable.rebuilder.ensure("arena", create=False)
    assert await arena.totals() == {"bob": 7}
    assert (await arena.submit(("ann", "a2", 1)))[0].score == 51
    await arena.persist()
    assert await totals(database) == {"ann": 51, "bob": 7}

    await database.execute("UPDATE user_score SET hidden = user_id = 'bob'")
    await arena.lose_epoch()
    await arena.durable.rebuilder.ensure("arena", create=False)
    assert await arena.totals() == {"ann": 51}
    assert set(await arena.zset(arena.keys.hidden)) == {"bob"}


async def test_a_forced_rebuild_throws_away_what_only_redis_believes(arena: Arena) -> None:
    await arena.submit(*ACTIONS)
    truth = await arena.zset()
    await arena.redis.zadd(arena.keys.board, {"ghost": 10.5, "user1": 3.5})
    told: list[int] = []
    await arena.durable.rebuilder.rebuild("arena", told.append)
    assert await arena.zset() == truth
    assert sum(told) == len(truth)
    with pytest.raises(UnknownBoard):
        await arena.durable.rebuilder.rebuild("nothing")


async def test_forced_rebuilds_under_writers_lose_and_double_nothing(
    settings: Settings,
    redis: Redis,
    pool: asyncpg.Pool,
    arena: Arena,
    database: asyncpg.Connection,
) -> None:
    await arena.submit(("user0", "first", 1))
    accepted: list[int] = []
    rebuilds = 0

    async def write(process: Arena, writer: int) -> None:
        for i in itertools.count():
            if i >= 60 and rebuilds > 1:
                return
            for _ in range(100):
                try:
                    (result,) = await process.submit((f"user{i % 7}", f"w{writer}-{i}", 1))
                except Unavailable:
                    continue
                break
            assert result.outcome in (Outcome.ACCEPTED, Outcome.DUPLICATE)
            accepted.append(1)

    async with opened_arena(settings, redis, pool) as other:
        writing = asyncio.gather(*(write(p, w) for w, p in enumerate((arena, other, arena, other))))
        while not writing.done():
            await arena.durable.rebuilder.rebuild("arena")
            rebuilds += 1
        await writing
    await arena.persist()
    assert await totals(database) == await sums(database) == await arena.totals()
    assert sum((await arena.totals()).values()) == len(accepted) + 1


async def test_boards_that_wait_for_one_partition_hold_up_no_other(
    arena: Arena, ledger: Ledger, pool: asyncpg.Pool
) -> None:
    names = [f"board{i}" for i in range(100)]
    waiting = [b for b in names if Keyspace(PARTITIONS).partition_of(b) == arena.keys.partition]
    other = next(b for b in names if b not in waiting)
    assert len(waiting) > MAX_AT_ONCE
    rebuilder = arena.durable.rebuilder

    async def waits() -> bool:
        return bool(
            await pool.fetchval(
                "SELECT true FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event = 'advisory'"
            )
        )

    async with ledger.locked(arena.keys.partition):
        tasks = [asyncio.create_task(rebuilder.ensure(b, create=True)) for b in waiting]
        await wait_until(waits, description="a board waits for the lock")
        async with asyncio.timeout(PATIENCE):
            await rebuilder.ensure(other, create=True)
        assert not any(task.done() for task in tasks)
    await asyncio.gather(*tasks)


async def test_a_board_that_only_redis_knows_is_kept(
    arena: Arena, database: asyncpg.Connection
) -> None:
    """Another, empty Postgres must not cost what Redis still has."""
    await arena.submit(*ACTIONS)
    await arena.persist()
    before = await arena.zset()
    await database.execute(
        "TRUNCATE board, judged_week, user_score, score_action, partition_progress"
    )
    await arena.lose_epoch()
    await arena.durable.rebuilder.ensure("arena", create=True)
    assert await arena.zset() == before


async def test_the_idle_expiry_of_a_loaded_board_is_one_instant(arena: Arena) -> None:
    await arena.submit(*ACTIONS)
    await arena.persist()
    await arena.redis.flushall()
    await arena.durable.rebuilder.ensure("arena", create=False)
    board = await arena.redis.execute_command("PEXPIRETIME", arena.keys.board)
    meta = await arena.redis.execute_command("PEXPIRETIME", arena.keys.meta)
    assert board == meta == int((await arena.meta())["expires"])
    assert await arena.redis.keys("*:load:*") == []


async def test_the_stream_can_be_consumed_after_a_load(arena: Arena) -> None:
    await arena.submit(("ann", "a1", 5))
    await arena.persist()
    await arena.redis.flushall()
    await arena.submit(("ann", "a2", 5))
    await arena.persist()
    assert await arena.redis.xlen(arena.keys.events) == 0
    last = await arena.durable.streams[arena.keys.partition].last_id()
    assert last > EventId(0, 0)


async def test_a_name_asked_for_in_vain_is_looked_up_again_only_after_a_while(
    arena: Arena, database: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    clock = SimpleNamespace(monotonic=lambda: now, perf_counter=time.perf_counter)
    monkeypatch.setattr(rebuilder_module, "time", clock)

    async def ask() -> None:
        await arena.durable.rebuilder.ensure("arena", create=False)

    with pytest.raises(UnknownBoard):
        await ask()
    await database.execute(
        "INSERT INTO board (board, partition) VALUES ('arena', $1)", arena.keys.partition
    )
    now = 0.9 * rebuilder_module.UNKNOWN_FOR
    with pytest.raises(UnknownBoard):
        await ask()
    now = rebuilder_module.UNKNOWN_FOR
    await ask()


async def test_a_loader_that_was_overtaken_leaves_the_live_board_alone(arena: Arena) -> None:
    loader = arena.durable.loader
    await arena.submit(("ann", "a1", 5))
    draft = loader.begin(arena.board, await loader.state(arena.board), swap=False)
    await draft.add([UserTotal("ann", 1, 1_735_689_600_000, False)])
    await arena.submit(("ann", "a2", 2))
    assert await arena.totals() == {"ann": 7}
    record = BoardRecord("{}", 1, FIRST_EVENT, FIRST_EVENT, True)
    with pytest.raises(Unavailable):
        await draft.finish(record, version=1, event=FIRST_EVENT)
    assert await arena.totals() == {"ann": 7}


async def test_a_draft_outlives_its_receipts_however_many_there_are(arena: Arena) -> None:
    loader = arena.durable.loader
    draft = loader.begin(arena.board, await loader.state(arena.board), swap=True)
    await draft.add([UserTotal("ann", 5, 1_735_689_600_000, False)])
    (key,) = await arena.redis.keys("sb:*:load:*")
    await arena.redis.pexpire(key, 1_000)
    await draft.restore_receipts([])
    assert await arena.redis.pttl(key) > DRAFT_TTL_MS / 2
