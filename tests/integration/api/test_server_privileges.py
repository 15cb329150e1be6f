"""The service needs no more rights on its servers than docs/production.md grants, and uses each."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from redis.asyncio import Redis

from scoreboard.domain.days import day_start
from scoreboard.domain.webhooks import WatchedTop
from scoreboard.pg.daily_ranks import DailyRanks
from scoreboard.pg.models import Models
from scoreboard.pg.outside_events import OutsideEvents
from scoreboard.pg.pool import open_pool
from scoreboard.settings import Settings
from tests.integration.api.conftest import StartApi
from tests.integration.api.described_api import Api
from tests.support.command import scoreboard
from tests.support.dead_letters import bury
from tests.support.ledger_entries import fields
from tests.support.waiting import PATIENCE, wait_until

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "production.md").read_text(encoding="utf-8")
PASSWORD = "only-for-this-test"


def granted(name: str) -> str:
    """The text between the page's marks of this name."""
    found = re.search(f"<!-- {name} -->\n(.*?)<!-- end of {name} -->", PAGE, re.DOTALL)
    assert found, name
    return found[1]


RIGHTS = granted("redis acl").split()


@pytest.fixture
async def restricted_redis(redis: Redis, settings: Settings) -> AsyncIterator[str]:
    """URL of the server for a user with the page's rights; fails a test that overstepped."""
    await redis.execute_command("ACL SETUSER", "scoreboard", "on", f">{PASSWORD}", *RIGHTS)
    await redis.execute_command("ACL LOG", "RESET")
    await redis.config_resetstat()
    yield re.sub("//:[^@]*@", f"//scoreboard:{PASSWORD}@", settings.redis_url)
    log: Any = await redis.acl_log()
    denied = {(entry["reason"], entry["object"]) for entry in log}
    await redis.acl_deluser("scoreboard")
    # The client tells its name where it may, which Redis 7.0 does not even know.
    assert denied <= {("command", "client|setinfo")}


@pytest.fixture
async def restricted_postgres(database_url: str) -> AsyncIterator[str]:
    """URL of the database for a role with the page's rights."""
    database = database_url.rpartition("/")[2]
    role = f"scoreboard_{database}"
    grants = granted("postgres role").replace("TO scoreboard;", f'TO "{role}";')
    grants = grants.replace("DATABASE scoreboard ", f'DATABASE "{database}" ')
    owner = await asyncpg.connect(database_url)
    await owner.execute(f"""CREATE ROLE "{role}" LOGIN PASSWORD '{PASSWORD}'""")
    await owner.execute(grants)
    yield re.sub("//[^@]*@", f"//{role}:{PASSWORD}@", database_url)
    await owner.execute(f'DROP OWNED BY "{role}"')
    await owner.execute(f'DROP ROLE "{role}"')
    await owner.close()


async def test_the_service_gets_by_with_the_rights_of_the_page(
    start_api: StartApi,
    settings: Settings,
    restricted_redis: str,
    restricted_postgres: str,
    redis: Redis,
) -> None:
    limited = msgspec.structs.replace(
        settings, redis_url=restricted_redis, database_url=restricted_postgres, public_reads=False
    )
    api = await start_api(limited)
    impatient = await start_api(limited, durability_timeout=0.1)
    await api.service.make_board("dice", rate={"actions": 5, "seconds": 60})
    async with api.service.persisting():
        await use_everything(api, impatient)
        await redis.flushall()
        await use_everything(api, impatient, again=True)
        for command in ("rebuild", "verify"):
            ended = await scoreboard(
                *(command, "--board", "global"),
                SCOREBOARD_REDIS_URL=restricted_redis,
                SCOREBOARD_DATABASE_URL=restricted_postgres,
            )
            assert ended.code == 0, ended

    stats = await redis.info("commandstats")
    used = {name.removeprefix("cmdstat_") for name in stats}
    rights = {word[1:] for word in RIGHTS if word.startswith("+")}
    assert {right for right in rights - used if not is_named_in_code(right)} == set()


def is_named_in_code(right: str) -> bool:
    """True for a command that is sent on rare occasions only."""
    name = right.partition("|")[0]
    files = (*(ROOT / "lua").glob("*.lua"), *(ROOT / "scoreboard" / "redisio").glob("*.py"))
    return any(re.search(rf"\b{name}\b", f.read_text(encoding="utf-8").lower()) for f in files)


