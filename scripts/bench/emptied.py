"""How a service with many boards comes back when Redis was emptied.

    python -m scripts.bench.emptied [--boards 34905] [--readers 32]

Starts a Valkey, a Postgres, a persister and a service of its own, writes boards of a few users into
the ledger and, under a writer on the default board, empties Redis. Readers then ask for every
board, in any order, until each has answered. A call that takes longer than CALL_TIMEOUT counts as
one without an answer.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import asyncpg
import typer
import uvloop
from aiohttp import ClientSession, ClientTimeout
from redis.asyncio import Redis

from scoreboard.api import tokens
from scoreboard.local.child_processes import Child, stop_together
from scoreboard.local.embedded_servers import free_port
from scoreboard.wire.keys import Keyspace
from scripts.bench.figures import Bound, JsonFile, report
from scripts.load import servers

USERS = 3  # on each board
PARTITIONS = 8
CALL_TIMEOUT = 30.0
REFUSED_PAUSE = 0.1  # seconds until a reader who was refused asks again
POST_PAUSE = 0.05


@dataclass
class Calls:
    """What callers of one kind saw: answers by status (0: none), and the slowest one's seconds."""

    statuses: Counter[int] = field(default_factory=Counter)
    slowest: float = 0.0


class Service:
    """The service under test, and who calls it."""

    def __init__(self, http: ClientSession, url: str, token: str) -> None:
        self._http = http
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"}
        self.reads, self.posts = Calls(), Calls()
        self.posted: list[tuple[float, float]] = []  # begin and end of each that counted

    async def read(self, board: str) -> bool:
        return await self._call(self.reads, "GET", f"/api/boards/{board}/top") == 200

    async def keep_posting(self) -> None:
        """Posts to the default board, one action after another, until cancelled."""
        number = 0
        while True:
            number += 1
            action = {"userId": "ann", "actionId": f"a{number}", "points": 1}
            begun = time.monotonic()
            if await self._call(self.posts, "POST", "/api/score", json=action) == 200:
                self.posted.append((begun, time.monotonic()))
            await asyncio.sleep(POST_PAUSE)

    async def is_ready(self) -> bool:
        return await self._call(Calls(), "GET", "/readyz") == 200

    async def _call(self, calls: Calls, method: str, path: str, **body: object) -> int:
        begun = time.monotonic()
        try:
            async with self._http.request(
                method,
                self._url + path,
                headers=self._headers,
                **body,  # type: ignore[arg-type]
            ) as response:
                await response.read()
                status = response.status
        except (OSError, TimeoutError):
            status = 0
        calls.slowest = max(calls.slowest, time.monotonic() - begun)
        calls.statuses[status] += 1
        return status


async def fill(database_url: str, boards: Sequence[str]) -> None:
    """Writes the boards into the ledger, as a persister would have long ago."""
    keyspace = Keyspace(PARTITIONS)
    now_ms = round(time.time() * 1000) - 86_400_000
    reached = datetime.fromtimestamp(now_ms / 1000, UTC)
    database = await asyncpg.connect(database_url)
    await database.copy_records_to_table(
        "board",
        columns=["board", "partition", "version", "event_ms"],
        records=[(board, keyspace.partition_of(board), 1, now_ms) for board in boards],
    )
    await database.copy_records_to_table(
        "user_score",
        columns=["board", "user_id", "score", "reached_at", "last_event_ms", "last_event_seq"],
        records=[(board, f"u{n}", n, reached, now_ms, 0) for board in boards for n in range(USERS)],
    )
    await database.execute("VACUUM ANALYZE")
    await database.close()


async def asked(service: Service, boards: Sequence[str], readers: int, until: float) -> list[str]:
    """Asks for every board until it answers; those that have not answered by then."""
    waiting = list(boards)

    async def ask() -> None:
        while waiting and time.monotonic() < until:
            board = waiting.pop()
            try:
                if await service.read(board):
                    continue
            except asyncio.CancelledError:
                waiting.append(board)
                raise
            waiting.insert(0, board)
            await asyncio.sleep(REFUSED_PAUSE)

    await asyncio.gather(*(ask() for _ in range(readers)))
    return waiting


