"""An action sent again after its receipt has expired: found by the ledger, taken back in Redis."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest
from redis.asyncio import Redis

from scoreboard.assembly.recovery import verifier_of
from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.ledger import LateDuplicate
from scoreboard.domain.submissions import Outcome
from scoreboard.errors import Unavailable
from scoreboard.pg.ledger_audit import LedgerAudit
from scoreboard.redisio.reverter import LateReverter
from scoreboard.wire.events import EventKind, decode_event
from tests.support.arena import Arena
from tests.support.ledger_entries import event, sums, totals


async def expire(arena: Arena, user: str, action: str) -> None:
    """Does what the end of the dedupe window does: deletes the receipt."""
    assert await arena.redis.delete(arena.keys.action(user.encode(), action.encode())) == 1


async def count_and_forget(arena: Arena) -> None:
    """Ann's action is in the ledger, and its receipt has expired."""
    await arena.submit(("ann", "a1", 5))
    await arena.persist()
    await expire(arena, "ann", "a1")


async def agree(arena: Arena, database: asyncpg.Connection, expected: dict[str, int]) -> None:
    await arena.persist()
    assert await totals(database) == await sums(database) == await arena.totals() == expected


async def test_a_late_duplicate_is_taken_back_and_its_original_receipt_restored(
    arena: Arena, database: asyncpg.Connection
) -> None:
    (first,) = await arena.submit(("ann", "a1", 5))
    await arena.submit(("ann", "a2", 10))
    await arena.persist()
    original, _ = await arena.receipt("ann", "a1")
    await expire(arena, "ann", "a1")
    (late,) = await arena.submit(("ann", "a1", 5))
    assert (late.outcome, late.score) == (Outcome.ACCEPTED, 20)

    await agree(arena, database, {"ann": 15})
    assert (await arena.receipt("ann", "a1"))[0] == original
    (retry,) = await arena.submit(("ann", "a1", 5))
    assert (retry.outcome, retry.score, retry.event) == (Outcome.DUPLICATE, 5, first.event)
    review = await database.fetchrow("SELECT kind, status FROM review")
    assert tuple(review) == ("late_duplicate", "settled")


async def test_the_audit_says_nothing_of_a_late_duplicate_that_waits_for_the_boards_load(
    arena: Arena, pool: asyncpg.Pool, database: asyncpg.Connection
) -> None:
    """Where the last action counts, only the ledger knows the total without the duplicate."""
    await database.execute(
        "INSERT INTO board (board, partition, settings) VALUES ('arena', $1, $2)",
        *(arena.keys.partition, BoardSettings(operator="last").to_text()),
    )
    await arena.submit(("ann", "a1", 5))
    await arena.submit(("ann", "a2", 7))
    await arena.persist()
    await expire(arena, "ann", "a1")
    (late,) = await arena.submit(("ann", "a1", 5))
    assert late.score == 5
    verifier = verifier_of(arena.durable, arena.redis, LedgerAudit(pool))
    assert await verifier.check("arena", ["ann"]) == []
    assert await totals(database) == {"ann": 5}, "the duplicate was persisted in that"
    await arena.durable.rebuilder.ensure("arena", create=False)
    assert await arena.totals() == await totals(database) == {"ann": 7}
    assert await verifier.check("arena", ["ann"]) == []


async def test_a_late_duplicate_is_found_though_another_partition_has_an_event_of_the_same_id(
    arena: Arena, database: asyncpg.Connection
) -> None:
    await count_and_forget(arena)
    (late,) = await arena.submit(("ann", "a1", 5))
    assert late.event is not None
    async with arena.durable.ledger.locked(arena.keys.partition + 1) as session:
        await session.write([event(late.event, "bob", "a1", 7, board="elsewhere")], [])
    await agree(arena, database, {"ann": 5})