async def use_everything(api: Api, impatient: Api, *, again: bool = False) -> None:
    """Every call, some of them twice. ``impatient`` asks for what will not be reached."""
    reader = api.bearing(api.service.token("board:read admin"))
    status = 409 if again else 200
    assert (await api.score("ann", 15)).status == status
    assert (await api.score("bob", 5)).status == status
    assert (await api.score("ann", 3, board="dice")).status == status
    for client, level, expected in (
        (impatient, "replica", 202),
        (impatient, "disk", 202),
        (api, "postgres", 200),
    ):
        body = {"userId": "ann", "actionId": f"{level} {again}", "points": 1}
        answer = await client.post("/api/score", body, Prefer=f"durability={level}")
        assert answer.status == expected
    for path in ("/api/boards", "/api/boards/global"):
        assert (await reader.get(path)).status == 200
    for path in ("top", "users/ann", "users/ann/around", "standings", "rank?score=3"):
        assert (await reader.get(f"/api/boards/global/{path}")).status == 200
    profile = {"displayName": "Ann", "visibility": "hidden" if again else "anonymous"}
    put = await api.call("PUT", "/api/users/ann", json=profile)
    assert (put.status, (await api.get("/api/users/ann")).json) == (200, put.json)
    assert (await api.post("/api/users:lookup", {"userIds": ["ann"]})).status == 200
    ticket = (await reader.post("/api/ws-ticket", b"")).json["ticket"]
    url = f"{api.service.url}/ws/leaderboard?ticket={ticket}"
    async with api.http.ws_connect(url) as ws:
        await ws.receive(timeout=PATIENCE)
    revoked = await reader.post("/api/admin/tokens/revoke", {"jti": "lost"})
    assert (revoked.status, revoked.json["known"]) == (200, True)
    assert (await reader.get("/readyz")).status == 200

    async def persisted() -> bool:
        return bool((await reader.get("/readyz")).json["parts"]["redis"]["backlog"] == 0)

    await wait_until(persisted, description="all is persisted")
    await use_the_past(reader)
    assert (await api.score("ann", 1, board="gone")).status == 200
    for method, path in (("POST", "gone/clear"), ("DELETE", "gone")):
        removed = await reader.call(method, f"/api/admin/boards/{path}?confirm=gone")
        assert (removed.status, removed.json["done"]) == (200, True)
    for verb in ("hide", "show"):
        path = f"/api/admin/boards/global/users/bob/{verb}"
        assert (await reader.post(path, {})).status == 200
    mistake = f"mistake {again}"
    assert (await api.score("bob", 1, mistake)).status == 200
    path = "/api/admin/boards/global/users/bob/revert"
    reverted = await reader.post(path, {"actionId": mistake, "reason": "a script"})
    assert reverted.status == 200
    await use_webhooks(reader)
    await use_letters_and_models(reader)


async def use_the_past(admin: Api) -> None:
    """Every call about it, and what the persister keeps for them when a day begins."""
    pool = await open_pool(admin.service.settings.database_url, connections=1, timeout=PATIENCE)
    kept = DailyRanks(pool)
    assert "UTC" in await kept.zones()
    for days in (1, 2):
        tomorrow = day_start("UTC", time.time_ns() // 1_000_000 + days * 86_400_000)
        await kept.keep("global", tomorrow)
    await pool.close()
    board, now = "/api/boards/global", datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    for path in (f"top?at={now}", "users/bob?delta=true", "users/bob/history", "users/bob/explain"):
        assert (await admin.get(f"{board}/{path}")).status == 200, path


async def use_letters_and_models(admin: Api) -> None:
    """Another attempt at what could not be written, the audit, and the choice of a model."""
    database = await asyncpg.connect(admin.service.settings.database_url)
    await bury(database, fields("cy", "late", 5, board="arena", score=5))
    retried = await admin.call("POST", "/api/admin/dead-letters/retry")
    assert [one["error"] for one in retried.json["results"]] == [None], retried
    pool = await open_pool(admin.service.settings.database_url, connections=1, timeout=PATIENCE)
    version = await Models(pool).add(
        "", b"", first_ms=0, last_ms=0, false_alarm_rate=0.001, quality={}
    )
    await pool.close()
    await database.close()
    path = f"/api/admin/models/{version}/activate"
    assert (await admin.call("POST", path)).status == 200
    for path in ("dead-letters", "models", "audit?board=arena"):
        assert (await admin.get(f"/api/admin/{path}")).status == 200, path


async def use_webhooks(admin: Api) -> None:
    """Every call about them, and what the persister does for them."""
    webhooks = "/api/admin/webhooks"
    new = {"url": "https://hooks.example.com", "events": ["top.changed"], "boards": ["global"]}
    added = await admin.post(webhooks, new)
    assert added.status == 201
    path = f"{webhooks}/{added.json['webhook']['id']}"
    pool = await open_pool(admin.service.settings.database_url, connections=1, timeout=PATIENCE)
    record = OutsideEvents(pool)

    async def watched() -> list[WatchedTop]:
        return await record.tops_due()

    (top,) = await wait_until(watched, description="the top is looked at")
    await record.tell_top(top, b"[]")
    (due,) = await record.take({}, at_once=1, lease=60)
    await record.failed(due, "no", pause=0)
    await record.delivered(due)
    for call, said in (("GET", "/deliveries"), ("POST", "/retry"), ("POST", "/rotate")):
        assert (await admin.call(call, path + said)).status == 200
    assert (await admin.call("DELETE", path)).status == 204
    await record.tidy()
    await pool.close()
