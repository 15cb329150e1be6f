"""The audit finds every difference and no others, and a repair makes them go away."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime

import asyncpg
import pytest
from structlog.testing import capture_logs

from scoreboard.assembly.recovery import verifier_of
from scoreboard.commands.verify import print_difference
from scoreboard.domain.audit import Difference, Report
from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.periods import Period
from scoreboard.domain.stamps import stamp
from scoreboard.pg.ledger_audit import LedgerAudit
from scoreboard.redisio.patrol_reports import PatrolReports
from scoreboard.workers.patrol import Patrol
from scoreboard.workers.persister import Persister
from tests.support.arena import Arena
from tests.support.ledger_entries import START_MS, sums, totals
from tests.support.moderated_arena import Moderated

ACTIONS = [(f"user{i % 7}", f"a{i}", i) for i in range(40)]
SEED = 11
DAMAGED = ("age", "era", "lost", "sealed", "spaced", "torn")  # periods


class Audit:
    """The verifier over the board, with what it told."""

    def __init__(self, arena: Arena, pool: asyncpg.Pool) -> None:
        self.verifier = verifier_of(arena.durable, arena.redis, LedgerAudit(pool))
        self.found: list[Difference] = []

    async def run(self) -> Report:
        self.found.clear()
        return await self.verifier.verify("arena", self.found.append, lambda _: None)

    def seen(self) -> set[tuple[str | None, str, str, str]]:
        return {(d.user_id, d.where, d.expected, d.found) for d in self.found}


@pytest.fixture
async def audit(arena: Arena, pool: asyncpg.Pool) -> Audit:
    await arena.submit(*ACTIONS)
    return Audit(arena, pool)


async def damage(arena: Arena, database: asyncpg.Connection) -> None:
    """A wrong total and a lost one in Postgres, a wrong one and a strange user in Redis."""
    await database.execute("UPDATE user_score SET score = 999 WHERE user_id = 'user1'")
    await database.execute("DELETE FROM user_score WHERE user_id = 'user2'")
    await arena.redis.zadd(arena.keys.board, {"user3": stamp(7, START_MS), "ghost": 3.5})


async def test_a_sound_board_has_no_differences_persisted_or_not(
    arena: Arena, audit: Audit
) -> None:
    for _ in range(2):
        report = await audit.run()
        assert (report.differences, report.moving) == (0, 0), audit.found
        assert report.live
    assert (report.users, report.receipts) == (7, 40)


async def test_each_place_that_disagrees_with_the_ledger_is_named(
    arena: Arena, audit: Audit, database: asyncpg.Connection
) -> None:
    await arena.persist()
    truth = await sums(database)
    await damage(arena, database)
    await arena.redis.zrem(arena.keys.board, "user4")
    await arena.redis.zadd(arena.keys.hidden, {"user5": stamp(truth["user5"], START_MS)})
    await arena.redis.delete(arena.keys.action(b"user6", b"a6"))
    report = await audit.run()
    assert {(user, where) for user, where, _, _ in audit.seen()} == {
        ("user1", "user_score"),
        ("user2", "user_score"),
        ("user3", "redis"),
        ("user4", "redis"),
        ("user5", "redis"),
        ("user6", "receipt"),
        ("ghost", "redis"),
    }
    assert ("user3", "redis", str(truth["user3"]), "7") in audit.seen()
    assert ("user4", "redis", str(truth["user4"]), "nothing") in audit.seen()
    assert report.differences == len(audit.found) == 7


async def test_a_repair_makes_the_board_what_its_ledger_says(
    arena: Arena, audit: Audit, database: asyncpg.Connection
) -> None:
    await arena.persist()
    truth = await sums(database)
    await damage(arena, database)
    await arena.durable.rebuilder.rebuild("arena", correct=True)
    assert (await audit.run()).differences == 0, audit.found
    assert await arena.totals() == await totals(database) == truth


async def test_a_board_that_is_not_live_is_compared_within_postgres(
    arena: Arena, audit: Audit, database: asyncpg.Connection
) -> None:
    await arena.persist()
    await arena.redis.flushall()
    report = await audit.run()
    assert (report.live, report.differences, report.users) == (False, 0, 7)
    await database.execute("UPDATE user_score SET score = 999 WHERE user_id = 'user1'")
    await audit.run()
    assert {(user, where) for user, where, _, _ in audit.seen()} == {("user1", "user_score")}


async def test_what_redis_believes_of_periods_is_compared_and_repaired(
    court: Moderated, pool: asyncpg.Pool, capsys: pytest.CaptureFixture[str]
) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    periods = tuple(
        Period(name, every="P3000D", start=start)
        for name in ("age", "era", "lost", "sealed", "sound", "spaced", "torn")
    )
    await court.moderator.configure("arena", lambda _: BoardSettings(periods=periods), by="eve")
    arena, audit = court.arena, Audit(court.arena, pool)
    await arena.submit(("ann", "a1", 5))
    assert (await audit.run()).differences == 0, audit.found

    meta = arena.keys.meta
    truth = {name: (await arena.meta())[f"period:{name}"] for name in DAMAGED}
    number, begins, ends, final = map(int, truth["age"].split())
    await arena.redis.hset(
        meta,
        mapping={
            "period:age": f"{number} {begins} {ends + 1} {final + 1}",
            "period:era": f"{number} {begins} {ends} {final + 60_000}",
            "period:sealed": f"{number} {ends} {ends} 0",
            "period:spaced": f"{number}  {begins} {ends} {final}",
            "period:torn": f"{number} {begins}",
        },
    )
    await arena.redis.hdel(meta, "period:lost")
    report = await audit.run()
    assert [(one.board, one.user_id, one.where) for one in audit.found] == [
        ("arena", None, f"period {name}") for name in DAMAGED
    ]
    assert report.differences == 6
    due = "occurrence 1 until 2034-03-20T00:00:00+00:00 from 2026-01-01T00:00:00+00:00"
    assert [one.expected.partition(", ")[0] for one in audit.found] == [due] * 6
    assert [one.found for one in audit.found][2:] == [
        "nothing",
        "occurrence 1 until 2034-03-20T00:00:00+00:00, over",
        f"what nobody can read: '{number}  {begins} {ends} {final}'",
        f"what nobody can read: '{number} {begins}'",
    ]
    ledger = LedgerAudit(pool)
    patrol = Patrol(ledger, audit.verifier, PatrolReports(arena.redis))
    with capture_logs() as logs:
        assert (await patrol.round()).differences == 6
    assert [(entry["board"], entry["users"]) for entry in logs] == [("arena", 0)]
    assert logs[0]["where"] == {f"period {name}": 1 for name in DAMAGED}
    capsys.readouterr()
    print_difference(audit.found[2])
    told = " ".join(capsys.readouterr().out.split())
    assert told.startswith("arena: period lost has nothing, the ledger occurrence 1 until 2034")

    await arena.durable.rebuilder.rebuild("arena", correct=True)
    assert (await audit.run()).differences == 0, audit.found
    meta_now = await arena.meta()
    assert {name: meta_now[f"period:{name}"] for name in truth} == truth


async def test_who_is_hidden_while_a_period_is_unreadable_is_so_in_all_tables_once_loaded(
    court: Moderated, pool: asyncpg.Pool
) -> None:
    age = Period("age", every="P3000D", start=datetime(2026, 1, 1, tzinfo=UTC))
    await court.moderator.configure("arena", lambda _: BoardSettings(periods=(age,)), by="eve")
    arena, audit = court.arena, Audit(court.arena, pool)
    await arena.submit(("ann", "a1", 5))
    await arena.redis.hset(arena.keys.meta, "period:age", "1 x")
    await court.moderator.set_hidden("arena", "ann", hidden=True, by="eve", reason="")
    await arena.durable.rebuilder.ensure("arena", create=False)
    report = await audit.run()
    assert (report.live, report.differences) == (True, 0), audit.found
    for table in ("arena", "arena:age:1"):
        keys = arena.durable.keyspace.board(table)
        assert [*await arena.zset(keys.board)] == []
        assert [*await arena.zset(keys.hidden)] == ["ann"]


async def test_what_a_clock_ahead_has_ended_is_no_difference_after_a_failover_to_one_behind(
    court: Moderated, pool: asyncpg.Pool
) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    periods = (
        Period("day", every="P3000D", start=start),
        Period("week", every="P3000D", start=start, grace=3600),
    )
    await court.moderator.configure("arena", lambda _: BoardSettings(periods=periods), by="eve")
    arena, audit = court.arena, Audit(court.arena, pool)
    await arena.submit(("ann", "a1", 5))
    await arena.persist()
    await court.database.execute(
        "INSERT INTO period_occurrence"
        " (board, period, occurrence, starts_at, ends_at, final_at)"
        " SELECT board, period, 2, ends_at, 2 * ends_at - starts_at, 2 * final_at - starts_at"
        " FROM period_occurrence"
    )
    async with arena.durable.ledger.locked(arena.keys.partition) as session:
        assert await session.source.finalise("arena", "day", 1) == 1

    await arena.lose_epoch()
    await arena.durable.rebuilder.ensure("arena", create=False)
    report = await audit.run()
    assert report.live
    assert report.differences == 0, audit.found
    known = await arena.meta()
    assert [len(known[f"period:{name}"].split()) for name in ("day", "week")] == [4, 7]


async def test_nothing_differs_while_scores_pour_in(
    arena: Arena, audit: Audit, database: asyncpg.Connection
) -> None:
    draw = random.Random(SEED)
    stopping = asyncio.Event()
    durable = arena.durable
    persister = Persister(durable.streams, durable.ledger, durable.reverter, batch=50)
    persisting = asyncio.create_task(persister.run(stopping))

    async def pour() -> None:
        for i in range(300):
            await arena.submit((f"user{draw.randrange(200)}", f"b{i}", draw.randint(-3, 9)))

    pouring = asyncio.create_task(pour())
    reports = []
    while not pouring.done():
        reports.append(await audit.run())
    await pouring
    stopping.set()
    await persisting
    assert reports
    assert [report.differences for report in reports] == [0] * len(reports), audit.found
    final = await audit.run()
    assert (final.differences, final.moving) == (0, 0)
    assert await totals(database) == await sums(database) == await arena.totals()
