"""Occurrences that end: each is opened, told and made final once, whoever fails in between."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest
from redis.asyncio import Redis

from scoreboard.assembly.moderation import closer, moderator
from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.kept_occurrences import KeptOccurrence
from scoreboard.domain.moments import moment_of
from scoreboard.domain.tables import occurrence_table
from scoreboard.errors import Unavailable
from scoreboard.pg.archived_boards import ArchivedBoards
from scoreboard.pg.board_settings import StoredSettings
from scoreboard.redisio.closing import LEFT_FOR_MS
from scoreboard.settings import Settings
from scoreboard.workers import closer as closer_module
from scoreboard.workers.closer import Closer
from tests.support.arena import Arena, opened_arena
from tests.support.channels import listening
from tests.support.outsiders import listen

BLITZ = {"name": "blitz", "every": "P3000D", "start": "2020-01-01T00:00:00Z"}
DAY = {"name": "day", "every": "P3000D", "start": "2020-01-01T00:00:00Z"}


@dataclass
class Season:
    """The board ``arena`` with periods, and who ends their occurrences."""

    arena: Arena
    closer: Closer
    boards: ArchivedBoards
    database: asyncpg.Connection

    async def over(self, period: str, *, final_in: int = 0) -> int:
        """Lets the latest occurrence have ended, in Redis and in Postgres; its number. Latecomers
        have ``final_in`` ms."""
        number, start, *_ = map(int, await self.known(period))
        end = await self.now() - 1
        text = f"{number} {start} {end} {end + final_in}"
        await self.arena.redis.hset(self.arena.keys.meta, f"period:{period}", text)
        await self.database.execute(
            "UPDATE period_occurrence SET ends_at = $1, final_at = $2"
            " WHERE (board, period, occurrence) = ('arena', $3, $4)",
            *(end, end + final_in, period, number),
        )
        return number

    async def known(self, period: str) -> list[str]:
        return (await self.arena.meta())[f"period:{period}"].split(" ")

    async def now(self) -> int:
        seconds, micros = await self.arena.redis.time()
        return int(seconds * 1000 + micros // 1000)

    async def occurrence(self, period: str, number: int) -> KeptOccurrence | None:
        return await self.boards.occurrence("arena", period, number)

    async def outsiders(self) -> list[dict[str, Any]]:
        rows = await self.database.fetch("SELECT kind, body FROM outside_event ORDER BY id")
        return [{"kind": row["kind"], **json.loads(row["body"])} for row in rows]

    async def ranks(self, period: str, number: int) -> dict[str, int | None]:
        rows = await self.database.fetch(
            "SELECT user_id, rank FROM user_score WHERE board = $1 ORDER BY rank",
            occurrence_table("arena", period, number),
        )
        return {row["user_id"]: row["rank"] for row in rows}

    async def keys(self, period: str, number: int) -> list[bytes]:
        found: Any = await self.arena.redis.keys(f"sb:*:arena:{period}:{number}")
        return sorted(found)


def at(ms: int) -> str:
    return moment_of(ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@asynccontextmanager
async def opened(
    settings: Settings, redis: Redis, pool: asyncpg.Pool, database: asyncpg.Connection, **rules: Any
) -> AsyncIterator[Season]:
    async with opened_arena(settings, redis, pool) as arena:
        text = BoardSettings.from_text(json.dumps(rules)).to_text()
        await database.execute(
            "INSERT INTO board (board, partition, settings, version) VALUES ('arena', $1, $2, 1)",
            arena.keys.partition,
            text,
        )
        await listen(database, "occurrence.closed")
        closes = closer(pool, arena.durable)
        yield Season(arena, closes, ArchivedBoards(pool), database)


@pytest.fixture
async def season(
    settings: Settings, redis: Redis, pool: asyncpg.Pool, database: asyncpg.Connection
) -> AsyncIterator[Season]:
    async with opened(settings, redis, pool, database, periods=[BLITZ, DAY]) as found:
        yield found


async def test_what_has_ended_is_followed_by_the_next_though_nobody_posts(season: Season) -> None:
    await season.arena.submit(("ann", "a1", 5))
    await season.arena.persist()
    number = await season.over("blitz")
    await season.closer.turn_all(await season.now())

    assert int((await season.known("blitz"))[0]) == number + 1
    await season.arena.persist()
    following = await season.occurrence("blitz", number + 1)
    assert following is not None
    assert following.state == "open"
    assert (await season.known("day"))[0] == "1", "which has not ended"


async def test_an_occurrence_that_is_over_is_final_once_with_its_ranks_and_its_event(
    season: Season,
) -> None:
    await season.arena.submit(("ann", "a1", 5), ("bob", "b1", 7))
    await season.arena.persist()
    number = await season.over("blitz")
    assert len(await season.keys("blitz", number)) == 2
    for _ in range(2):
        await season.closer.finish_all(await season.now())

    kept = await season.occurrence("blitz", number)
    assert kept is not None
    assert (kept.state, kept.users) == ("final", 2)
    assert await season.ranks("blitz", number) == {"bob": 1, "ann": 2}
    assert await season.outsiders() == [
        {
            "kind": "occurrence.closed",
            "board": "arena",
            "period": "blitz",
            "occurrence": number,
            "users": 2,
            "startsAt": at(kept.starts_at),
            "endsAt": at(kept.ends_at),
            "topScores": [
                {"userId": "bob", "score": 7, "rank": 1},
                {"userId": "ann", "score": 5, "rank": 2},
            ],
            "standings": f"/api/boards/arena/standings?period=blitz&occurrence={number}",
        }
    ]
    assert await season.keys("blitz", number) == []
    assert int((await season.known("blitz"))[0]) > number, "the next one was opened first"


async def test_what_was_not_persisted_yet_counts_in_the_final_ranks(season: Season) -> None:
    await season.arena.submit(("ann", "a1", 5))
    await season.arena.persist()
    await season.arena.submit(("bob", "b1", 7))
    number = await season.over("blitz")
    await season.closer.finish_all(await season.now())
    assert await season.ranks("blitz", number) == {"bob": 1, "ann": 2}


async def test_nothing_is_final_while_latecomers_count_whatever_another_clock_says(
    season: Season,
) -> None:
    await season.arena.submit(("ann", "a1", 5))
    await season.arena.persist()
    number = await season.over("blitz", final_in=3_600_000)
    for ahead in (0, 7_200_000):
        await season.closer.turn_all(await season.now() + ahead)
        await season.closer.finish_all(await season.now() + ahead)
        kept = await season.occurrence("blitz", number)
        assert kept is not None
        assert kept.state == "open"
        assert await season.outsiders() == []


async def test_a_board_that_redis_does_not_have_is_closed_by_what_postgres_has(
    season: Season,
) -> None:
    await season.arena.submit(("ann", "a1", 5), ("bob", "b1", 7))
    await season.arena.persist()
    number = await season.over("blitz")
    await season.arena.redis.flushall()
    await season.closer.turn_all(await season.now())
    await season.closer.finish_all(await season.now())

    assert await season.ranks("blitz", number) == {"bob": 1, "ann": 2}
    assert await season.arena.redis.keys("sb:*meta:arena") == []


async def test_a_board_that_is_not_live_is_made_so_before_anything_of_it_ends(
    season: Season,
) -> None:
    await season.arena.submit(("ann", "a1", 5))
    await season.arena.persist()
    await season.arena.submit(("bob", "b1", 7))
    number = await season.over("blitz")
    await season.arena.lose_epoch()
    await season.closer.finish_all(await season.now())

    assert await season.ranks("blitz", number) == {"bob": 1, "ann": 2}
    assert int((await season.known("blitz"))[0]) == number + 1


async def test_a_period_that_the_board_no_longer_has_ends_without_a_next_one(
    season: Season, pool: asyncpg.Pool
) -> None:
    await season.arena.submit(("ann", "a1", 5))
    await season.arena.persist()
    await season.database.execute("UPDATE board SET settings = '{}' WHERE board = 'arena'")
    assert (await StoredSettings(pool).get("arena")).periods == ()
    number = await season.over("blitz")
    await season.closer.turn_all(await season.now())
    await season.closer.finish_all(await season.now())

    kept = await season.occurrence("blitz", number)
    assert kept is not None
    assert kept.state == "final"
    assert int((await season.known("blitz"))[0]) == number


async def test_only_as_many_final_occurrences_are_kept_as_the_period_says(
    settings: Settings, redis: Redis, pool: asyncpg.Pool, database: asyncpg.Connection
) -> None:
    async with opened(settings, redis, pool, database, periods=[{**BLITZ, "keep": 1}]) as season:
        numbers = []
        for name in ("a1", "a2", "a3"):
            await season.arena.submit(("ann", name, 5))
            await season.arena.persist()
            numbers.append(await season.over("blitz"))
            await season.closer.finish_all(await season.now())
        kept = [await season.occurrence("blitz", number) for number in numbers]
    assert [one and one.pruned for one in kept] == [True, True, False]


STEPS = [
    ("_boards", "turn"),
    ("_boards", "seal"),
    ("_rebuilder", "drain"),
    ("_record", "rank_ahead"),
    ("_boards", "let_expire"),
    ("_boards", "forget"),
    ("_record", "prune"),
]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("part", "step"), STEPS, ids=lambda value: value.strip("_"))
async def test_whoever_fails_at_a_step_another_finishes_once(
    settings: Settings,
    redis: Redis,
    pool: asyncpg.Pool,
    database: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    part: str,
    step: str,
    when: str,
) -> None:
    async with (
        opened(settings, redis, pool, database, periods=[{**BLITZ, "keep": 5}]) as season,
        listening(redis, season.arena.keys.channel + ":blitz") as channel,
    ):
        await season.arena.submit(("ann", "a1", 5), ("bob", "b1", 7))
        await season.arena.persist()
        number = await season.over("blitz")
        broken = closer(pool, season.arena.durable)
        if step == "rank_ahead":
            monkeypatch.setattr(closer_module, "LARGE", 1)
        at = getattr(broken, part)
        real: Callable[..., Awaitable[Any]] = getattr(at, step)

        async def fails(*args: Any) -> None:
            if when == "after":
                await real(*args)
            raise asyncio.CancelledError  # as in a process that ends here

        monkeypatch.setattr(at, step, fails)
        with pytest.raises(asyncio.CancelledError):
            await broken.finish_all(await season.now())
        monkeypatch.undo()

        await season.closer.finish_all(await season.now())
        assert await season.ranks("blitz", number) == {"bob": 1, "ann": 2}
        assert [one["occurrence"] for one in await season.outsiders()] == [number]
        told = [json.loads(text) for text in await channel.told()]
        assert [one["occurrence"] for one in told if one["type"] == "closed"] == [number]


async def test_a_decision_after_a_large_table_was_ranked_counts_when_it_is_made_final(
    settings: Settings,
    redis: Redis,
    pool: asyncpg.Pool,
    season: Season,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(closer_module, "LARGE", 2)
    await season.arena.submit(("ann", "a1", 5), ("bob", "b1", 7), ("cat", "c1", 3))
    await season.arena.persist()
    number = await season.over("blitz")
    decides = moderator(settings, redis, pool, season.arena.durable)
    rank_ahead, ranked = season.closer._record.rank_ahead, list[dict[str, int | None]]()

    async def and_decide(table: str) -> None:
        await rank_ahead(table)
        ranked.append(await season.ranks("blitz", number))
        # Whoever decides takes the partition's lock, so it is free.
        await decides.set_hidden("arena", "bob", hidden=True, by="eve", reason="a bot")

    monkeypatch.setattr(season.closer._record, "rank_ahead", and_decide)
    await season.closer.finish_all(await season.now())
    assert ranked == [{"bob": 1, "ann": 2, "cat": 3}]
    kept = await season.occurrence("blitz", number)
    assert kept is not None
    assert (kept.state, kept.users, kept.amended) == ("final", 2, False)
    assert await season.ranks("blitz", number) == {"ann": 1, "cat": 2, "bob": None}


async def test_what_redis_holds_of_a_final_occurrence_goes_though_its_closer_died(
    settings: Settings, redis: Redis, season: Season, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of boards that never leave Redis, whose keys do not expire."""
    await season.arena.submit(("ann", "a1", 5))
    await season.arena.persist()
    number = await season.over("blitz")
    keys = await season.keys("blitz", number)
    assert len(keys) == 2
    for key in keys:
        await redis.persist(key)

    async def dies(table: str) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(season.closer._boards, "forget", dies)
    with pytest.raises(asyncio.CancelledError):
        await season.closer.finish_all(await season.now())
    assert await season.ranks("blitz", number) == {"ann": 1}
    assert await season.keys("blitz", number) == keys
    for key in keys:
        assert 0 < await redis.pttl(key) <= LEFT_FOR_MS


