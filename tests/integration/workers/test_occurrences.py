"""The tables of occurrences are lost, restored, corrected and audited with their board."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest
from redis.asyncio import Redis

from scoreboard.assembly.recovery import verifier_of
from scoreboard.domain.audit import Difference
from scoreboard.domain.ledger import VERSION_STRIDE
from scoreboard.domain.submissions import Outcome
from scoreboard.pg.ledger_audit import LedgerAudit
from scoreboard.settings import Settings
from scoreboard.wire.keys import BoardKeys
from scoreboard.workers.patrol import Patrol
from tests.support import differences as audit
from tests.support.arena import Arena, opened_arena
from tests.support.moderated_arena import Moderated
from tests.support.occurrences import (
    end_occurrence,
    known_period,
    lasting,
    make_final,
    table_totals,
)
from tests.support.suspicious_gate import TOO_MANY

WEEK = lasting("week")
DAY = lasting("day", grace=600)


async def configure(court: Moderated, **rules: object) -> None:
    await court.configure(**{"periods": (WEEK,)} | rules)


def keys_of(arena: Arena, table: str) -> BoardKeys:
    return BoardKeys(table, arena.keys.partition)


async def keys_in(arena: Arena) -> list[str]:
    """The keys of all tables."""
    found: Any = await arena.redis.keys("sb:*")
    kinds = ("board", "hidden", "players", "meta")
    return [key.decode() for key in found if key.decode().split(":")[2] in kinds]


async def contents(arena: Arena) -> dict[str, Any]:
    """All that the board's zsets, truths and receipts say."""
    meta = await arena.meta()
    receipts: Any = await arena.redis.keys("*:action:*")
    zsets = [key for key in await keys_in(arena) if key.split(":")[2] != "meta"]
    return {
        **{key: await arena.zset(key) for key in zsets},
        **{name: text for name, text in meta.items() if name.startswith("period:")},
        **{key.decode(): await arena.redis.get(key) for key in receipts},
    }


async def differences(court: Moderated) -> list[tuple[str, str | None, str]]:
    """(table, user, place) of each that the audit finds."""
    found = await audit.differences(court.arena, court.arena.durable.ledger._pool)
    return [(one.board, one.user_id, one.where) for one in found]


async def play(court: Moderated) -> None:
    """Two weeks, of which the first is over and not yet final."""
    await court.arena.submit(("ann", "a1", 5), ("bob", "b1", 7))
    await end_occurrence(court.arena, "week")
    await court.arena.submit(("ann", "a2", 4), ("cy", "c1", 1))
    await court.moderator.set_hidden("arena", "bob", hidden=True, by="mod", reason="")
    await court.arena.submit(("bob", "b2", 2))


@pytest.mark.parametrize("rules", [{}, {"attempts": 9}, {"operator": "best", "order": "asc"}])
async def test_an_emptied_redis_gets_back_all_that_is_not_final(
    court: Moderated, rules: dict[str, object]
) -> None:
    await configure(court, **rules)
    await play(court)
    await court.arena.persist()
    before, version = await contents(court.arena), (await court.arena.meta())["counter"]
    assert len(before) > 10
    await court.arena.redis.flushall()
    await court.arena.durable.rebuilder.ensure("arena", create=False)
    assert await contents(court.arena) == before
    for table in ("arena:week:1", "arena:week:2"):
        meta: Any = await court.arena.redis.hgetall(keys_of(court.arena, table).meta)
        assert int(meta[b"version"]) >= int(version) + VERSION_STRIDE
        assert int(meta[b"version"]) <= int((await court.arena.meta())["counter"])
    assert await differences(court) == []


async def test_a_redis_that_lost_its_last_writes_gets_those_of_every_table(
    court: Moderated,
) -> None:
    await configure(court, periods=(WEEK, DAY))
    arena = court.arena
    await arena.submit(("ann", "a1", 5))
    old: dict[Any, Any] = {key: await arena.redis.dump(key) for key in await arena.redis.keys()}
    await play_on(court)
    await arena.persist()
    whole = await contents(arena)
    await arena.redis.flushall()
    for key, dump in old.items():
        await arena.redis.restore(key, 0, dump)
    await arena.lose_epoch()
    await arena.durable.rebuilder.ensure("arena", create=False)
    assert await contents(arena) == whole
    assert await differences(court) == []