async def live(redis: Redis, boards: Sequence[str]) -> int:
    """How many of the boards are live; Postgres answers for the others."""
    keyspace = Keyspace(PARTITIONS)
    async with redis.pipeline(transaction=False) as looks:
        for board in boards:
            looks.exists(keyspace.board(board).meta)
        return sum(await looks.execute())


async def measure(
    service: Service, redis: Redis, boards: list[str], readers: int, most: float
) -> dict[str, float]:
    while not await service.is_ready():  # noqa: ASYNC110 (another process says)
        await asyncio.sleep(REFUSED_PAUSE)
    random.Random(1).shuffle(boards)
    posting = asyncio.create_task(service.keep_posting())
    while len(service.posted) < 10:  # noqa: ASYNC110
        await asyncio.sleep(POST_PAUSE)
    await redis.flushall()
    emptied = time.monotonic()
    silent = await asked(service, boards, readers, emptied + most)
    answered = time.monotonic() - emptied
    posting.cancel()
    back = next((at - emptied for begun, at in service.posted if begun > emptied), most)
    return {
        "boards": len(boards),
        "seconds until every board answered": answered,
        "boards that never did": len(silent),
        "boards that were live by then": await live(redis, boards),
        "seconds until a new post counted": back,
        **_told("reads", service.reads),
        **_told("posts", service.posts),
    }


def _told(name: str, calls: Calls) -> dict[str, float]:
    refused = calls.statuses[503]
    return {
        name: calls.statuses.total(),
        f"{name} refused for now (503)": refused,
        f"{name} without an answer or failed": calls.statuses.total()
        - refused
        - calls.statuses[200],
        f"slowest of the {name}, s": calls.slowest,
    }


@contextmanager
def running(environment: dict[str, str]) -> Iterator[None]:
    """A persister and a service."""
    with servers.temporary_folder() as folder:
        children = [
            Child(
                role,
                [sys.executable, "-m", "scoreboard", role],
                log=folder / f"{role}.log",
                environment=environment,
            )
            for role in ("persist", "serve")
        ]
        try:
            for child in children:
                child.start()
            yield
        finally:
            stop_together(children)


async def _measure(
    redis_url: str, url: str, token: str, boards: list[str], readers: int, most: float
) -> dict[str, float]:
    async with (
        ClientSession(timeout=ClientTimeout(total=CALL_TIMEOUT)) as http,
        Redis.from_url(redis_url) as redis,
    ):
        return await measure(Service(http, url, token), redis, boards, readers, most)


def main(
    boards: int = 34_905,
    readers: int = 32,
    most: float = 900.0,
    json: JsonFile = None,
) -> None:
    """Measure how boards come back after Redis was emptied. It ends after ``most`` seconds."""
    names = [f"b{number:06d}" for number in range(boards)]
    with servers.databases() as (valkey, postgres):
        keys = tokens.local_keys(secrets.token_hex(32))
        port = free_port()
        environment = servers.environment(
            valkey.url, postgres.url, keys, PORT=str(port), PARTITIONS=str(PARTITIONS)
        )
        servers.migrate(environment)
        uvloop.run(fill(postgres.url, names))
        token = tokens.mint(keys, "HS256", subject="bench", scope="score:write", ttl=86_400)
        url = f"http://127.0.0.1:{port}"
        with running(environment):
            figures = uvloop.run(_measure(valkey.url, url, token, names, readers, most))
    nothing = Bound(0)
    report(
        figures,
        json,
        targets={
            "boards that never did": nothing,
            "reads without an answer or failed": nothing,
            "posts without an answer or failed": nothing,
            "slowest of the reads, s": Bound(5),
            "slowest of the posts, s": Bound(5),
        },
    )


if __name__ == "__main__":
    typer.run(main)
