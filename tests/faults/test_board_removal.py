"""A process that removes a board dies between any two of its steps; repeating the call, or a
persister, finishes what it had begun."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from scoreboard.domain.removals import RemovalKind
from scoreboard.domain.submissions import Outcome
from scoreboard.errors import Unavailable, UnknownBoard
from scoreboard.pg import removals
from scoreboard.pg.archived_boards import ArchivedBoards
from scoreboard.pg.pool import open_pool
from scoreboard.redisio import sweeper
from scoreboard.settings import Settings
from scoreboard.workers import remover
from tests.support.extent import kept
from tests.support.faulty_awaits import Fault, FaultyAwaits
from tests.support.removed_board import Furnished, furnished

# What another removal of the board, another kind of it, a load or the persister comes by.
BESIDE = {
    *("Remover.run", "Remover.finish_abandoned", "Removals.abandoned", "Remover.remove"),
    *("Remover._settle", "Remover._finish", "Removals.finish", "refuse_if_pending", "note_swept"),
    "BoardSweeper.tell_gone",
}
WHOLE = b'[{"userId":"bob","score":7},{"userId":"cy:arena:x","score":3}]'


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(settings.database_url, connections=10, timeout=30)
    yield pool
    await pool.close()


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(settings.database_url)
    yield connection
    await connection.close()


async def empty(place: Furnished) -> None:
    """As before any test, but with the neighbour."""
    await place.redis.flushall()
    await place.database.execute(
        "TRUNCATE board, board_removal, user_score, score_action, review, anomaly_model,"
        " dead_event, admin_audit, partition_progress, judged_week"
    )


async def look(place: Furnished, pool: asyncpg.Pool, kind: RemovalKind) -> None:
    """Before the decision all of the board is there, afterwards nothing of it, and never a part."""
    try:
        _, top = await ArchivedBoards(pool).top("arena")
    except Unavailable:
        with pytest.raises(Unavailable):
            await place.arena.submit(("new", "k", 1))
    except UnknownBoard:
        assert kind == "delete"
        with pytest.raises(UnknownBoard):
            await place.arena.durable.rebuilder.ensure("arena", create=False)
    else:
        await place.arena.durable.rebuilder.ensure("arena", create=False)
        live = await place.arena.totals()
        assert (top, live) in ((WHOLE, {"bob": 7, "cy:arena:x": 3}), (b"[]", {}))
        assert top == WHOLE or kind == "clear"


async def finished(place: Furnished, kind: RemovalKind, *, again: bool) -> None:
    if again:
        try:
            assert await place.remover.remove("arena", kind, by="eve")
        except UnknownBoard:
            assert kind == "delete"
    else:
        await place.remover.finish_abandoned(0)


@pytest.mark.parametrize("kind", kept(["delete", "clear"], "delete"))
@pytest.mark.parametrize(
    "again", kept([True, False], False), ids=["repeated", "finished by a persister"]
)
async def test_a_removal_that_dies_at_any_step_is_finished(
    settings: Settings,
    redis: Redis,
    pool: asyncpg.Pool,
    database: asyncpg.Connection,
    kind: RemovalKind,
    again: bool,
) -> None:
    awaits = FaultyAwaits()
    async with furnished(settings, redis, pool, database) as place:
        with awaits.within(remover, removals, sweeper), capture_logs():
            await place.furnish()
            awaits.reached.clear()
            assert await place.remover.remove("arena", kind, by="eve")
            places = list(awaits.reached)
            missed = {p.function for p in awaits.places if p not in places}
            assert missed <= BESIDE
            for step in places:
                await empty(place)
                await place.furnish()
                awaits.set((step, Fault.ERROR))
                dying = place.remover.remove("arena", kind, by="eve")
                await asyncio.gather(dying, return_exceptions=True)
                assert awaits.struck, step
                await look(place, pool, kind)
                decided = await place.database.fetchval("SELECT count(*) FROM board_removal") == 1
                await finished(place, kind, again=again)
                if decided or again:
                    rows = await place.rows()
                    left = {"clear": {"board": 1, "anomaly_model": 1}, "delete": {}}[kind]
                    assert rows == left, step
                    assert {key.split(b":")[2] for key in await place.keys()} <= {b"meta"}, step
                    [result] = await place.arena.submit(("bob", "k0", 7))
                    assert (result.outcome, result.score) == (Outcome.ACCEPTED, 7), step
                    assert await place.neighbour_is_whole(), step
                else:
                    assert len(await place.rows()) == 5, step