async def test_several_at_work_close_each_occurrence_once(
    settings: Settings, redis: Redis, pool: asyncpg.Pool, season: Season
) -> None:
    await season.arena.submit(("ann", "a1", 5))
    await season.arena.persist()
    number = await season.over("blitz")
    several = [closer(pool, season.arena.durable) for _ in range(3)]
    now = await season.now()
    await asyncio.gather(*(one.turn_all(now) for one in several))
    await asyncio.gather(*(one.finish_all(now) for one in several))
    assert [one["occurrence"] for one in await season.outsiders()] == [number]
    assert int((await season.known("blitz"))[0]) == number + 1


async def test_one_that_fails_does_not_keep_the_others_waiting(
    season: Season, monkeypatch: pytest.MonkeyPatch
) -> None:
    await season.arena.submit(("ann", "a1", 5))
    await season.arena.persist()
    number = await season.over("blitz")
    real = season.closer._settings.get

    async def fails_once(board: str) -> BoardSettings:
        monkeypatch.undo()
        raise Unavailable("away")

    monkeypatch.setattr(season.closer._settings, "get", fails_once)
    await season.closer.turn_all(await season.now())
    assert int((await season.known("blitz"))[0]) == number
    assert season.closer._settings.get == real
    await season.closer.turn_all(await season.now())
    assert int((await season.known("blitz"))[0]) == number + 1


