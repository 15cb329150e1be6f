"""A planned failover behind an address whose old connections are kept: the old master, a replica
now, refuses them, until each has been made anew."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable

import msgspec
import pytest
from aiohttp import ClientSession, ClientWebSocketResponse
from redis.asyncio import Redis
from structlog.testing import capture_logs

from scoreboard.local.embedded_servers import Valkey
from scoreboard.settings import Settings
from scoreboard.wire.keys import Keyspace
from scripts.chaos.proxy import Proxy
from tests.support.waiting import PATIENCE, wait_until
from tests.support.whole_service import Service, service

PASSWORD = "only-for-this-test"


class Pair:
    """Two servers, and the address of the one that is master, as a virtual address gives it: what
    is connected stays with the server that it has reached."""

    def __init__(self, old: Valkey, new: Valkey) -> None:
        self.old, self.new = old, new
        self.address = Proxy(old.port)

    @property
    def url(self) -> str:
        return re.sub(r":\d+/", f":{self.address.port}/", self.old.url)

    async def replicate(self) -> None:
        """The new one follows the old one, and has all that it has."""
        async with Redis.from_url(self.new.url) as new:
            await new.execute_command("REPLICAOF", "127.0.0.1", self.old.port)

            async def linked() -> bool:
                return bool((await new.info("replication"))["master_link_status"] == "up")

            await wait_until(linked, description="the replica follows")

    async def exchange_roles(self) -> None:
        """As after a failover in good order: the old master took no writes until the replica had
        all of them."""
        async with Redis.from_url(self.old.url) as old, Redis.from_url(self.new.url) as new:
            await old.execute_command("WAIT", 1, 60_000)
            await new.execute_command("REPLICAOF", "NO", "ONE")
            await old.execute_command("REPLICAOF", "127.0.0.1", self.new.port)


@pytest.fixture
async def pair(start_valkey: Callable[..., Valkey]) -> AsyncIterator[Pair]:
    pair = Pair(*(start_valkey(requirepass=PASSWORD) for _ in range(2)))
    await pair.address.start()
    await pair.replicate()
    yield pair
    await pair.address.stop()


@pytest.fixture
async def running(pair: Pair, settings: Settings) -> AsyncIterator[Service]:
    changed = msgspec.structs.replace(settings, redis_url=pair.url)
    async with service(changed) as running, running.persisting():
        yield running


class Client:
    def __init__(self, http: ClientSession, running: Service) -> None:
        self._http, self._url = http, running.url
        self._headers = {"Authorization": f"Bearer {running.token()}"}

    async def post(self, action: str) -> tuple[int, int | None]:
        """The status and the score, or how long to wait."""
        body = {"userId": "ann", "actionId": action, "points": 1}
        async with self._http.post(
            f"{self._url}/api/score", json=body, headers=self._headers
        ) as response:
            told = await response.json()
            if response.status == 503:
                assert response.headers["Retry-After"]
                assert told["code"] == "unavailable", "nothing was written"
            return response.status, told.get("score")

    async def get(self, path: str) -> tuple[int, dict[str, object]]:
        async with self._http.get(f"{self._url}{path}") as response:
            return response.status, await response.json()

    async def backlog(self) -> int:
        _, told = await self.get("/readyz")
        parts: dict[str, dict[str, int]] = told["parts"]  # type: ignore[assignment]
        return parts["redis"]["backlog"]


async def next_score(ws: ClientWebSocketResponse) -> int:
    """The score in the next message that has a top 10."""
    async with asyncio.timeout(PATIENCE):
        while True:
            told = await ws.receive_json()
            if told.get("topScores"):
                return int(told["topScores"][0]["score"])


async def test_writes_wait_and_reads_go_on_until_the_address_leads_to_the_new_master(
    pair: Pair, running: Service, http: ClientSession
) -> None:
    client = Client(http, running)
    for number in range(1, 31):
        assert await client.post(f"before {number}") == (200, number)

    async def persisted() -> bool:
        return await client.backlog() == 0

    await wait_until(persisted, description="all is persisted")
    assert (await client.get("/readyz"))[0] == 200
    watching = await http.ws_connect(f"{running.url}/ws/leaderboard")
    assert await next_score(watching) == 30

    with capture_logs() as logs:
        await pair.exchange_roles()
        for number in range(40):
            assert (await client.post(f"refused {number}"))[0] == 503
            for path in ("/api/score/top", "/api/boards/global/users/ann"):
                status, told = await client.get(path)
                assert status == 200
                assert '"score": 30' in msgspec.json.format(msgspec.json.encode(told)).decode()
        status, told = await client.get("/readyz")
        assert status == 503
        parts: dict[str, object] = told["parts"]  # type: ignore[assignment]
        assert parts["writes"] == {
            "up": False,
            "detail": "Redis refuses this now: it is a replica.",
        }

        pair.address.upstream = pair.new.port  # for new connections: those that are open stay

        async def taken() -> bool:
            return (await client.post("after 1"))[0] in (200, 409)

        await wait_until(taken, description="writes are taken again")
        assert await client.post("after 2") == (200, 32)
        assert await next_score(watching) >= 31
        await wait_until(persisted, description="the persister went on by itself")
        assert (await client.get("/readyz"))[0] == 200
        await watching.close()

    assert not [
        entry for entry in logs if entry.get("exc_info") or entry["event"] == "request_failed"
    ]
    told_of = [
        e["event"] for e in logs if e["event"] in ("redis_refuses_writes", "redis_takes_writes")
    ]
    assert told_of == ["redis_refuses_writes", "redis_takes_writes"]
    async with Redis.from_url(pair.new.url) as new:
        keys = Keyspace(running.settings.partitions).board(running.settings.default_board)
        total = await new.zscore(keys.board, "ann")
        assert total is not None
        assert int(total) == 32
