"""What a person decides about an action, a user or a board reaches the tables of occurrences, also
those that are final."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from scoreboard.assembly.recovery import verifier_of
from scoreboard.domain.audit import Difference
from scoreboard.domain.reviews import Review
from scoreboard.domain.submissions import Outcome
from scoreboard.pg.ledger_audit import LedgerAudit
from scoreboard.pg.occurrences import Occurrences
from scoreboard.wire.keys import BoardKeys
from tests.support.arena import Arena
from tests.support.moderated_arena import Moderated
from tests.support.occurrences import end_occurrence, lasting, make_final, table_totals
from tests.support.suspicious_gate import TOO_MANY

WEEK = lasting("week")
DAY = lasting("day")


async def configure(court: Moderated, **rules: object) -> None:
    await court.configure(**{"periods": (WEEK, DAY), "mode": "reject"} | rules)


async def agrees(court: Moderated) -> None:
    arena, found = court.arena, list[Difference]()
    await arena.durable.rebuilder.ensure("arena", create=False)
    await arena.persist()
    verifier = verifier_of(arena.durable, arena.redis, LedgerAudit(arena.durable.ledger._pool))
    report = await verifier.verify("arena", found.append, lambda _: None)
    assert (report.live, found) == (True, [])


async def final_table(database: asyncpg.Connection, table: str) -> dict[str, tuple[Any, Any]]:
    """Total and rank of each user of a table in Postgres."""
    rows = await database.fetch(
        "SELECT user_id, score, rank FROM user_score WHERE board = $1", table
    )
    return {user: (score, rank) for user, score, rank in rows}


async def refused_in_the_first_week(court: Moderated) -> Review:
    """Ann's action is refused in week 1 and day 1, which are over now: day 1 is final."""
    await court.arena.submit(("ann", "a1", 5), ("bob", "b1", 7))
    case = await court.case("ann", "cheat", TOO_MANY)
    await end_occurrence(court.arena, "week")
    await end_occurrence(court.arena, "day")
    await court.arena.submit(("bob", "b2", 1))
    await court.arena.persist()
    await make_final(court.arena, "day", 1)
    return case


@pytest.mark.parametrize("operator", ["sum", "best", "last"])
async def test_an_approved_action_counts_where_it_would_have_counted(
    court: Moderated, database: asyncpg.Connection, operator: str
) -> None:
    await configure(court, operator=operator, attempts=9)
    case = await refused_in_the_first_week(court)
    await court.moderator.approve(case.id, by="eve", reason="")
    total = TOO_MANY + (5 if operator == "sum" else 0)
    assert await table_totals(court.arena, "arena:week:1") == {"ann": total, "bob": 7}
    assert await table_totals(court.arena, "arena:week:1", "players") == {"ann": 2, "bob": 1}
    assert await table_totals(court.arena, "arena:week:2") == {"bob": 1}
    assert await final_table(database, "arena:day:1") == {"ann": (total, 1), "bob": (7, 2)}
    text, _ = await court.arena.receipt("ann", "cheat")
    assert "week:1" in text
    assert "day:1" not in text, "the script did not count it there"
    await agrees(court)
    await court.arena.redis.flushall()
    await agrees(court)
    assert (await court.arena.receipt("ann", "cheat"))[0] == text


@pytest.mark.parametrize("operator", ["sum", "best", "last"])
async def test_an_action_that_is_taken_back_goes_from_every_table(
    court: Moderated, database: asyncpg.Connection, operator: str
) -> None:
    await configure(court, operator=operator, mode="flag", attempts=9)
    case = await refused_in_the_first_week(court)
    assert (await final_table(database, "arena:day:1"))["ann"][1] == 1
    await court.moderator.confirm(case.id, by="eve", reason="cheat")
    assert await table_totals(court.arena, "arena:week:1") == {"ann": 5, "bob": 7}
    assert await table_totals(court.arena, "arena:week:1", "players") == {"ann": 1, "bob": 1}
    assert await final_table(database, "arena:day:1") == {"ann": (5, 2), "bob": (7, 1)}
    assert await database.fetchval("SELECT amended FROM period_occurrence WHERE state = 'final'")
    await agrees(court)


@pytest.mark.parametrize("operator", ["sum", "best", "last"])
async def test_decisions_reach_the_tables_of_periods_that_the_board_no_longer_has(
    court: Moderated, database: asyncpg.Connection, operator: str
) -> None:
    await configure(court, operator=operator, attempts=9)
    case = await refused_in_the_first_week(court)
    await configure(court, operator=operator, periods=())
    total = TOO_MANY + (5 if operator == "sum" else 0)
    await court.moderator.approve(case.id, by="eve", reason="")
    assert await table_totals(court.arena, "arena:week:1") == {"ann": total, "bob": 7}
    assert await final_table(database, "arena:day:1") == {"ann": (total, 1), "bob": (7, 2)}
    await agrees(court)
    await make_final(court.arena, "week", 1)
    await court.moderator.revert("arena", "ann", "cheat", by="eve", reason="")
    for table in ("arena:week:1", "arena:day:1"):
        assert await final_table(database, table) == {"bob": (7, 1), "ann": (5, 2)}
    await agrees(court)


