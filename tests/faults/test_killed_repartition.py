"""``scoreboard repartition`` killed while it works: whatever it was saying to Redis or Postgres,
the same line finishes it, and no action is lost or counts twice."""

from __future__ import annotations

import contextlib
import os
import random
import signal
from collections import defaultdict

from aiohttp import ClientSession
from msgspec import structs

from scoreboard.assembly.operator import operator
from scoreboard.domain.audit import Difference
from scoreboard.local.embedded_servers import Valkey
from scoreboard.settings import Settings
from scoreboard.wire.keys import EVERY_PARTITIONS_KEY
from tests.support.command import named, watched
from tests.support.every_await import EVERY_FAULT
from tests.support.extent import further
from tests.support.in_between import leading_to
from tests.support.servers import redis_client
from tests.support.whole_service import Service, service

SEED = 12
ROUNDS = 30 if EVERY_FAULT else 2
FEW, MORE = 5, 16  # partitions
BOARDS = {"arena": 1, "world": 5}  # with so many shards
USERS = [f"user-{number}" for number in range(12)]


class Line:
    """``scoreboard repartition``, with all that it says to servers passing through here."""

    def __init__(self, settings: Settings, dice: random.Random) -> None:
        self._settings = settings
        self._dice = dice
        self._process = 0
        self._last = 0  # how much it may say until it is killed; 0: all
        self.said = 0

    async def run(self, partitions: int, *, last: int = 0) -> int:
        """How it ends."""
        self.said, self._last = 0, last
        async with (
            leading_to(self._settings.redis_url, self._heard) as redis_url,
            leading_to(self._settings.database_url, self._heard) as database_url,
        ):
            ended = await watched(
                *("repartition", str(partitions)),
                begun=self._begun,
                variables=named(redis_url, database_url),
            )
        assert ended.code in (0, -signal.SIGKILL), ended
        return ended.code

    def _begun(self, process: int) -> None:
        self._process = process

    def _heard(self) -> bool:
        """Whether the server gets to hear it."""
        self.said += 1
        if self.said != self._last:
            return not self._last or self.said < self._last
        with contextlib.suppress(ProcessLookupError):  # it had said its last, and has ended
            os.kill(self._process, signal.SIGKILL)
        return self._dice.random() < 0.5


class Game:
    """Posts to all boards, and knows what the totals have to be."""

    def __init__(self, http: ClientSession, dice: random.Random) -> None:
        self._http = http
        self._dice = dice
        self._last: dict[str, list[dict[str, object]]] = {}
        self.totals: dict[str, dict[str, int]] = {board: defaultdict(int) for board in BOARDS}

    async def play(self, running: Service) -> None:
        """The latest actions once more, which do not count, and new ones."""
        for board in BOARDS:
            if board in self._last:
                assert await self._post(running, board) == {409}
            self._last[board] = [
                {"userId": user, "actionId": self._dice.randbytes(8).hex(), "points": 1 + number}
                for number, user in enumerate(USERS)
            ]
            assert await self._post(running, board) == {200}
            for number, user in enumerate(USERS):
                self.totals[board][user] += 1 + number

    async def expect(self, running: Service) -> None:
        """All boards are as they have to be."""
        for board, totals in self.totals.items():
            path = f"{running.url}/api/boards/{board}/standings?limit=100"
            async with self._http.get(path) as answer:
                standings = (await answer.json())["standings"]
            assert {one["userId"]: one["score"] for one in standings} == totals

    async def _post(self, running: Service, board: str) -> set[int]:
        bearer = {"Authorization": f"Bearer {running.token()}"}
        async with self._http.post(
            f"{running.url}/api/boards/{board}/scores",
            json={"actions": self._last[board]},
            headers=bearer,
        ) as answer:
            return {one["status"] for one in (await answer.json())["results"]}


@further
async def test_whenever_it_is_killed_the_same_line_finishes_it(
    settings: Settings, valkey: Valkey, http: ClientSession
) -> None:
    dice = random.Random(SEED)
    line, game = Line(settings, dice), Game(http, dice)
    async with service(settings, partitions=FEW) as running:
        admin = {"Authorization": f"Bearer {running.token('admin')}"}
        for board, shards in BOARDS.items():
            path = f"{running.url}/api/admin/boards/{board}"
            async with http.put(path, json={"shards": shards}, headers=admin) as answer:
                assert answer.status == 200, await answer.text()
        await game.play(running)
    assert await line.run(MORE) == 0
    whole, present, to, killed = line.said, MORE, FEW, 0
    for _ in range(ROUNDS):
        async with service(settings, partitions=present) as running:
            await game.expect(running)
            await game.play(running)
        # The first comes before it can be done; the second may come too late.
        for most in (whole // 2, whole):
            killed += await line.run(to, last=dice.randrange(1, most)) != 0
        assert await line.run(to) == 0
        present, to = to, present
        await expect_clean(structs.replace(settings, partitions=present))
    async with service(settings, partitions=present) as running:
        await game.expect(running)
    assert killed >= ROUNDS


async def expect_clean(settings: Settings) -> None:
    """Redis and Postgres agree, and Redis has nothing left under another number."""
    found: list[Difference] = []
    async with operator(settings) as tools, redis_client(settings.redis_url) as redis:
        for board in [shard for name in BOARDS for shard in await tools.boards(name)]:
            report = await tools.verifier.verify(board, found.append, lambda _: None)
            assert report.live
        own = {f"{{{partition}}}" for partition in range(settings.partitions)}
        async for key in redis.scan_iter(EVERY_PARTITIONS_KEY):
            assert key.split(b":")[1].decode() in own
    assert found == []
