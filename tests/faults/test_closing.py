"""Occurrences of a second end one after the other while those who end them are killed: each is told
once, is final once, and its ranks are those of what was counted."""

from __future__ import annotations

import asyncio
import itertools
import json
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from aiohttp import ClientSession
from redis.asyncio import Redis

from scoreboard.domain.periods import Period
from scoreboard.settings import Settings
from scoreboard.wire.keys import Keyspace
from tests.support.command import named, started
from tests.support.extent import WHOLE
from tests.support.outsiders import listen
from tests.support.waiting import PATIENCE, wait_until
from tests.support.whole_service import Service, service

PERSISTERS = 2
OCCURRENCES = 6 if WHOLE else 3
BLITZ = Period("blitz", every="PT2S", start=datetime(2026, 1, 1, tzinfo=UTC))


class Persisters:
    """Processes that persist, and end occurrences; one that is killed is followed by another."""

    def __init__(self, settings: Settings, opened: AsyncExitStack) -> None:
        self._servers = named(settings.redis_url, settings.database_url)
        self._opened = opened
        self._running: list[Process] = []

    async def start(self) -> None:
        while len(self._running) < PERSISTERS:
            process = await self._opened.enter_async_context(started("persist", **self._servers))
            self._running.append(process)

    async def kill_one(self) -> None:
        process = self._running.pop(0)
        process.kill()
        await self.start()


class Game:
    """Posts an action at a time, and counts what each occurrence was told to have got."""

    def __init__(self, running: Service, http: ClientSession) -> None:
        self._url = f"{running.url}/api/boards/arena/score"
        self._headers = {"Authorization": f"Bearer {running.token()}"}
        self._http = http
        self._names = itertools.count()
        self.counted: dict[int, Counter[str]] = {}

    async def play(self) -> None:
        number = next(self._names)
        user, points = f"u{number % 5}", number % 7 + 1
        action = {"userId": user, "actionId": f"a{number}", "points": points}
        while True:  # until it is settled: a board that is being loaded asks for patience
            async with self._http.post(self._url, json=action, headers=self._headers) as answer:
                told = await answer.json()
            if answer.status != 503:
                break
            await asyncio.sleep(0.05)
        assert answer.status == 200, told
        occurrence = told["periods"]["blitz"]["occurrence"]
        self.counted.setdefault(occurrence, Counter())[user] += points


@pytest.fixture
async def running(settings: Settings, redis: Redis) -> AsyncIterator[Service]:
    async with service(settings) as found:
        await found.make_board("arena", periods=(BLITZ,))
        yield found


async def test_each_occurrence_ends_once_whoever_is_killed_meanwhile(
    running: Service, settings: Settings, redis: Redis
) -> None:
    heard = redis.pubsub()
    await heard.subscribe(Keyspace(settings.partitions).board("arena:blitz").channel)
    async with AsyncExitStack() as opened:
        persisters = Persisters(settings, opened)
        await persisters.start()
        http = await opened.enter_async_context(ClientSession())
        database = await asyncpg.connect(settings.database_url)
        await listen(database, "occurrence.closed")
        game, killed_in = Game(running, http), 0
        while len(game.counted) < OCCURRENCES:
            await game.play()
            if len(game.counted) > killed_in:  # in the first moments of each occurrence
                killed_in = len(game.counted)
                await persisters.kill_one()
        last = max(game.counted)

        async def final() -> bool:
            rows = await database.fetch(
                "SELECT occurrence FROM period_occurrence WHERE state = 'final'"
            )
            return {*range(1, last + 1)} <= {row["occurrence"] for row in rows}

        await wait_until(final, description="all occurrences are final", timeout=2 * PATIENCE)

    events = await database.fetch("SELECT body FROM outside_event WHERE kind = 'occurrence.closed'")
    recorded = [json.loads(row["body"])["occurrence"] for row in events]
    told: list[int] = []
    async with asyncio.timeout(PATIENCE):
        while not {*range(1, last + 1)} <= {*told}:
            told += await closings(heard)
    for numbers in (recorded, told):
        assert sorted(number for number in numbers if number <= last) == [*range(1, last + 1)]
    for number, counted in game.counted.items():
        rows = await database.fetch(
            "SELECT user_id, score, rank FROM user_score WHERE board = $1 ORDER BY rank",
            f"arena:blitz:{number}",
        )
        assert {row["user_id"]: row["score"] for row in rows} == counted
        assert [row["rank"] for row in rows] == list(range(1, len(counted) + 1))
        scores = [row["score"] for row in rows]
        assert scores == sorted(scores, reverse=True)
    await heard.aclose()
    await database.close()


async def closings(heard: Any) -> list[int]:
    """The numbers of the occurrences of whose end clients were told, as far as that has come."""
    numbers: list[int] = []
    while message := await heard.get_message(timeout=0.5):
        if message["type"] == "message":
            text = json.loads(message["data"])
            if text["type"] == "closed":
                numbers.append(text["occurrence"])
    return numbers