@pytest.mark.parametrize("operator", ["sum", "best", "last"])
async def test_an_action_is_taken_back_whose_occurrence_has_lost_its_users(
    court: Moderated, database: asyncpg.Connection, pool: asyncpg.Pool, operator: str
) -> None:
    await configure(court, operator=operator, mode="off")
    await court.arena.submit(("ann", "a1", 5), ("bob", "b1", 7))
    await end_occurrence(court.arena, "day")
    await court.arena.submit(("bob", "b2", 0))
    await court.arena.persist()
    await make_final(court.arena, "day", 1)
    assert await Occurrences(pool).prune("arena", "day", 0) == 1
    await court.moderator.revert("arena", "ann", "a1", by="eve", reason="")
    assert "ann" not in await final_table(database, "arena:day:1")
    bob = 0 if operator == "last" else 7
    left = {"ann": 0, "bob": bob} if operator == "sum" else {"bob": bob}
    assert await table_totals(court.arena, "arena:week:1") == left
    await agrees(court)


async def test_where_nothing_is_left_the_user_goes_from_the_table(court: Moderated) -> None:
    await configure(court, operator="best", mode="flag")
    case = await court.case("ann", "cheat", TOO_MANY)
    await court.moderator.confirm(case.id, by="eve", reason="cheat")
    assert await table_totals(court.arena, "arena:week:1") == {}
    await agrees(court)
    (result,) = await court.arena.submit(("ann", "a2", 3))
    assert [(one.score, one.changed) for one in result.periods] == [(3, True), (3, True)]
    await agrees(court)


async def test_a_user_is_hidden_in_every_table_and_shown_again(
    court: Moderated, database: asyncpg.Connection
) -> None:
    await configure(court)
    await refused_in_the_first_week(court)
    await court.moderator.set_hidden("arena", "bob", hidden=True, by="eve", reason="")
    await court.arena.submit(("bob", "b3", 1))
    for table, kept in (("arena:week:1", 7), ("arena:week:2", 2), ("arena:day:2", 2)):
        assert (await table_totals(court.arena, table, "hidden"))["bob"] == kept
        assert "bob" not in await table_totals(court.arena, table)
    assert (await final_table(database, "arena:day:1"))["ann"] == (5, 1)
    await agrees(court)
    await court.moderator.set_hidden("arena", "bob", hidden=False, by="eve", reason="")
    assert await table_totals(court.arena, "arena:week:2") == {"bob": 2}
    assert (await final_table(database, "arena:day:1"))["ann"] == (5, 2)
    await agrees(court)


async def test_versions_of_all_tables_go_on_from_the_highest_whatever_moves_them(
    court: Moderated,
) -> None:
    await configure(court, mode="flag")
    arena, seen = court.arena, 0

    async def goes_on(*tables: str) -> None:
        nonlocal seen
        versions = {}
        for table in ("arena", "arena:week:1", "arena:day:1"):
            meta: Any = await arena.redis.hgetall(BoardKeys(table, arena.keys.partition).meta)
            versions[table] = int(meta[b"version"])
        counter = int((await arena.meta())["counter"])
        assert counter == max(versions.values()), versions
        moved = {table for table, version in versions.items() if version > seen}
        assert moved == set(tables)
        seen = counter

    await arena.submit(("ann", "a1", 5), ("bob", "b1", 7))
    every = ("arena", "arena:week:1", "arena:day:1")
    await goes_on(*every)
    case = await court.case("ann", "cheat", TOO_MANY)
    await goes_on(*every)
    await court.moderator.confirm(case.id, by="eve", reason="")
    await goes_on(*every)
    await court.moderator.set_hidden("arena", "bob", hidden=True, by="eve", reason="")
    await goes_on(*every)
    await arena.submit(("cy", "c1", 1))
    await goes_on(*every)
    await configure(court, mode="flag", top_size=1)
    await goes_on(*every)
    await arena.lose_epoch()
    await arena.durable.rebuilder.ensure("arena", create=False)
    await goes_on(*every)


async def test_limits_that_are_set_later_hold_for_what_was_counted_before(
    court: Moderated,
) -> None:
    await configure(court, mode="off")
    await court.arena.submit(("ann", "a1", 1), ("bob", "b1", 1))
    await configure(court, mode="off", attempts=2, capacity=2)
    told = await outcomes(court.arena, ("ann", "a2", 1), ("ann", "a3", 1), ("cy", "c1", 1))
    assert told == [Outcome.ACCEPTED, Outcome.ATTEMPTS_EXHAUSTED, Outcome.BOARD_FULL]
    await agrees(court)


async def test_a_period_that_is_back_knows_what_happened_without_it(court: Moderated) -> None:
    await configure(court, mode="off")
    await court.arena.submit(("ann", "a1", 1), ("bob", "b1", 2))
    await configure(court, mode="off", periods=(WEEK,))
    await court.moderator.set_hidden("arena", "bob", hidden=True, by="eve", reason="")
    await configure(court, mode="off")
    (result,) = await court.arena.submit(("bob", "b2", 3))
    assert [(one.period, one.occurrence, one.score, one.rank) for one in result.periods] == [
        ("week", 1, 5, None),
        ("day", 1, 5, None),
    ]
    assert await table_totals(court.arena, "arena:day:1") == {"ann": 1}
    await agrees(court)


async def outcomes(arena: Arena, *actions: tuple[str, str, int]) -> list[Outcome]:
    return [result.outcome for result in await arena.submit(*actions)]