async def test_a_partition_that_can_not_be_had_keeps_no_other_waiting(
    season: Season, monkeypatch: pytest.MonkeyPatch
) -> None:
    await season.arena.submit(("ann", "a1", 5))
    await season.arena.persist()
    number = await season.over("blitz")
    keyspace = season.arena.durable.keyspace
    mine = season.arena.keys.partition
    names = [f"board{at}" for at in range(50)]
    before, behind = sorted(
        ("arena", next(name for name in names if keyspace.partition_of(name) != mine)),
        key=keyspace.partition_of,
    )
    other = ({before, behind} - {"arena"}).pop()
    await season.database.execute(
        "INSERT INTO board (board, partition, settings, version)"
        " SELECT $1, $2, settings, 1 FROM board",
        *(other, keyspace.partition_of(other)),
    )
    await season.database.execute(
        "INSERT INTO period_occurrence (board, period, occurrence, starts_at, ends_at, final_at)"
        " SELECT $1, period, occurrence, starts_at, ends_at, final_at FROM period_occurrence"
        " WHERE period = 'blitz'",
        other,
    )
    rebuilder = season.arena.durable.rebuilder
    drain = rebuilder.drain

    async def away(partition: int, session: Any) -> None:
        if partition == keyspace.partition_of(before):
            raise Unavailable("Redis can't be reached.")
        await drain(partition, session)

    monkeypatch.setattr(rebuilder, "drain", away)
    await season.closer.finish_all(await season.now())
    states = "SELECT board, state FROM period_occurrence WHERE (period, occurrence) = ('blitz', $1)"
    assert dict(await season.database.fetch(states, number)) == {before: "open", behind: "final"}
    monkeypatch.undo()
    await season.closer.finish_all(await season.now())
    assert dict(await season.database.fetch(states, number)) == {before: "final", behind: "final"}


async def test_however_many_have_to_wait_the_others_are_ended(
    season: Season, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closer_module, "MOST", 1)
    await season.arena.submit(("ann", "a1", 5))
    await season.arena.persist()
    waits, number = await season.over("blitz", final_in=3_600_000), await season.over("day")
    await season.database.execute(
        "UPDATE board SET settings = $1 WHERE board = 'arena'",
        BoardSettings.from_text(json.dumps({"periods": [DAY]})).to_text(),
    )
    for _ in range(2):
        await season.closer.turn_all(await season.now())
        await season.closer.finish_all(await season.now())
    found = [await season.occurrence("blitz", waits), await season.occurrence("day", number)]
    assert [one and one.state for one in found] == ["open", "final"]
    assert int((await season.known("day"))[0]) == number + 1
