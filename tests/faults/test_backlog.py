"""Postgres away until the backlog is full, and Redis out of memory: refused, never half-done."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from aiohttp import ClientSession

from scripts.chaos.actions import Action, Book
from scripts.chaos.audit import audit
from scripts.chaos.run import drained
from scripts.chaos.stack import VALKEY, Stack
from scripts.load import requests
from tests.faults.conftest import StartStack
from tests.support.extent import further
from tests.support.waiting import wait_until

LIMIT = 1_000  # events a partition may hold


class Poster:
    """Posts batches on one board and keeps account of them."""

    def __init__(self, stack: Stack, http: ClientSession) -> None:
        self._url = f"{stack.urls[0]}/api/boards/arena/scores"
        self._headers = {**stack.headers, "Content-Type": "application/json"}
        self._http = http
        self.book = Book(0)
        self.answers: Counter[str] = Counter()
        self.last: dict[str, Any] = {}

    async def begin(self) -> None:
        """Posts until the board is open and has taken a batch."""

        async def accepted() -> bool:
            return await self.post() == "200"

        await wait_until(accepted, description="the first batch counts")

    async def post(self, size: int = 100, *, padding: str = "") -> str:
        """The outcome of a batch of new actions; they are in the book when they count."""
        number = len(self.book.actions) + sum(self.answers.values()) * 1000
        batch = [Action("arena", f"user{n % 50}", f"{number + n}{padding}", 1) for n in range(size)]
        body = requests.batch([action.body for action in batch])
        async with self._http.post(self._url, data=body, headers=self._headers) as response:
            self.last = await response.json()
            outcome = f"{response.status} {self.last.get('code', '')}".strip()
            if outcome == "200":
                assert {item["status"] for item in self.last["results"]} == {200}
                for action in batch:
                    action.level = "redis"
            else:
                assert response.headers["Retry-After"]
                for action in batch:
                    action.given_up = True  # nothing may have been written
        self.book.actions += batch
        self.answers[outcome] += 1
        return outcome


async def test_a_full_backlog_refuses_and_drains_by_itself_when_postgres_is_back(
    start_stack: StartStack, http: ClientSession
) -> None:
    stack = await start_stack(
        servers=1, persisters=1, settings={"BACKLOG_LIMIT": str(LIMIT), "DATABASE_TIMEOUT": "0.5"}
    )
    poster = Poster(stack, http)
    await poster.begin()
    await asyncio.to_thread(stack.postgres.stop)
    for _ in range(30):
        await poster.post()

    assert set(poster.answers) == {"200", "503 unavailable"}
    assert poster.answers["503 unavailable"] > 10
    assert "backlog" in poster.last["detail"]
    told = await wait_until(lambda: _redis(stack, http), description="Redis answers in time")
    assert told["backlog"] <= LIMIT + 100

    await asyncio.to_thread(stack.postgres.start)
    await drained(stack)
    await wait_until(lambda: _is_ready(stack, http), description="ready, nothing left")
    assert await poster.post() == "200"
    await drained(stack)
    await audit(stack, poster.book, ())
    assert poster.book.violations == []


@further
async def test_a_full_redis_refuses_and_goes_on_once_it_has_room(
    start_stack: StartStack, http: ClientSession
) -> None:
    stack = await start_stack(
        servers=1, persisters=1, valkey={**VALKEY, "maxmemory-policy": "noeviction"}
    )
    poster = Poster(stack, http)
    await poster.begin()
    async with stack.redis() as redis:
        used = (await redis.info("memory"))["used_memory"]
        await redis.config_set("maxmemory", used + 2_000_000)
        padding = "x" * 100

        async def refused() -> bool:
            return await poster.post(500, padding=padding) == "503 unavailable"

        await wait_until(refused, description="Redis is full")
        assert set(poster.answers) == {"200", "503 unavailable"}
        await redis.config_set("maxmemory", 0)

    assert await poster.post() == "200"
    await drained(stack)
    await audit(stack, poster.book, ())
    assert poster.book.violations == []
    async with stack.redis() as redis:
        assert (await redis.info("stats"))["evicted_keys"] == 0


async def _redis(stack: Stack, http: ClientSession) -> dict[str, Any]:
    """What the service tells of it; empty while it does not know."""
    async with http.get(f"{stack.urls[0]}/readyz") as response:
        part: dict[str, Any] = (await response.json())["parts"]["redis"]
        return part if part["up"] else {}


async def _is_ready(stack: Stack, http: ClientSession) -> bool:
    async with http.get(f"{stack.urls[0]}/readyz") as response:
        return response.status == 200 and (await response.json())["parts"]["postgres"]["up"]
