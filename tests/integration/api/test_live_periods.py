"""The WebSocket of periods on the whole service, with a persister that ends occurrences."""

from __future__ import annotations

from itertools import count
from typing import Any

import asyncpg
import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType, WSServerHandshakeError
from redis.asyncio import Redis

from scoreboard.api.live import hub
from scoreboard.assembly.moderation import closer
from scoreboard.assembly.recovery import recovery
from scoreboard.domain.moments import moment_of
from scoreboard.redisio.topologies import topology_at
from scoreboard.settings import Settings
from tests.integration.api.conftest import StartApi
from tests.integration.api.described_api import Api
from tests.integration.api.test_live_updates import next_message
from tests.integration.api.test_outages import persisted
from tests.integration.api.test_period_reads import Finals
from tests.integration.api.test_periods import WEEK, ended, make, score
from tests.support.command import named, started
from tests.support.waiting import PATIENCE, wait_until

BLITZ = {"name": "blitz", "every": "PT2S", "start": "2026-01-01T00:00:00Z"}


async def messages(ws: ClientWebSocketResponse, count: int) -> list[dict[str, Any]]:
    return [await next_message(ws) for _ in range(count)]


def url(api: Api, query: str = "") -> str:
    return f"{api.service.url}/ws/boards/arena{query}"


async def test_who_watches_a_period_sees_its_occurrence_end_and_the_next_begin(
    api: Api, settings: Settings
) -> None:
    await make(api, BLITZ)
    servers = named(settings.redis_url, settings.database_url)
    async with (
        started("persist", **servers),
        api.http.ws_connect(url(api, "?period=blitz")) as ws,
    ):
        assert (await next_message(ws))["topScores"] == []
        for attempt in count(1):
            answer = await score(api, "ann", f"a{attempt}")
            number = answer.json["periods"]["blitz"]["occurrence"]
            seen = [await next_message(ws)]
            while (seen[-1]["type"], seen[-1]["occurrence"]) != ("closed", number):
                seen.append(await next_message(ws))
            seen.append(await next_message(ws))  # nobody has posted
            if any(one.get("topScores") for one in seen):
                break  # else the end came before the post was sent, and only the newest is

        assert seen[-3]["topScores"] == [{"userId": "ann", "score": 5}]
        assert seen[-2] == {
            "type": "closed",
            "board": "arena",
            "period": "blitz",
            "occurrence": number,
            **{name: seen[-2][name] for name in ("startsAt", "endsAt", "at")},
        }
        assert seen[-2]["at"] >= seen[-2]["endsAt"]
        assert (seen[-1]["type"], seen[-1]["occurrence"]) == ("snapshot", number + 1)
        assert seen[-1]["topScores"] == []
        assert seen[-1]["version"] > seen[-3]["version"]

        async def final() -> dict[str, Any] | None:
            path = f"/api/boards/arena/standings?period=blitz&occurrence={number}"
            found: dict[str, Any] = (await api.get(path)).json
            return found if found.get("state") == "final" else None

        table = await wait_until(final, description="the ranks are stored")
        assert [(one["userId"], one["rank"]) for one in table["standings"]] == [("ann", 1)]


async def test_a_lost_connection_to_redis_does_not_hide_the_end(api: Api, redis: Redis) -> None:
    await make(api, WEEK)
    await score(api, "ann", "a1")
    async with api.http.ws_connect(url(api, "?period=week")) as ws:
        assert (await next_message(ws))["occurrence"] == 1
        await ended(redis, "week", final_in=0)
        # As if it had been published while the relay was away.
        await redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        await score(api, "bob", "b1")
        seen = [await next_message(ws) for _ in range(2)]
        while seen[-1]["topScores"] == []:
            seen.append(await next_message(ws))
    assert [(one["type"], one["occurrence"]) for one in seen[:2]] == [
        ("closed", 1),
        ("snapshot", 2),
    ]
    assert seen[-1]["topScores"] == [{"userId": "bob", "score": 5}]


