"""Redis or Postgres away, emptied, restarted: all answers are in the table, and afterwards
everything works again."""

from __future__ import annotations

import asyncio
import time

import asyncpg
import msgspec
import pytest
from redis.asyncio import Redis

from scoreboard.local.embedded_servers import Postgres, Valkey
from scoreboard.settings import Settings
from scoreboard.wire.keys import Keyspace
from tests.integration.api.conftest import StartApi
from tests.integration.api.described_api import Answer, Api
from tests.support.servers import redis_client
from tests.support.waiting import PATIENCE, wait_until

TIMEOUT = 1.0  # seconds for which an impatient service waits for a server that is away


async def persisted(api: Api) -> None:
    """Carries everything to Postgres."""

    async def done() -> bool:
        redis = (await api.get("/readyz")).json["parts"]["redis"]
        return bool(redis.get("backlog") == 0)  # it says none while Redis is slow to answer

    async with api.service.persisting():
        await wait_until(done, description="all is persisted")


@pytest.fixture
async def impatient(start_api: StartApi) -> Api:
    """To be asked while Redis is away: one that is there may take longer on a busy machine."""
    return await start_api(redis_timeout=TIMEOUT)


async def test_without_redis_writes_get_503_at_once_and_count_when_it_is_back(
    api: Api, impatient: Api, valkey: Valkey
) -> None:
    await api.score("ann", 15)
    valkey.stop()
    started = time.monotonic()
    answers = await asyncio.gather(
        *(impatient.score("ann", 1, f"a{n}") for n in range(2, 22)),
        impatient.post("/api/scores", {"actions": [{"userId": "b", "actionId": "b", "points": 1}]}),
    )
    waited = time.monotonic() - started
    valkey.start()

    assert {answer.status for answer in answers} == {503}
    assert {answer.code for answer in answers} <= {"unavailable", "outcome_unknown"}
    assert waited < PATIENCE, "nobody waited for a board that can't be opened now"

    async def counted() -> bool:
        return (await api.score("ann", 1, "a2")).status in (200, 409)

    await wait_until(counted, description="writes are taken again")
    assert await api.top() == {"ann": 16}


async def test_without_redis_reads_come_from_postgres(
    api: Api, impatient: Api, valkey: Valkey
) -> None:
    for n, user in enumerate(("ann", "bob", "cy"), 1):
        await api.score(user, 10 * n)
    await persisted(api)
    board = "/api/boards/global"
    calls = [board, f"{board}/top", f"{board}/users/bob", f"{board}/users/bob/around"]
    live = [(await api.get(call)).json for call in calls]
    friends = await api.post(f"{board}/users:lookup", {"userIds": ["cy", "nobody"]})
    valkey.stop()

    assert [(await impatient.get(call)).json for call in calls] == live
    again = await impatient.post(f"{board}/users:lookup", {"userIds": ["cy", "nobody"]})
    assert again.json == friends.json
    assert (await impatient.get(f"{board}/users/nobody")).outcome == (404, "unknown_user")
    assert (await impatient.get("/api/boards/unknown/top")).outcome == (404, "unknown_board")
    assert "ETag" not in (await impatient.get(f"{board}/top")).headers, "Postgres may lag behind"


def is_starting() -> bool:
    """Whether a service of this process still looks for its servers and its board."""
    return any("starting" in repr(task.get_coro()) for task in asyncio.all_tasks())


async def test_a_service_is_not_ready_before_its_board_is_live(
    start_api: StartApi, settings: Settings
) -> None:
    before = await start_api()
    # Until that has ended it would load the board that is lost below.
    await wait_until(lambda: not is_starting(), description="it has looked after its board")
    await before.score("ann", 15)
    assert (await before.get("/readyz")).status == 200
    away = msgspec.structs.replace(settings, database_url="postgresql://u@127.0.0.1:1/db")
    assert (await (await start_api(away)).get("/readyz")).status == 200, "Redis has the board"

    async with redis_client(settings.redis_url) as redis:
        await redis.delete(Keyspace(settings.partitions).board(settings.default_board).meta)
    fresh = await start_api(away)
    ready = await fresh.get("/readyz")

    assert (ready.status, ready.json["parts"]["board"]["up"]) == (503, False)
    assert (await fresh.score("ann", 1)).status == 503
    assert (await before.get("/readyz")).status == 200, "a rebuild later on is only a moment"


async def test_readiness_tells_that_redis_is_away_and_liveness_stays(
    impatient: Api, valkey: Valkey
) -> None:
    valkey.stop()
    ready = await impatient.get("/readyz")

    assert ready.status == 503
    assert ready.headers["Retry-After"]
    assert ready.json["ready"] is False
    assert ready.json["parts"]["redis"]["up"] is False
    assert ready.json["parts"]["postgres"]["up"] is True
    assert (await impatient.get("/healthz")).status == 200
    valkey.start()

    async def is_ready() -> bool:
        return (await impatient.get("/readyz")).status == 200

    await wait_until(is_ready, description="ready again")