async def play_on(court: Moderated) -> None:
    await court.arena.submit(("ann", "a2", 3), ("bob", "b1", 7))
    await end_occurrence(court.arena, "day")
    await court.arena.submit(("ann", "a3", 1))
    await court.moderator.set_hidden("arena", "bob", hidden=True, by="mod", reason="")


@pytest.mark.parametrize("kind", ["board", "meta", "hidden"])
@pytest.mark.parametrize("number", [1, 2])
async def test_a_board_that_lost_a_table_is_loaded_whole(
    court: Moderated, kind: str, number: int
) -> None:
    await configure(court)
    await play(court)
    before = await contents(court.arena)
    assert await court.arena.redis.delete(
        getattr(keys_of(court.arena, f"arena:week:{number}"), kind)
    )
    state = await court.arena.durable.loader.state("arena")
    assert (state.live, state.lost) == (False, True)
    await court.arena.durable.rebuilder.ensure("arena", create=False)
    assert await contents(court.arena) == before


async def test_a_table_that_became_final_goes_with_the_next_load(court: Moderated) -> None:
    await configure(court)
    await play(court)
    arena = court.arena
    keys = keys_of(arena, "arena:week:1")
    old: dict[Any, Any] = {key: await arena.redis.dump(key) for key in await arena.redis.keys()}
    await make_final(arena, "week", 1)
    await arena.redis.flushall()
    for key, dump in old.items():
        await arena.redis.restore(key, 0, dump)
    await arena.lose_epoch()
    await arena.durable.rebuilder.ensure("arena", create=False)
    assert await arena.redis.exists(keys.board, keys.hidden, keys.meta) == 0
    known = await known_period(arena, "week")
    assert known is not None
    assert (known.latest.number, known.before) == (2, None)
    (result,) = await arena.submit(("ann", "a3", 1))
    assert [(one.occurrence, one.score) for one in result.periods] == [(2, 5)]
    assert await differences(court) == []


async def test_a_redis_from_before_two_boundaries_goes_on_after_them(court: Moderated) -> None:
    """Its board still takes the first occurrence for the latest, which is final since."""
    await configure(court, periods=(WEEK, DAY))
    arena = court.arena
    await arena.submit(("ann", "a1", 5), ("bob", "b1", 7))
    old: dict[Any, Any] = {key: await arena.redis.dump(key) for key in await arena.redis.keys()}
    for number in (1, 2):
        await end_occurrence(arena, "week")
        await arena.submit(("ann", f"week-{number}", number), ("cy", f"c{number}", 1))
        await make_final(arena, "week", number)
    await arena.persist()
    whole = await contents(arena)
    await arena.redis.flushall()
    for key, dump in old.items():
        await arena.redis.restore(key, 0, dump)
    await arena.lose_epoch()
    await arena.durable.rebuilder.ensure("arena", create=False)
    assert await contents(arena) == whole
    assert await table_totals(arena, "arena:week:3") == {"ann": 2, "cy": 1}
    again, new = await arena.submit(("bob", "b1", 7), ("bob", "b2", 4))
    assert again.outcome is Outcome.DUPLICATE
    week, day = new.periods
    assert (week.period, week.occurrence, week.score) == ("week", 3, 4)
    assert (day.period, day.occurrence, day.score) == ("day", 1, 11)
    assert await differences(court) == []


async def test_occurrences_that_nobody_has_made_final_for_long_are_loaded_with_the_rest(
    court: Moderated, database: asyncpg.Connection
) -> None:
    """Else what is taken back from them could not be told."""
    await configure(court, mode="flag")
    arena = court.arena
    case = await court.case("ann", "cheat", TOO_MANY)
    await arena.submit(("ann", "a1", 5))
    for number in (2, 3):
        await end_occurrence(arena, "week")
        await arena.submit(("ann", f"a{number}", number))
    await arena.persist()
    before = await contents(arena)
    assert await table_totals(arena, "arena:week:1") == {"ann": TOO_MANY + 5}
    await arena.redis.flushall()
    await arena.durable.rebuilder.ensure("arena", create=False)
    assert await contents(arena) == before
    await court.moderator.confirm(case.id, by="eve", reason="")
    assert await differences(court) == []
    for number in (1, 2):
        await make_final(arena, "week", number)
    kept = await database.fetch("SELECT board, score, rank FROM user_score WHERE rank IS NOT NULL")
    assert sorted(map(tuple, kept)) == [("arena:week:1", 5, 1), ("arena:week:2", 2, 1)]
    assert await differences(court) == []


