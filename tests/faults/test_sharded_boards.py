"""A board over eight partitions of three masters, one of which is killed meanwhile, and a board on
one partition with the same actions: in the end all reads of both agree."""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType

from scoreboard.assembly.operator import operator
from scoreboard.domain.audit import Difference
from scoreboard.domain.shards import shard_names
from scoreboard.settings import Settings
from scripts.load.clusters import RedisCluster
from tests.faults.test_cluster import of_board, served
from tests.support.extent import further
from tests.support.waiting import wait_until
from tests.support.whole_service import Service

SHARDS = 8
WHOLE, SPREAD = BOARDS = ("whole", "spread")
ACTIONS = 200_000 if os.environ.get("EVERY_FAULT") else 4_000
USERS = ACTIONS // 20
BATCH = 500
AT_ONCE = 4  # batches
YEARS = {"name": "years", "every": "P3000D", "start": "2020-01-01T00:00:00Z"}


@pytest.fixture
async def three_masters(tmp_path: Path) -> AsyncIterator[RedisCluster]:
    cluster = RedisCluster(tmp_path, replicas=1)
    try:
        await cluster.start()
        yield cluster
    finally:
        cluster.stop()


def batches(seed: int) -> list[list[dict[str, Any]]]:
    """A first action of each user, so that no two totals are equal, and random ones."""
    dice = random.Random(seed)
    actions = [(f"user-{n}", n) for n in range(USERS)]
    dice.shuffle(actions)
    while len(actions) < ACTIONS:
        actions.append((f"user-{dice.randrange(USERS)}", USERS * dice.randrange(-9, 10)))
    numbered = [
        {"userId": user, "actionId": f"a{number}", "points": points}
        for number, (user, points) in enumerate(actions)
    ]
    return [numbered[start : start + BATCH] for start in range(0, ACTIONS, BATCH)]


class Client:
    """Posts to a board, reads it, and watches it."""

    def __init__(self, running: Service, http: ClientSession, board: str) -> None:
        self._bearer = {"Authorization": f"Bearer {running.token()}"}
        self._board = f"{running.url}/api/boards/{board}"
        self._http = http
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def post(self, batch: list[dict[str, Any]], durability: str = "redis") -> None:
        """Until all of them count, as durably as that."""
        headers = self._bearer | {"Prefer": f"durability={durability}"}
        async with self._turn:
            while True:
                async with self._http.post(
                    f"{self._board}/scores", json={"actions": batch}, headers=headers
                ) as answer:
                    if answer.status == 200:
                        results = (await answer.json())["results"]
                        assert {one["status"] for one in results} <= {200, 202, 409}, results
                        if "Preference-Applied" in answer.headers:
                            return
                    else:
                        assert answer.status == 503, await answer.text()
                await asyncio.sleep(0.05)

    async def read(self, call: str, of: str = "") -> Any:
        """An answer of the board; ``of`` which table, as in ``period=years``."""
        call += f"{'&' if '?' in call else '?'}{of}" if of else ""
        async with self._http.get(f"{self._board}/{call}") as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def lookup(self, users: list[str], of: str) -> Any:
        path = f"{self._board}/users:lookup?{of}"
        async with self._http.post(path, json={"userIds": users}) as found:
            assert found.status == 200, await found.text()
            return await found.json()

    async def standings(self, of: str) -> list[Any]:
        """The whole table, page by page."""
        found: list[Any] = []
        after = ""
        while True:
            page = await self.read(f"standings?limit=1000{after}", of)
            found += page["standings"]
            if page["next"] is None:
                return found
            after = f"&after={page['next']}"


async def versions(ws: ClientWebSocketResponse, seen: list[int]) -> None:
    """Notes the versions of all tops that a client is sent."""
    async for message in ws:
        assert message.type is WSMsgType.TEXT
        told = json.loads(message.data)
        if told["type"] != "heartbeat":
            seen.append(told["version"])


