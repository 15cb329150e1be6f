"""The clock of one part is wrong, or is turned while everything runs: each action counts once,
nobody waits for the clock, and no total changes."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from aiohttp import ClientSession
from redis.asyncio import Redis
from structlog.testing import capture_logs

from scoreboard.api.tokens import keys_from, mint
from scoreboard.assembly.operator import operator
from scoreboard.domain.audit import Difference
from scoreboard.domain.webhook_signatures import new_secret
from scoreboard.domain.webhooks import NewWebhook
from scoreboard.local.embedded_servers import Postgres, Valkey
from scoreboard.pg.outside_events import tell_of_erasure
from scoreboard.pg.webhooks import Webhooks
from scoreboard.redisio.loader import BoardDraft
from scoreboard.settings import Settings
from tests.support import servers
from tests.support.command import named, started
from tests.support.faked_clock import FakedClock, needs_faketime
from tests.support.waiting import PATIENCE, wait_until
from tests.support.webhook_receiver import receiving
from tests.support.whole_service import Service, service

pytestmark = needs_faketime

WEEK = 7 * 86_400
WINDOW = 30  # seconds of the rate on the board "dice"


class Game:
    """A game server that posts a point for ann again and again, and the Redis behind it."""

    def __init__(self, http: ClientSession, settings: Settings, url: str) -> None:
        self._http, self._url, self._settings = http, url, settings
        token = mint(keys_from(settings), "HS256", subject="game", scope="score:write", ttl=WEEK)
        self._headers = {"Authorization": f"Bearer {token}"}
        self._numbers = itertools.count(1)
        self.total = 0

    async def get(self, path: str) -> tuple[int, Any]:
        async with self._http.get(f"{self._url}{path}", headers=self._headers) as response:
            return response.status, await response.json()

    async def post(self, action: str, *, board: str = "global") -> tuple[int, dict[str, Any]]:
        body = {"userId": "ann", "actionId": action, "points": 1}
        url = f"{self._url}/api/boards/{board}/score"
        async with self._http.post(url, json=body, headers=self._headers) as response:
            return response.status, await response.json()

    async def answered(self, action: str) -> tuple[int, dict[str, Any]]:
        """The same, repeated while a busy machine needs longer for the board than a call waits."""
        while (answer := await self.post(action))[0] == 503:
            assert answer[1]["code"] == "unavailable", "nothing was written"
            await asyncio.sleep(0.05)
        return answer

    async def counts(self) -> str:
        """A new action counts; its id."""
        action = f"{self._url}/{next(self._numbers)}"
        status, told = await self.answered(action)
        self.total += 1
        assert (status, told["score"]) == (200, self.total), told
        return action

    async def ready(self) -> bool:
        try:
            return (await self.get("/readyz"))[0] == 200
        except OSError:
            return False

    async def drained(self) -> None:
        async def is_drained() -> bool:
            _, told = await self.get("/readyz")
            return bool(told["parts"]["redis"].get("backlog") == 0)

        await wait_until(is_drained, description="all is persisted")

    async def goes_on(self) -> None:
        """Actions count once, before and after Redis was emptied."""
        action = await self.counts()
        assert (await self.answered(action))[0] == 409

        async def probed() -> dict[str, Any] | None:
            _, told = await self.get("/readyz")
            return told["parts"]["redis"] if told["parts"]["redis"]["up"] else None

        told = await wait_until(probed, description="Redis answers in time")
        assert told["lagSeconds"] < PATIENCE, "whatever the clocks say"
        await self.drained()
        async with Redis.from_url(self._settings.redis_url) as redis:
            await redis.flushall()
        status, told = await self.answered(action)
        assert (status, told.get("score")) == (409, self.total), "its receipt came back"
        await self.counts()
        assert (await self.get("/api/boards/global/users/ann"))[1]["score"] == self.total
        await self.drained()

    async def audited(self) -> None:
        """The ledger, the totals and Redis agree."""
        found: list[Difference] = []
        async with operator(self._settings) as tools:
            report = await tools.verifier.verify("global", found.append, lambda _: None)
        assert (report.users, found) == (1, [])


OpenGame = Callable[..., Awaitable[Game]]


@pytest.fixture
async def open_game(settings: Settings, http: ClientSession) -> AsyncIterator[OpenGame]:
    """A service in this process, and unless told otherwise a persister."""
    async with AsyncExitStack() as opened:

        async def open_(*, persisting: bool = True, **changes: Any) -> Game:
            changed = msgspec.structs.replace(settings, **changes)
            running: Service = await opened.enter_async_context(service(changed))
            if persisting:
                await opened.enter_async_context(running.persisting())
            await running.make_board("dice", rate={"actions": 1, "seconds": WINDOW})
            game = Game(http, changed, running.url)
            await wait_until(game.ready, description="ready")
            return game

        yield open_


@pytest.fixture
def clock(tmp_path: Path) -> FakedClock:
    return FakedClock(tmp_path)


async def turn(clock: FakedClock, server: Valkey, offset: str) -> None:
    """Turns a server's clock, and waits until it is seen: what the server reads in the round of
    work that it is just in, it still does by the time that it knew when that began."""
    async with Redis.from_url(server.url) as client:

        async def ahead() -> float:
            seconds, _ = await client.time()
            return int(seconds) - time.time()

        before = await ahead()
        clock.turn(offset)

        async def is_seen() -> bool:
            return abs(await ahead() - before) > 60

        await wait_until(is_seen, description="the server has the other time")


@pytest.fixture
def redis_of_the_clock(clock: FakedClock, tmp_path: Path) -> Iterator[Valkey]:
    """Always the embedded one: libfaketime stops a server that is built with jemalloc, as Debian's
    Redis is, at its start."""
    with clock.for_what_is_made():
        valkey = Valkey(tmp_path / "valkey")
    valkey.start()
    yield valkey
    valkey.stop()


async def test_redis_is_ahead_for_a_while(
    redis_of_the_clock: Valkey, clock: FakedClock, open_game: OpenGame
) -> None:
    game = await open_game(redis_url=redis_of_the_clock.url)
    await game.goes_on()
    for offset in ("+3d", "+0"):
        await turn(clock, redis_of_the_clock, offset)
        await game.goes_on()
    await game.audited()


async def test_redis_is_set_back_and_a_limited_player_waits_no_longer(
    redis_of_the_clock: Valkey, clock: FakedClock, open_game: OpenGame
) -> None:
    game = await open_game(redis_url=redis_of_the_clock.url)
    await game.goes_on()
    assert (await game.post("d1", board="dice"))[0] == 200
    await turn(clock, redis_of_the_clock, "-1h")
    status, told = await game.post("d2", board="dice")
    assert status == 429
    assert told["retryAfter"] <= WINDOW
    await game.goes_on()
    await game.audited()


async def test_redis_is_turned_amid_rebuilds(
    redis_of_the_clock: Valkey,
    clock: FakedClock,
    open_game: OpenGame,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A step ahead of more than their window ends receipts: what counts again is taken back."""
    game = await open_game(redis_url=redis_of_the_clock.url)
    await game.goes_on()
    for step, offset in (("add", "-1h"), ("finish", "+3d"), ("restore_receipts", "+0")):
        action = await game.counts()
        await game.drained()
        done, turned = getattr(BoardDraft, step), list[str]()

        async def turning(
            draft: BoardDraft,
            *arguments: Any,
            done: Callable[..., Awaitable[Any]] = done,
            turned: list[str] = turned,
            offset: str = offset,
            **options: Any,
        ) -> Any:
            if not turned:
                turned.append(offset)
                await turn(clock, redis_of_the_clock, offset)
            return await done(draft, *arguments, **options)

        with monkeypatch.context() as patched:
            patched.setattr(BoardDraft, step, turning)
            async with Redis.from_url(redis_of_the_clock.url) as redis:
                await redis.flushall()
            status, _ = await game.answered(action)
        assert turned
        assert status == (200 if step == "finish" else 409)

        async def is_right() -> bool:
            _, told = await game.get("/api/boards/global/users/ann")
            return bool(told.get("score") == game.total)

        await wait_until(is_right, description="the total is right")
        assert (await game.answered(action))[0] == 409
    await game.goes_on()
    await game.audited()


