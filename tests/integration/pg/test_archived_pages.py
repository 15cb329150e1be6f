"""Pages and users' places from Postgres are those of Redis, also where a double can't tell the
milliseconds of two totals apart."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from itertools import cycle

import asyncpg
import pytest

from scoreboard.domain.boards import MAX_TOTAL, BoardSettings
from scoreboard.domain.stamps import stamp, total_of
from scoreboard.domain.standings import Place
from scoreboard.errors import UnknownBoard
from scoreboard.pg.archived_boards import ArchivedBoards
from scoreboard.pg.ledger import Ledger
from scoreboard.redisio.line_pool import ScriptLines
from scoreboard.redisio.live_boards import LiveBoards
from scoreboard.redisio.reads import Reads
from scoreboard.redisio.topologies import topology_at
from scoreboard.settings import Settings
from tests.support.arena import Arena
from tests.support.ledger_entries import BOARD, PARTITION, START_MS, event

SEED = 11
TOTALS = [-3, 0, 4, 2**21, 2**21 + 1, 2**40, MAX_TOTAL, -MAX_TOTAL]
WITHIN_MS = 5_000  # so that of equal totals at 2^21 some doubles are equal and some are not
HIDDEN = ["user3", "user4"]


@pytest.fixture
def archived(pool: asyncpg.Pool) -> ArchivedBoards:
    return ArchivedBoards(pool)


@pytest.fixture
async def live(arena: Arena, settings: Settings) -> AsyncIterator[LiveBoards]:
    lines = ScriptLines(topology_at(settings.redis_url), timeout=60, most=1)
    yield LiveBoards(Reads(lines), keyspace=arena.durable.keyspace)
    await lines.close()


RULES = {
    "plain": BoardSettings(),
    "asc": BoardSettings(order="asc"),
    "standard": BoardSettings(rank_style="standard"),
    "asc, standard": BoardSettings(order="asc", rank_style="standard"),
}


@pytest.fixture(params=RULES.values(), ids=list(RULES))
def rules(request: pytest.FixtureRequest) -> BoardSettings:
    """Those of the board."""
    settings: BoardSettings = request.param
    return settings


@pytest.fixture
async def peopled(
    arena: Arena, ledger: Ledger, database: asyncpg.Connection, rules: BoardSettings
) -> list[str]:
    """The users of the board, who are in Postgres and in Redis; some of them are hidden."""
    draw = random.Random(SEED)
    rows = [
        (f"user{n}", draw.choice(TOTALS), START_MS + draw.randrange(WITHIN_MS)) for n in range(300)
    ]
    assert len({stamp(total, reached) for _, total, reached in rows}) < 200
    events = [
        event(f"{n}-0", user, "a1", score=total, reached=reached)
        for n, (user, total, reached) in enumerate(rows, 1)
    ]
    async with ledger.locked(PARTITION) as session:
        await session.write(events, [])
    await database.execute(
        "UPDATE user_score SET hidden = true WHERE user_id = ANY ($1::text[])", HIDDEN
    )
    # As when the ledger was corrected, and no time is known.
    await database.execute(
        "UPDATE user_score SET reached_at = 'epoch' WHERE user_id = ANY ($1::text[])",
        ["user10", "user11", "user12"],
    )
    await database.execute("UPDATE board SET settings = $1", rules.to_text())
    await arena.durable.rebuilder.ensure(BOARD, create=False)
    return [user for user, _, _ in rows]


async def test_a_page_is_the_same_from_either_wherever_it_begins(
    peopled: list[str], live: LiveBoards, archived: ArchivedBoards
) -> None:
    draw = random.Random(SEED)
    places = [Place("rank", rank) for rank in (1, 2, 150, 298, 299, 5000)]
    places += [
        Place(kind, total + more)
        for kind in ("score", "behind")
        for total in TOTALS
        for more in (-1, 0, 1)
        if abs(total + more) <= MAX_TOTAL
    ]
    places += [
        Place("after", stamp(total, START_MS + draw.randrange(WITHIN_MS)), draw.choice(peopled))
        for total in TOTALS * 5
    ]
    for place in places:
        for limit in (0, 1, 40, 1000):
            page = await live.page(BOARD, place, limit)
            assert await archived.page(BOARD, place, limit) == page, place


async def test_pages_go_on_wherever_the_next_one_is_read(
    peopled: list[str],
    rules: BoardSettings,
    arena: Arena,
    live: LiveBoards,
    archived: ArchivedBoards,
) -> None:
    in_redis = await arena.zset()
    order = sorted(in_redis, key=lambda user: (in_redis[user], user), reverse=True)
    totals = [total_of(in_redis[user]) for user in order]

    def rank_in(place: int) -> int:
        shared = rules.rank_style == "standard"
        return totals.index(totals[place - 1]) + 1 if shared else place

    boards: list[LiveBoards | ArchivedBoards] = [live, archived]
    for in_turn in (boards, boards[::-1]):
        readers = cycle(in_turn)
        seen: list[str] = []
        place: Place | None = Place("rank", 1)
        while place:
            page = await next(readers).page(BOARD, place, 7)
            for place_in_all, one in enumerate(page.standings, len(seen) + 1):
                assert one.rank == rank_in(place_in_all)
            seen += [one.user_id for one in page.standings]
            place = page.last
        assert seen == order
    assert set(seen) == set(peopled) - set(HIDDEN)


async def test_each_user_stands_the_same_in_both(
    peopled: list[str], live: LiveBoards, archived: ArchivedBoards
) -> None:
    missing = []
    for user in [*peopled, "nobody"]:
        standing = await live.user(BOARD, user)
        assert await archived.user(BOARD, user) == standing
        if standing is None:
            missing.append(user)
    assert missing == [*HIDDEN, "nobody"]


async def test_pages_of_a_board_that_nobody_made_are_unknown(archived: ArchivedBoards) -> None:
    with pytest.raises(UnknownBoard):
        await archived.page("nothing", Place("rank", 1), 10)
    with pytest.raises(UnknownBoard):
        await archived.user("nothing", "ann")