async def test_tables_expire_with_their_board(
    settings: Settings, redis: Redis, pool: asyncpg.Pool, court: Moderated
) -> None:
    await configure(court, attempts=9)
    await play(court)
    await court.arena.persist()
    await redis.flushall()
    async with opened_arena(settings, redis, pool, board_idle=3600.0) as arena:
        await arena.durable.rebuilder.ensure("arena", create=False)
        expires = int((await arena.meta())["expires"])
        keys = await keys_in(arena)
        assert len(keys) >= 9
        for key in keys:
            assert await redis.pexpiretime(key) == expires, key


async def test_a_late_duplicate_goes_from_the_occurrence_that_it_moved(court: Moderated) -> None:
    """And not from that in which its original counts."""
    await configure(court, attempts=9)
    arena = court.arena
    await arena.submit(("ann", "a1", 5))
    await end_occurrence(arena, "week")
    await arena.submit(("ann", "a2", 4))
    receipt, _ = await arena.receipt("ann", "a1")
    assert "week:1" in receipt
    await arena.persist()
    await arena.redis.delete(arena.keys.action(b"ann", b"a1"))
    (late,) = await arena.submit(("ann", "a1", 5))
    assert [(one.occurrence, one.score) for one in late.periods] == [(2, 9)]
    await arena.persist()
    assert await table_totals(arena, "arena:week:1") == {"ann": 5}
    assert await table_totals(arena, "arena:week:2") == {"ann": 4}
    assert await table_totals(arena, "arena:week:2", "players") == {"ann": 1}
    assert (await arena.receipt("ann", "a1"))[0] == receipt
    (retry,) = await arena.submit(("ann", "a1", 5))
    assert retry.outcome is Outcome.DUPLICATE
    assert await differences(court) == []


@pytest.mark.parametrize("better", [9, 3], ids=["it has a total", "it has none"])
async def test_where_the_best_counts_a_late_duplicate_leaves_what_the_ledger_says(
    court: Moderated, better: int
) -> None:
    await configure(court, operator="best")
    arena = court.arena
    await arena.submit(("ann", "a1", 5))
    await arena.persist()
    await end_occurrence(arena, "week")
    await arena.submit(("ann", "a2", better))
    await arena.persist()
    await arena.redis.delete(arena.keys.action(b"ann", b"a1"))
    await arena.submit(("ann", "a1", 5))
    await arena.persist()
    await arena.durable.rebuilder.ensure("arena", create=False)
    assert await table_totals(arena, "arena:week:2") == {"ann": better}
    assert await table_totals(arena, "arena:week:1") == {"ann": 5}
    assert await differences(court) == []


@pytest.mark.parametrize(
    "rules", [{}, {"operator": "best", "order": "asc"}, {"operator": "last"}], ids=str
)
@pytest.mark.parametrize("folded", [False, True], ids=["whole ledger", "old parts folded"])
async def test_the_ledger_read_once_for_all_tables_gives_what_it_gives_for_each(
    court: Moderated, database: asyncpg.Connection, rules: dict[str, object], folded: bool
) -> None:
    await configure(court, periods=(WEEK, DAY), mode="flag", **rules)
    case = await court.case("ann", "cheat", TOO_MANY)
    await play(court)
    await make_final(court.arena, "week", 1)
    await court.moderator.confirm(case.id, by="eve", reason="")
    await court.arena.submit(("ann", "a4", 6), ("dan", "d1", 2))
    await court.arena.persist()
    await database.execute("DELETE FROM user_score WHERE user_id = 'dan' AND board = 'arena'")
    tables = ["arena", "arena:day:1", "arena:week:2", "arena:week:1"]
    if folded:
        await database.execute("INSERT INTO ledger_folded (until_ms) VALUES (1)")
        await database.execute(
            "INSERT INTO ledger_checkpoint (part, table_name, user_id, total, actions, event_ms,"
            " event_seq, changed)"
            " SELECT 0, name, 'cy', 70, 1, 1, 0, true FROM unnest($1::text[]) AS name",
            tables,
        )
    once: dict[str, list[tuple[Any, ...]]] = {}
    audited = LedgerAudit(court.arena.durable.ledger._pool)
    async for table, rows in audited.totals("arena", tables):
        once.setdefault(table, []).extend(map(tuple, rows))
    assert list(once) == tables
    for table in tables:
        each = await database.fetch(
            "SELECT user_id, score, ledger, (extract(epoch FROM reached_at) * 1000)::bigint, hidden"
            " FROM ledger_totals($1) ORDER BY user_id",
            table,
        )
        assert sorted(once[table]) == [tuple(row) for row in each], table
        assert len(each) >= 2