@pytest.mark.parametrize("offset", ["+74y", "-3y"])
async def test_a_clock_of_redis_that_no_stamp_can_tell_is_refused_and_leaves_nothing(
    redis_of_the_clock: Valkey, clock: FakedClock, open_game: OpenGame, offset: str
) -> None:
    game = await open_game(redis_url=redis_of_the_clock.url)
    await game.goes_on()
    with capture_logs() as logs:
        await turn(clock, redis_of_the_clock, offset)
        for board in ("global", "dice", "new"):
            status, told = await game.post("refused", board=board)
            assert (status, told["code"]) == (503, "unavailable")
        status, told = await game.get("/readyz")
        assert (status, told["parts"]["writes"]["up"]) == (503, False)
        assert "its clock is wrong" in told["parts"]["writes"]["detail"]
        status, told = await game.get("/api/boards/global/users/ann")
        assert (status, told["score"]) == (200, game.total)

        clock.turn("+0")
        await wait_until(game.ready, description="ready again")
    assert "request_failed" not in [entry["event"] for entry in logs]
    await game.goes_on()
    await game.audited()


async def test_a_server_is_three_days_ahead_and_its_rebuild_restores_all_receipts(
    settings: Settings, clock: FakedClock, open_game: OpenGame, http: ClientSession
) -> None:
    beside = await open_game()  # its persister, and a server with the right time
    clock.turn("+3d")
    variables = {**named(settings.redis_url, settings.database_url), **clock.environment}
    async with started("serve", **variables) as process:
        assert process.stdout is not None
        while b'"serving"' not in (line := await process.stdout.readline()):
            assert line, "it ended"
        [[host, port]] = msgspec.json.decode(line)["addresses"]
        game = Game(http, settings, f"http://{host}:{port}")
        await wait_until(game.ready, description="ready")
        await game.goes_on()
        beside.total = game.total
        await beside.goes_on()
    await beside.audited()