async def test_what_can_not_be_watched_is_refused_by_4404(api: Api) -> None:
    await make(api, WEEK, allTime=False)
    for query in ("", "?period=day", "?period=a:b"):
        async with api.http.ws_connect(url(api, query)) as ws:
            assert (await ws.receive(timeout=PATIENCE)).type is WSMsgType.CLOSE
            assert ws.close_code == hub.UNKNOWN_BOARD


async def test_who_watches_an_occurrence_stays_with_it(api: Api, redis: Redis) -> None:
    await make(api, WEEK | {"grace": 3600})
    await score(api, "ann", "a1")
    async with (
        api.http.ws_connect(url(api, "?period=week&occurrence=1")) as first,
        api.http.ws_connect(url(api, "?period=week")) as latest,
    ):
        seen = await next_message(first)
        assert (seen["type"], seen["occurrence"], seen["topScores"]) == (
            *("snapshot", 1),
            [{"userId": "ann", "score": 5}],
        )
        told = await messages(latest, 1)
        await score(api, "bob", "a1", 7)
        assert (await next_message(first))["topScores"][0] == {"userId": "bob", "score": 7}
        told += await messages(latest, 1)  # which the end could overtake
        end = await ended(redis, "week", final_in=3_600_000)
        await score(api, "ann", "a2")
        told += await messages(latest, 2)
        assert [(one["type"], one["occurrence"]) for one in told] == [
            *(("snapshot", 1), ("update", 1), ("closed", 1), ("snapshot", 2)),
        ]
        assert told[1]["topScores"][0] == {"userId": "bob", "score": 7}
        assert (await next_message(first))["type"] == "closed"
        await score(api, "bob", "a2", 1, occurredAt=moment_of(end - 1).isoformat())
        late = await next_message(first)
        assert (late["type"], late["occurrence"]) == ("update", 1)
        assert late["topScores"][0] == {"userId": "bob", "score": 8}

    async def over() -> bool:  # what a process remembers of periods it looks up again in a moment
        answer = await api.get("/api/boards/arena/top?period=week&occurrence=previous")
        return answer.status == 200

    await wait_until(over, description="the process knows that the occurrence has ended")
    for wanted in ("1", "previous"):
        async with api.http.ws_connect(url(api, f"?period=week&occurrence={wanted}")) as ws:
            snapshot, closed = await messages(ws, 2)
            assert snapshot["topScores"] == late["topScores"]
            assert (closed["type"], closed["occurrence"]) == ("closed", 1)


async def test_an_occurrence_that_never_was_can_t_be_watched(api: Api) -> None:
    await make(api, WEEK)
    for query in ("week&occurrence=9", "week&occurrence=previous", "week:1"):
        async with api.http.ws_connect(url(api, f"?period={query}")) as ws:
            assert (await ws.receive(timeout=PATIENCE)).type is WSMsgType.CLOSE
            assert ws.close_code == hub.UNKNOWN_BOARD
    for query in ("occurrence=1", "period=week&occurrence=0", "period=week&occurrence=x"):
        with pytest.raises(WSServerHandshakeError) as refused:
            await api.http.ws_connect(url(api, f"?{query}"))
        assert refused.value.status == 400


async def test_a_final_occurrence_is_watched_by_its_stored_ranks(
    start_api: StartApi, redis: Redis, database: asyncpg.Connection, settings: Settings
) -> None:
    finals = Finals(await start_api(), redis, database)
    await make(finals.api, WEEK)
    async with started("persist", **named(settings.redis_url, settings.database_url)):
        await score(finals.api, "ann", "a1")
        await finals.end(1)
    async with finals.api.http.ws_connect(url(finals.api, "?period=week&occurrence=1")) as ws:
        snapshot, closed = await messages(ws, 2)
        assert snapshot["topScores"] == [{"userId": "ann", "score": 5}]
        assert (closed["type"], closed["occurrence"]) == ("closed", 1)