async def test_the_audit_finds_what_is_wrong_in_any_table_and_a_repair_sets_it_right(
    court: Moderated, database: asyncpg.Connection
) -> None:
    await configure(court)
    await play(court)
    await make_final(court.arena, "week", 1)
    await court.arena.submit(("ann", "a3", 1))
    await court.arena.persist()
    assert await differences(court) == []
    await database.execute(
        "UPDATE user_score SET score = 99 WHERE board = 'arena:week:1' AND user_id = 'ann'"
    )
    await court.arena.redis.zadd(keys_of(court.arena, "arena:week:2").board, {"cy": 8.5, "eve": 1})
    wrong = {
        ("arena:week:1", "ann", "user_score"),
        ("arena:week:2", "cy", "redis"),
        ("arena:week:2", "eve", "redis"),
    }
    assert set(await differences(court)) == wrong
    assert {("arena:week:1", "ann"), ("arena:week:2", "cy")} <= await patrolled(court)
    await court.arena.durable.rebuilder.rebuild("arena", correct=True)
    assert await differences(court) == []
    assert await patrolled(court) == set()
    final = await database.fetchrow(
        "SELECT amended, users FROM period_occurrence WHERE occurrence = 1"
    )
    assert tuple(final) == (True, 1), "bob is hidden"


async def test_the_audit_finds_ranks_that_do_not_follow_from_the_totals_and_a_repair_mends_them(
    court: Moderated, database: asyncpg.Connection
) -> None:
    await configure(court, rank_style="standard")
    await court.arena.submit(("ann", "a1", 5), ("bob", "b1", 5), ("cy", "c1", 3))
    await court.arena.persist()
    await end_occurrence(court.arena, "week")
    await court.arena.submit(("ann", "a2", 1))
    await court.arena.persist()
    await make_final(court.arena, "week", 1)
    assert await differences(court) == []
    for change in ("rank = 9 WHERE user_id = 'cy'", "place = 3 - place WHERE rank = 1"):
        await database.execute(f"UPDATE user_score SET {change} AND board = 'arena:week:1'")
    assert set(await differences(court)) == {
        ("arena:week:1", user, "rank") for user in ("ann", "bob", "cy")
    }
    await court.arena.durable.rebuilder.rebuild("arena", correct=True)
    assert await differences(court) == []
    rows = await database.fetch(
        "SELECT user_id, rank, place FROM user_score WHERE board = 'arena:week:1' ORDER BY place"
    )
    assert [tuple(row) for row in rows] == [("ann", 1, 1), ("bob", 1, 2), ("cy", 3, 3)]


async def patrolled(court: Moderated) -> set[tuple[str, str | None]]:
    """What a round of the continuous audit finds."""
    arena, found = court.arena, set[tuple[str, str | None]]()
    postgres = LedgerAudit(arena.durable.ledger._pool)
    verifier = verifier_of(arena.durable, arena.redis, postgres)
    check = verifier.check

    async def noting(table: str, users: Any) -> list[Difference]:
        differing = await check(table, users)
        found.update((one.board, one.user_id) for one in differing)
        return differing

    verifier.check = noting  # type: ignore[method-assign]

    class Nowhere:
        async def now_ms(self) -> int:
            return 0

        async def publish(self, *_: object, valid: float) -> None: ...

    await Patrol(postgres, verifier, Nowhere()).round()
    return found