async def test_a_persister_has_another_time(
    settings: Settings, clock: FakedClock, open_game: OpenGame
) -> None:
    game = await open_game(persisting=False)
    clock.turn("+3d")
    variables = {**named(settings.redis_url, settings.database_url), **clock.environment}
    async with started("persist", **variables):
        await game.goes_on()
        clock.turn("-1h")
        await game.goes_on()
        clock.turn("+0")
        await game.audited()


async def test_webhooks_of_a_persister_with_another_time_are_signed_with_the_right_one(
    settings: Settings, clock: FakedClock
) -> None:
    """A receiver refuses what was signed over five minutes ago, or will be."""
    servers_of_both = named(settings.redis_url, settings.database_url)
    allowed = {"SCOREBOARD_WEBHOOK_NETWORKS": "127.0.0.1"}
    clock.turn("-1h")
    async with AsyncExitStack() as opened:
        receiver = await opened.enter_async_context(receiving())
        database = await asyncpg.connect(settings.database_url)
        opened.push_async_callback(database.close)
        pool = await opened.enter_async_context(
            asyncpg.create_pool(settings.database_url, min_size=1, max_size=1)
        )
        new = NewWebhook(url=receiver.url, events=["player.erased"])
        await Webhooks(pool).add(new, new_secret(), by="eve")

        async def signed_at() -> float:
            """Seconds since the right time at which the next attempt was signed."""
            before = len(receiver.received)
            await wait_until(lambda: len(receiver.received) > before, description="an attempt")
            return float(receiver.received[-1].headers["webhook-timestamp"]) - time.time()

        receiver.manner = "fails"
        await tell_of_erasure(database, user="ann", mode="erase", erasure="e1")
        await opened.enter_async_context(
            started("persist", **servers_of_both, **allowed, **clock.environment)
        )
        assert abs(await signed_at()) < PATIENCE
        clock.turn("+3d")
        assert abs(await signed_at()) < PATIENCE, "a retry, which comes after seconds all the same"
        clock.turn("-1h")
        receiver.manner = "takes"
        assert abs(await signed_at()) < PATIENCE
        assert len(set(receiver.ids)) == 1


async def test_postgres_has_another_time(
    tmp_path: Path, clock: FakedClock, open_game: OpenGame
) -> None:
    postgres = Postgres(
        tmp_path / "postgres",
        binaries=clock.wrapped(servers.binaries_of_postgres(), "postgres"),
        options=servers.NOT_DURABLE,
    )
    try:
        postgres.start()
        url = await servers.create_database(postgres.database_url(""), "clocks")
        game = await open_game(database_url=url)
        for offset in ("+3d", "-1h", "+74y"):
            clock.turn(offset)
            await game.goes_on()
        await game.audited()
    finally:
        postgres.stop()