@further
@pytest.mark.timeout(1200)
async def test_a_board_over_three_masters_ends_as_one_on_a_single_master(
    three_masters: RedisCluster, settings: Settings, http: ClientSession
) -> None:
    cluster = three_masters
    async with served(cluster, settings) as running:
        admin = {"Authorization": f"Bearer {running.token('admin')}"}
        for board, shards in ((WHOLE, 1), (SPREAD, SHARDS)):
            path = f"{running.url}/api/admin/boards/{board}"
            rules = {"shards": shards, "periods": [YEARS]}
            async with http.put(path, json=rules, headers=admin) as answer:
                assert answer.status == 200, await answer.text()
        keys = [of_board(running, shard) for shard in shard_names(SPREAD, SHARDS)]
        masters = {id(await cluster.owner(key)) for key in keys}
        assert len(masters) == 3

        clients = [Client(running, http, board) for board in BOARDS]
        seen: list[int] = []
        async with http.ws_connect(f"{running.url}/ws/boards/{SPREAD}") as ws:
            watching = asyncio.create_task(versions(ws, seen))
            some = batches(2026)
            for client in clients:
                half = len(some) // 2
                await asyncio.gather(*map(client.post, some[:half]))
            victim = await cluster.owner(keys[3])
            replica = await cluster.replica_of(victim)
            later = [
                asyncio.create_task(one.post(batch, "postgres"))  # with what a replica may lack
                for one in clients
                for batch in some
            ]
            victim.kill()
            await cluster.promoted(replica)
            await asyncio.gather(*later)
            for of in ("", "period=years"):
                await agree(clients[0], clients[1], of)
                top = (await clients[0].read("top", of))["topScores"]
                assert top == (await clients[1].read("top", of))["topScores"]
            watching.cancel()
        assert seen == sorted(set(seen))
        assert len(seen) > 1
        await verified(running.settings)


@further
@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", [True, False])
async def test_no_more_get_in_than_there_is_room_though_a_master_dies(
    three_masters: RedisCluster, settings: Settings, http: ClientSession, *, first: bool
) -> None:
    """The first shard's master, which has dealt the room out, or another's, which has had some."""
    cluster, room, crowd = three_masters, 150, [f"user-{n}" for n in range(400)]
    async with served(cluster, settings) as running:
        admin = {"Authorization": f"Bearer {running.token('admin')}"}
        path = f"{running.url}/api/admin/boards/{SPREAD}"
        rules = {"shards": SHARDS, "capacity": room}
        async with http.put(path, json=rules, headers=admin) as answer:
            assert answer.status == 200, await answer.text()
        shards = shard_names(SPREAD, SHARDS)
        owners = [await cluster.owner(of_board(running, shard)) for shard in shards]
        victim = next(one for one in owners if (one is owners[0]) is first)
        replica = await cluster.replica_of(victim)
        bearer = {"Authorization": f"Bearer {running.token()}", "Prefer": "durability=postgres"}
        turn, told = asyncio.Semaphore(16), dict[str, str]()

        async def come(user: str) -> None:
            """Until the user is in for good, or is told that there is no room."""
            action = {"userId": user, "actionId": "a", "points": 1}
            async with turn:
                while user not in told:
                    url = f"{running.url}/api/boards/{SPREAD}/score"
                    async with http.post(url, json=action, headers=bearer) as answer:
                        body = await answer.json()
                        if answer.status == 200 or body.get("code") == "duplicate_action":
                            told[user] = "in"
                        elif body.get("code") == "board_full":
                            told[user] = "full"
                        else:
                            assert answer.status in (202, 503), body
                            await asyncio.sleep(0.05)

        await asyncio.gather(*map(come, crowd[:80]))
        coming = [asyncio.create_task(come(user)) for user in crowd[80:]]
        victim.kill()
        await cluster.promoted(replica)
        await asyncio.gather(*coming)
        inside = [user for user in crowd if told[user] == "in"]
        assert len(inside) == room
        client = Client(running, http, SPREAD)

        async def all_there() -> bool:
            return {one["userId"] for one in await client.standings("")} == set(inside)

        await wait_until(all_there, description="all who are in are shown")


async def agree(whole: Client, spread: Client, of: str) -> None:
    """Holds all reads of both against each other, once the last shard is live again."""

    async def complete() -> bool:
        return len(await spread.standings(of)) == len(await whole.standings(of)) == USERS

    await wait_until(complete, description="all users are on both boards")
    standings = await whole.standings(of)
    assert standings == await spread.standings(of)
    for one in standings[:: USERS // 20]:
        user = one["userId"]
        for call in (
            f"users/{user}",
            f"users/{user}/around?radius=7",
            f"rank?score={one['score']}",
        ):
            assert await whole.read(call, of) == await spread.read(call, of)
        page = await spread.read(f"standings?rank={one['rank']}&limit=1", of)
        assert page["standings"] == [one]
    listed = [one["userId"] for one in standings[:: max(1, USERS // 400)]]
    assert await whole.lookup(listed, of) == await spread.lookup(listed, of)


async def verified(settings: Settings) -> None:
    found: list[Difference] = []
    users = 0
    async with operator(settings) as tools:
        for name in await tools.boards(SPREAD):
            users += (await tools.verifier.verify(name, found.append, lambda _: None)).users
    assert (found, users) == ([], USERS)
