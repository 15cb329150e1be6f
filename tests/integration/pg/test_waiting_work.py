"""By one statement it is seen which jobs have something to do: whatever makes one of them work is
seen, and nothing is while there is nothing."""

from __future__ import annotations

import asyncpg
import pytest

from scoreboard.domain.profiles import Profile
from scoreboard.domain.waiting_work import Job
from scoreboard.pg.erasures import Erasures
from scoreboard.pg.ledger import Ledger
from scoreboard.pg.outside_events import OutsideEvents, tell_of_erasure
from scoreboard.pg.profile_changes import ProfileChanges
from scoreboard.pg.profiles import StoredProfiles
from scoreboard.pg.waiting_work import WorkRecord
from tests.support.ledger_entries import BOARD, PARTITION, START_MS, opened
from tests.support.outsiders import listen
from tests.support.waiting import wait_until

END, FINAL = START_MS + 1_000, START_MS + 2_000


@pytest.fixture
async def work(pool: asyncpg.Pool) -> WorkRecord:
    found = WorkRecord(pool)
    assert await found.look(FINAL) == (frozenset(), None), "there is nothing yet"
    return found


async def jobs(work: WorkRecord, now: int | None = START_MS) -> set[Job]:
    return set((await work.look(now)).jobs)


async def test_an_occurrence_that_has_ended_is_seen_until_it_is_final(
    work: WorkRecord, ledger: Ledger
) -> None:
    async with ledger.locked(PARTITION) as session:
        await session.write([opened("10-0", "day", 1, START_MS, END, FINAL)], [])
    assert await jobs(work, END - 1) == set()
    assert await jobs(work, None) == set(), "nobody knows the time"
    for now in (END, FINAL, FINAL + 1):
        assert await jobs(work, now) == {"periods"}
    async with ledger.locked(PARTITION) as session:
        await session.source.finalise(BOARD, "day", 1)
    assert await jobs(work, FINAL + 1) == set()


async def test_a_final_table_that_a_decision_changed_is_seen_until_it_is_ranked(
    work: WorkRecord, ledger: Ledger, pool: asyncpg.Pool, database: asyncpg.Connection
) -> None:
    async with ledger.locked(PARTITION) as session:
        await session.write([opened("10-0", "day", 1, START_MS, END, FINAL)], [])
        await session.source.finalise(BOARD, "day", 1)
    await database.execute("UPDATE period_occurrence SET unranked = 3")
    assert await jobs(work) == {"ranks"}
    await database.execute("UPDATE period_occurrence SET pruned = true")
    assert await jobs(work) == set()


async def test_a_changed_profile_is_seen_until_boards_follow_it(
    work: WorkRecord, pool: asyncpg.Pool, database: asyncpg.Connection
) -> None:
    changes = ProfileChanges(pool)
    await StoredProfiles(pool).put("ann", Profile(display_name="Ann"))
    assert await jobs(work) == {"profiles"}, "somebody may have come onto a board meanwhile"

    async def followed() -> bool:
        await changes.recheck(10)  # which waits for all who write on this server, whatever they do
        return await jobs(work) == set()

    await wait_until(followed, description="the others have ended")
    await database.execute("INSERT INTO board (board, partition) VALUES ($1, 0)", BOARD)
    await database.execute(
        "INSERT INTO profile_change (board, user_id, listing) VALUES ($1, 'ann', false)", BOARD
    )
    assert await jobs(work) == {"profiles"}


async def test_an_erasure_is_seen(work: WorkRecord, pool: asyncpg.Pool) -> None:
    await Erasures(pool).ask("ann", "erase", by="eve")
    assert await jobs(work) == {"erasures"}


async def test_an_event_is_seen_when_its_delivery_is_due(
    work: WorkRecord, pool: asyncpg.Pool, database: asyncpg.Connection
) -> None:
    await listen(database, "player.erased")
    assert await jobs(work) == set()
    async with database.transaction():
        await tell_of_erasure(database, user="ann", mode="erase", erasure="e1")
    assert await jobs(work) == {"deliveries"}
    (taken,) = await OutsideEvents(pool).take({}, at_once=1, lease=60)
    assert await jobs(work) == set(), "it comes again after its lease"
    await database.execute("UPDATE outside_event SET due = now()")
    assert await jobs(work) == {"deliveries"}
    await OutsideEvents(pool).delivered(taken)
    assert await jobs(work) == set()


async def test_a_webhook_that_wants_tops_is_seen(
    work: WorkRecord, database: asyncpg.Connection
) -> None:
    await listen(database, "top.changed", "player.erased")
    assert await jobs(work) == {"tops"}