async def test_a_period_in_which_nobody_has_played_shows_its_first_occurrence(api: Api) -> None:
    await make(api, WEEK)
    async with api.http.ws_connect(url(api, "?period=week")) as ws:
        first = await next_message(ws)
        assert (first["type"], first["occurrence"], first["topScores"]) == ("snapshot", 1, [])
        await score(api, "ann", "a1")
        following = await next_message(ws)
        while following["topScores"] == []:
            following = await next_message(ws)
        assert (following["type"], following["occurrence"]) == ("update", 1)
        assert following["version"] > first["version"]


class Ends:
    """Ends the board's current week at once, and makes it final."""

    def __init__(self, api: Api, settings: Settings, redis: Redis, pool: asyncpg.Pool) -> None:
        self._api, self._redis, self._pool = api, redis, pool
        durable = recovery(settings, topology_at(settings.redis_url), redis, redis, pool)
        self._closer = closer(pool, durable)

    async def __call__(self, *, emptied: bool = False) -> None:
        """With ``emptied`` Redis loses everything at the end of the week."""
        async with self._api.service.persisting():
            await persisted(self._api)
        end = await ended(self._redis, "week", final_in=0)
        await self._pool.execute(
            "UPDATE period_occurrence SET ends_at = $1, final_at = $1 WHERE state = 'open'", end
        )
        if emptied:
            await self._redis.flushall()
        await self._closer.turn_all(end + 1)
        await self._closer.finish_all(end + 1)


@pytest.fixture
def end_week(api: Api, settings: Settings, redis: Redis, pool: asyncpg.Pool) -> Ends:
    return Ends(api, settings, redis, pool)


async def test_a_period_that_is_back_can_be_watched_before_anybody_plays(
    api: Api, end_week: Ends
) -> None:
    await make(api, WEEK)
    await score(api, "ann", "a1")
    admin = api.bearing(api.service.token("admin"))
    for periods in ([], [WEEK]):
        answer = await admin.call("PATCH", "/api/admin/boards/arena", json={"periods": periods})
        assert answer.status == 200
        if not periods:
            await end_week()
    async with api.http.ws_connect(url(api, "?period=week")) as ws:
        first = await next_message(ws)
    assert (first["type"], first["occurrence"], first["topScores"]) == ("snapshot", 2, [])


async def test_an_emptied_redis_does_not_hide_the_end(api: Api, end_week: Ends) -> None:
    await make(api, WEEK)
    await score(api, "ann", "a1")
    async with api.http.ws_connect(url(api, "?period=week")) as ws:
        assert (await next_message(ws))["occurrence"] == 1
        await end_week(emptied=True)
        while (closed := await next_message(ws))["type"] != "closed":
            assert closed["occurrence"] == 1, "the week that is loaded again"
        following = await next_message(ws)
    assert closed["occurrence"] == 1
    assert closed["startsAt"] < closed["endsAt"]
    assert (following["type"], following["occurrence"]) == ("snapshot", 2)


async def test_a_board_that_is_cleared_shows_its_first_occurrence_anew(
    api: Api, end_week: Ends
) -> None:
    await make(api, WEEK)
    await score(api, "ann", "a1")
    await end_week()
    await score(api, "ann", "a2")
    async with api.http.ws_connect(url(api, "?period=week")) as ws:
        first = await next_message(ws)
        assert (first["occurrence"], first["topScores"]) == (2, [{"userId": "ann", "score": 5}])
        admin = api.bearing(api.service.token("admin"))
        answer = await admin.call("POST", "/api/admin/boards/arena/clear?confirm=arena")
        assert answer.status == 200
        seen = await next_message(ws)
        assert (seen["type"], seen["occurrence"], seen["topScores"]) == ("snapshot", 1, [])
        await score(api, "bob", "b1")
        seen = await next_message(ws)
        assert (seen["occurrence"], seen["topScores"]) == (1, [{"userId": "bob", "score": 5}])