async def test_a_ticket_needs_redis(start_api: StartApi, valkey: Valkey) -> None:
    api = await start_api(public_reads=False)
    impatient = await start_api(public_reads=False, redis_timeout=TIMEOUT)
    reader = api.service.token("board:read")
    assert (await api.bearing(reader).post("/api/ws-ticket", {})).status == 200
    valkey.stop()

    refused = await impatient.bearing(reader).post("/api/ws-ticket", {})
    assert refused.outcome == (503, "unavailable")


async def test_scripts_that_redis_forgot_are_loaded_again_unnoticed(api: Api, redis: Redis) -> None:
    await api.score("ann", 1)
    await redis.script_flush()
    assert (await api.score("ann", 1, "a2")).json["score"] == 2
    await redis.script_flush()
    assert await api.top() == {"ann": 2}
    await redis.script_flush()
    assert (await api.get("/api/boards/global/users/ann")).json["score"] == 2


@pytest.mark.parametrize("first", ["read", "write"])
async def test_an_emptied_redis_is_filled_again_from_postgres(
    api: Api, redis: Redis, first: str
) -> None:
    for n in range(20):
        await api.score(f"user{n}", n, "before")
    await persisted(api)
    top, tag = await api.top(), (await api.get("/api/score/top")).headers["ETag"]
    await redis.flushall()

    if first == "read":
        assert await api.top() == top
    else:
        assert (await api.score("user3", 0, "after")).json["score"] == 3
    assert await api.top() == top
    assert (await api.score("user3", 3, "before")).outcome == (409, "duplicate_action")
    assert (await api.score("user3", 4, "before")).outcome == (409, "action_conflict")
    assert (await api.score("user19", 1, "after")).json["score"] == 20
    later = (await api.get("/api/score/top")).headers["ETag"]
    assert int(later.strip('"')) > int(tag.strip('"')), "versions never go back"


async def test_a_killed_redis_comes_back_with_every_score(api: Api, valkey: Valkey) -> None:
    await api.score("ann", 15)
    await persisted(api)
    valkey.kill()
    valkey.start()

    async def counted() -> bool:
        return (await api.score("ann", 1, "a2")).status in (200, 409)

    await wait_until(counted, description="writes are taken again")
    assert await api.top() == {"ann": 16}


class TestWithoutPostgres:
    """A cluster of its own, since it is stopped."""

    @pytest.fixture
    async def api(self, start_api: StartApi, settings: Settings, postgres_url: str) -> Api:
        return await start_api(
            msgspec.structs.replace(settings, database_url=postgres_url),
            durability_timeout=TIMEOUT,
        )

    async def test_writes_to_live_boards_go_on_and_cold_ones_wait(
        self, api: Api, postgres: Postgres, redis: Redis
    ) -> None:
        await api.score("ann", 15)
        await api.score("bob", 15, board="cold")
        await persisted(api)
        await redis.flushall()
        assert (await api.score("ann", 1, "a2")).status == 200
        postgres.stop()

        assert (await api.score("ann", 1, "a3")).json["score"] == 17
        assert await api.top() == {"ann": 17}
        for answer in await asyncio.gather(
            api.score("bob", 1, "b2", board="cold"),
            api.score("bob", 1, board="new"),
            api.get("/api/boards/cold/top"),
            api.get("/api/boards/cold/users/bob"),
            api.get("/api/boards/cold/users/bob/around"),
            api.get("/api/boards/cold/standings"),
            api.post("/api/boards/cold/users:lookup", {"userIds": ["bob"]}),
        ):
            assert answer.outcome == (503, "unavailable")

        postgres.start()

        async def counted() -> Answer | None:
            answer = await api.score("bob", 1, "b2", board="cold")
            return answer if answer.status == 200 else None

        counts = await wait_until(counted, description="the cold board is made live")
        assert counts is not None
        assert counts.json["score"] == 16

    async def test_a_reply_cannot_promise_it(self, api: Api, postgres: Postgres) -> None:
        await api.score("ann", 15)
        postgres.stop()
        body = {"userId": "ann", "actionId": "a2", "points": 1}
        answer = await api.post("/api/score", body, Prefer="durability=postgres")

        assert (answer.status, answer.json["durability"]) == (202, "redis")

    async def test_the_service_stays_ready_and_tells(self, api: Api, postgres: Postgres) -> None:
        await api.score("ann", 15)
        postgres.stop()
        ready = await api.get("/readyz")

        assert ready.status == 200
        assert ready.json["parts"]["postgres"]["up"] is False


async def test_a_board_with_settings_of_a_newer_version_answers_503(
    api: Api, redis: Redis, database: asyncpg.Connection
) -> None:
    await api.score("ann", 5)
    newer = '{"speed":"warp"}'
    await database.execute("UPDATE board SET settings = $1", newer)
    await redis.hset(Keyspace(8).board("global").meta, "settings", newer)
    assert (await api.score("ann", 5, "a2")).outcome == (503, "unavailable")
    await redis.delete(Keyspace(8).board("global").meta)
    assert (await api.score("ann", 5, "a2")).outcome == (503, "unavailable")
    admin = api.bearing(api.service.token("admin"))
    assert (await admin.get("/api/admin/boards/global")).outcome == (503, "unavailable")