async def test_a_persister_that_dies_before_acknowledging_takes_a_duplicate_back_once(
    arena: Arena, database: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await count_and_forget(arena)
    await arena.submit(("ann", "a1", 5), ("ann", "a2", 1))
    stream = arena.durable.streams[arena.keys.partition]

    async def die(*_: object) -> int:
        raise Unavailable("gone")

    for _ in range(3):
        with monkeypatch.context() as patch:
            patch.setattr(stream, "acknowledge", die)
            with pytest.raises(Unavailable):
                await arena.persist()
    entries: Any = await arena.redis.xrange(arena.keys.events)
    events = [decode_event(*entry) for entry in entries]
    assert [event.kind for event in events].count(EventKind.REVERTED) == 1
    await agree(arena, database, {"ann": 6})


async def test_several_late_duplicates_of_several_users_in_one_batch(
    arena: Arena, database: asyncpg.Connection
) -> None:
    actions = [(f"user{i % 3}", f"a{i}", i + 1) for i in range(12)]
    await arena.submit(*actions)
    await arena.persist()
    expected = await totals(database)
    for user, action, _ in actions[::2]:
        await expire(arena, user, action)
    await arena.submit(*actions)
    assert await arena.totals() != expected
    await agree(arena, database, expected)


async def test_a_duplicate_that_redis_forgot_to_take_back_is_left_out_by_the_rebuild(
    arena: Arena, database: asyncpg.Connection
) -> None:
    await arena.submit(("ann", "a1", 5), ("bob", "a1", 3))
    await arena.persist()
    await expire(arena, "ann", "a1")
    await arena.submit(("ann", "a1", 5))
    await arena.lose_epoch()  # the persister finds the board fenced
    await arena.persist()
    assert await totals(database) == {"ann": 10, "bob": 3}
    await arena.durable.rebuilder.ensure("arena", create=False)
    await agree(arena, database, {"ann": 5, "bob": 3})


async def test_a_revert_that_redis_refuses_holds_nobody_up_and_is_done_by_the_rebuild(
    arena: Arena, database: asyncpg.Connection
) -> None:
    await count_and_forget(arena)
    await arena.submit(("ann", "a1", 5), ("bob", "a1", 3))
    await arena.redis.delete(arena.keys.hidden)
    await arena.redis.zrem(arena.keys.board, "ann")
    await arena.redis.set(arena.keys.hidden, "no zset")
    await arena.persist()
    assert await totals(database) == {"ann": 10, "bob": 3}
    assert await arena.redis.xlen(arena.keys.events) == 0
    await arena.redis.delete(arena.keys.hidden)
    await arena.durable.rebuilder.rebuild("arena")
    await agree(arena, database, {"ann": 5, "bob": 3})


async def test_a_revert_that_was_lost_with_redis_is_done_by_the_rebuild(
    arena: Arena, database: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await count_and_forget(arena)
    await arena.submit(("ann", "a1", 5))

    async def lose(reverter: LateReverter, duplicate: LateDuplicate) -> bool:
        await _flush(arena.redis)
        raise Unavailable("Redis restarts, empty")

    with monkeypatch.context() as patch:
        patch.setattr(LateReverter, "revert", lose)
        with pytest.raises(Unavailable):
            await arena.persist()
    (retry,) = await arena.submit(("ann", "a1", 5))
    assert retry.outcome is Outcome.DUPLICATE
    await agree(arena, database, {"ann": 5})


async def _flush(redis: Redis) -> None:
    await redis.flushall()


async def test_a_late_duplicate_is_taken_back_while_redis_is_out_of_memory(
    arena: Arena, database: asyncpg.Connection
) -> None:
    await count_and_forget(arena)
    await arena.submit(("ann", "a1", 5))
    await arena.redis.config_set("maxmemory", 1)
    try:
        with pytest.raises(Unavailable):
            await arena.submit(("ann", "a2", 1))
        await agree(arena, database, {"ann": 5})
    finally:
        await arena.redis.config_set("maxmemory", 0)
    assert await arena.redis.xlen(arena.keys.events) == 0
