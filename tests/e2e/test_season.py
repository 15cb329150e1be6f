"""A whole season of real score actions, whose final leaderboard is publicly known, through every
part of the service."""

from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiohttp import ClientSession, WSMsgType
from redis.asyncio import Redis

from scoreboard.domain.stamps import total_of
from scoreboard.pg.histories import Histories
from scoreboard.pg.pool import open_pool
from scoreboard.settings import Settings
from scoreboard.wire.keys import Keyspace
from tests.support.command import Ended, scoreboard
from tests.support.extent import further
from tests.support.waiting import wait_until
from tests.support.whole_service import Service, service

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
SEASON = DATA / "nba_2016_17.csv.gz"
ACTIONS = "139,944"
BOARD = "nba-2016"
MOST_ACTIONS = 10_000  # of a user, which is more than anybody has
TOP_10 = {
    "westbru01": 2558,
    "hardeja01": 2356,
    "thomais02": 2199,
    "davisan02": 2099,
    "townska01": 2061,
    "lillada01": 2024,
    "derozde01": 2020,
    "curryst01": 1999,
    "jamesle01": 1954,
    "couside01": 1942,
}


@pytest.fixture
async def running(settings: Settings) -> AsyncIterator[Service]:
    if not SEASON.exists():
        pytest.skip(f"the season's actions are not at {SEASON}")
    async with service(settings) as started, started.persisting():
        yield started


async def replay(running: Service) -> Ended:
    return await scoreboard(
        *("replay", str(SEASON), "--board", BOARD, "--batch", "1000"),
        SCOREBOARD_URL=running.url,
        SCOREBOARD_TOKEN=running.token(),
    )


async def watch(session: ClientSession, running: Service, seen: list[dict[str, Any]]) -> None:
    """Collects what a client of the board is told, until it is cancelled."""
    async with session.ws_connect(f"{running.url}/ws/boards/{BOARD}") as ws:
        async for message in ws:
            assert message.type is WSMsgType.TEXT, message
            seen.append(json.loads(message.data))


def scores(entries: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(entry["userId"], entry["score"]) for entry in entries]


@further
async def test_a_replayed_season_ends_on_the_official_table_everywhere(
    running: Service, redis: Redis
) -> None:
    with SEASON.with_name("nba_2016_17.official.csv").open(encoding="utf-8", newline="") as file:
        official = {row["user_id"]: int(row["replayed_points"]) for row in csv.DictReader(file)}
    official = {user: points for user, points in official.items() if points}  # five never scored
    await running.make_board(BOARD)  # so that there is something to watch from the start
    seen: list[dict[str, Any]] = []
    keys = Keyspace(running.settings.partitions).board(BOARD)

    async with ClientSession() as session:
        watching = asyncio.create_task(watch(session, running, seen))
        await wait_until(lambda: seen, description="the client has its snapshot")
        first = await replay(running)
        assert (first.code, first.out.split()) == (0, [ACTIONS, "accepted"]), first

        async with session.get(f"{running.url}/api/boards/{BOARD}/top") as response:
            assert scores((await response.json())["topScores"]) == list(TOP_10.items())
        async with session.get(f"{running.url}/api/boards/{BOARD}/users/westbru01") as response:
            leader = await response.json()
            assert (leader["rank"], leader["score"]) == (1, 2558)

        zset: Any = await redis.zrange(keys.board, 0, -1, withscores=True)
        assert {user.decode(): total_of(score) for user, score in zset} == official

        await wait_until(
            lambda: scores(seen[-1].get("topScores", [])) == list(TOP_10.items()),
            description="the client has the final top 10",
        )
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        versions = [message["version"] for message in seen if message["type"] != "heartbeat"]
        assert len(versions) > 100
        assert versions == sorted(set(versions)), "strictly growing"

        await assert_postgres_has(running, official, redis)
        standings = [(user.decode(), total_of(score)) for user, score in reversed(zset)]
        await assert_explained(running, standings)

        second = await replay(running)
        assert (second.code, second.out.split()) == (0, [ACTIONS, "duplicate_action"]), second
        assert await redis.zrange(keys.board, 0, -1, withscores=True) == zset
        assert int(await redis.hget(keys.meta, "version") or 0) == versions[-1]


async def assert_postgres_has(running: Service, totals: dict[str, int], redis: Redis) -> None:
    """The totals, and the sum of each user's actions."""
    events = Keyspace(running.settings.partitions).board(BOARD).events

    async def persisted() -> bool:
        return not await redis.xlen(events)

    await wait_until(persisted, description="everything is in Postgres")
    connection = await asyncpg.connect(running.settings.database_url)
    try:
        for query in (
            "SELECT user_id, score FROM user_score WHERE board = $1",
            "SELECT user_id, sum(points)::bigint FROM score_action WHERE board = $1 GROUP BY 1",
        ):
            rows = await connection.fetch(query, BOARD)
            assert dict(rows) == totals
    finally:
        await connection.close()


async def assert_explained(running: Service, standings: list[tuple[str, int]]) -> None:
    """The explanation of every user of the board, who stand in this order: all actions, which make
    the total and the ledger's, the place, and who is next to it. They are read as the call reads
    them, but without its pages."""
    pool = await open_pool(running.settings.database_url, connections=4, timeout=30)
    histories = Histories(pool, patience=60)
    ids = dict(
        await pool.fetch(
            "SELECT user_id, array_agg(action_id) FROM score_action WHERE board = $1 GROUP BY 1",
            BOARD,
        )
    )
    users = [user for user, _ in standings]
    above, below = [None, *users], [*users[1:], None]
    places = dict(zip(users, zip(count(1), above, below, strict=False), strict=True))

    async def explain(part: list[tuple[str, int]]) -> None:
        for user, total in part:
            found = await histories.explained(BOARD, user, before=None, limit=MOST_ACTIONS)
            assert found is not None, user
            why = found[1]
            assert sum(one.points for one in why.actions) == total, user
            assert (why.score, why.by_ledger, why.hidden) == (total, total, False), user
            assert sorted(one.action_id for one in why.actions) == sorted(ids[user]), user
            assert why.counted == len(why.actions), user
            assert why.own is not None, user
            around = [one and one.user_id for one in (why.above, why.below)]
            assert (why.own.rank, *around) == places[user], user

    try:
        await asyncio.gather(*(explain(standings[start::4]) for start in range(4)))
    finally:
        await pool.close()
