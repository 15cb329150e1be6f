"""A board that lost a key in Redis while the rest is there is loaded again, with every total."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from structlog.testing import capture_logs

from scoreboard.domain.standings import Place
from scoreboard.errors import BoardCold
from scoreboard.redisio.line_pool import ScriptLines
from scoreboard.redisio.live_boards import LiveBoards
from scoreboard.redisio.reads import Reads
from scoreboard.redisio.topologies import topology_at
from scoreboard.settings import Settings
from tests.support.arena import Arena
from tests.support.ledger_entries import sums, totals
from tests.support.moderated_arena import Moderated

USERS = ("ann", "bob", "eve")


async def people(court: Moderated) -> Arena:
    """Three users with 100 points; eve is hidden."""
    await court.arena.submit(*((user, "a1", 100) for user in USERS))
    await court.arena.persist()
    await court.moderator.set_hidden("arena", "eve", hidden=True, by="mod", reason="")
    return court.arena


@pytest.mark.parametrize("key", ["board", "hidden"])
@pytest.mark.parametrize("user", [*USERS, "new"])
async def test_the_next_action_counts_on_top_of_what_the_ledger_has(
    court: Moderated, database: asyncpg.Connection, key: str, user: str
) -> None:
    arena = await people(court)
    await arena.redis.delete(getattr(arena.keys, key))
    with capture_logs() as logs:
        (result,) = await arena.submit((user, "a2", 2))
    expected = dict.fromkeys(USERS, 100)
    expected[user] = expected.get(user, 0) + 2
    assert result.score == expected[user]
    assert [entry["event"] for entry in logs][:1] == ["board_incomplete"]

    await arena.persist()
    assert await totals(database) == await sums(database) == expected
    assert set(await arena.zset(arena.keys.hidden)) == {"eve"}
    assert await arena.totals() == {u: score for u, score in expected.items() if u != "eve"}


async def test_what_was_not_yet_persisted_is_not_lost(
    arena: Arena, database: asyncpg.Connection
) -> None:
    await arena.submit(("ann", "a1", 100))
    await arena.redis.delete(arena.keys.board)
    (result,) = await arena.submit(("ann", "a2", 2))
    assert result.score == 102
    (again,) = await arena.submit(("ann", "a1", 100))
    assert again.outcome.name == "DUPLICATE"
    await arena.persist()
    assert await totals(database) == {"ann": 102}


async def test_a_fenced_board_without_its_users_is_loaded_whole(court: Moderated) -> None:
    """Hidden users alone do not make it a board with users."""
    arena = await people(court)
    await arena.redis.delete(arena.keys.board)
    await arena.lose_epoch()
    await arena.durable.rebuilder.ensure("arena", create=False)
    assert await arena.totals() == {"ann": 100, "bob": 100}


async def test_a_board_that_only_redis_knew_and_that_lost_its_users_can_be_used_again(
    arena: Arena, database: asyncpg.Connection
) -> None:
    await arena.submit(("ann", "a1", 100))
    await arena.persist()
    await database.execute("TRUNCATE board, judged_week, user_score, score_action")
    await arena.redis.delete(arena.keys.board)
    (result,) = await arena.submit(("ann", "a2", 2))
    assert result.score == 2


Read = Callable[[LiveBoards], Awaitable[Any]]
READS: dict[str, Read] = {
    "top": lambda live: live.top("arena"),
    "standings": lambda live: live.standings("arena", ["ann"]),
    "around": lambda live: live.around("arena", "ann", 1),
    "user": lambda live: live.user("arena", "ann"),
    "page": lambda live: live.page("arena", Place("rank", 1), 10),
}


@pytest.mark.parametrize("read", READS)
async def test_no_read_answers_from_a_board_without_its_users(
    arena: Arena, settings: Settings, read: str
) -> None:
    await arena.submit(("ann", "a1", 100))
    lines = ScriptLines(topology_at(settings.redis_url), timeout=5, most=1)
    live = LiveBoards(Reads(lines), keyspace=arena.durable.keyspace)
    try:
        assert await READS[read](live)
        await arena.redis.delete(arena.keys.board)
        with pytest.raises(BoardCold):
            await READS[read](live)
        await arena.durable.rebuilder.ensure("arena", create=False)
        assert await READS[read](live)
    finally:
        await lines.close()
