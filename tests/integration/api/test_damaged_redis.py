"""What somebody writes by hand into the service's keys is noticed by the next call, named in the
log and set right from Postgres, or answered 503; it is never a failure of the service."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from scoreboard.domain.audit import PatrolReport
from scoreboard.domain.tables import occurrence_table
from scoreboard.redisio import foreign_keys, reverter
from scoreboard.redisio.board_audit import RedisAudit
from scoreboard.redisio.patrol_reports import PatrolReports
from scoreboard.redisio.persister_reports import PersisterReports
from scoreboard.redisio.tickets import RedisTickets
from scoreboard.telemetry.sparing_log import SparingLog
from scoreboard.wire.keys import PATROL, PERSISTER_TROUBLES, Keyspace, ticket
from tests.integration.api.described_api import Answer, Api
from tests.support.waiting import wait_until

KEYSPACE = Keyspace(8)
WEEK = {"name": "week", "cron": "0 0 * * 1", "grace": 3600}
OF_A_BOARD = ("settings", "version", "clock", "watched", "period:week")


async def played(api: Api, board: str) -> None:
    admin = api.bearing(api.service.token("admin"))
    made = await admin.call("PUT", f"/api/admin/boards/{board}", json={"periods": [WEEK]})
    assert made.status == 200
    for user in ("ann", "bob"):
        assert (await api.score(user, 5, board=board)).status == 200


Call = Callable[[Api, str], Awaitable[Answer]]
POST: Call = lambda api, board: api.score("ann", 2, "a2", board=board)  # noqa: E731
READ: Call = lambda api, board: api.get(f"/api/boards/{board}/users/ann")  # noqa: E731
# What finds damage in a field first: a read looks at few of them.
FIRST = {"version": lambda api, board: api.get(f"/api/boards/{board}/top"), "settings": READ}


async def test_a_field_that_cannot_be_read_is_named_and_the_board_loaded_again(
    api: Api, redis: Redis
) -> None:
    for number, field in enumerate(OF_A_BOARD):
        board = f"b{number}"
        await played(api, board)
        meta: Any = KEYSPACE.board(board).meta
        await redis.hset(meta, field, "[{")
        with capture_logs() as logs:
            answer = await FIRST.get(field, POST)(api, board)
            assert answer.status == 200, (field, answer, logs)
            assert (await POST(api, board)).json["score"] == 7
            assert (await READ(api, board)).json["score"] == 7
        [told] = [line for line in logs if line["event"] == "board_incomplete"]
        assert told["lost"] == f"{meta} {field}"
        assert not [line for line in logs if line.get("exc_info")]


@pytest.mark.parametrize("field", ["version", "top"])
async def test_a_table_of_a_period_that_cannot_be_read_is_loaded_again(
    api: Api, redis: Redis, field: str
) -> None:
    await played(api, "arena")
    meta: Any = KEYSPACE.board(occurrence_table("arena", "week", 1)).meta
    await redis.hset(meta, field, '[{"userId"')
    with capture_logs() as logs:
        top = await api.get("/api/boards/arena/top?period=week")
    assert [entry["score"] for entry in top.json["topScores"]] == [5, 5]
    assert [line["lost"] for line in logs if "lost" in line] == [f"{meta} {field}"]
    assert (await redis.hget(meta, field)) != b'[{"userId"'


async def test_totals_that_no_action_can_have_led_to_come_from_postgres(
    api: Api, redis: Redis
) -> None:
    async with api.service.persisting():
        await played(api, "arena")
        last = {"userId": "bob", "actionId": "a2", "points": 1}
        await api.post("/api/boards/arena/score", last, Prefer="durability=postgres")
        await redis.zadd(KEYSPACE.board("arena").board, {"ann": math.inf})
        standing = await READ(api, "arena")
    assert standing.json["score"] == 5


async def test_a_key_of_another_program_is_named_and_left_to_people(
    api: Api, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    await played(api, "arena")
    keys = KEYSPACE.board("arena")
    await redis.delete(keys.board)
    await redis.set(keys.board, "somebody's")
    for answer in (READ(api, "arena"), POST(api, "arena")):
        monkeypatch.setattr(foreign_keys, "log", SparingLog("test"))
        with capture_logs() as logs:
            assert (await answer).status in (404, 503)  # Postgres has nothing yet
        [told] = [line for line in logs if line["event"] == "redis_key_of_another_type"]
        assert told["keys"] == [keys.board]
    assert await redis.get(keys.board) == b"somebody's"
    await redis.delete(keys.board)
    assert (await POST(api, "arena")).json["score"] == 7


async def test_a_receipt_that_cannot_be_read_is_told_and_set_right_by_the_ledger(
    api: Api, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reverter, "sparing_log", SparingLog("test"))
    receipt = KEYSPACE.board("arena").action(b"ann", b"a1")
    with capture_logs() as logs:
        async with api.service.persisting():
            await played(api, "arena")
            written: Any = await redis.get(receipt)
            await redis.set(receipt, "somebody's")
            assert (await api.score("ann", 5, board="arena")).status == 200

            async def is_set_right() -> bool:
                return bool(await redis.get(receipt) == written)

            await wait_until(is_set_right, description="the receipt is there again")
            answer = await api.score("ann", 5, board="arena")
            assert (*answer.outcome, answer.json["score"]) == (409, "duplicate_action", 5)
            assert (await READ(api, "arena")).json["score"] == 5
    [told] = [line for line in logs if line["event"] == "receipt_lost"]
    assert (told["board"], told["about"]) == ("arena", written.split(b",")[3].decode())


async def test_reports_and_tickets_that_cannot_be_read_count_as_absent(redis: Redis) -> None:
    await redis.set(PATROL, '{"at')
    await redis.set(PERSISTER_TROUBLES, "[1]")
    reports = PatrolReports(redis)
    assert await reports.latest() is None
    assert await PersisterReports(redis).latest() == []
    await reports.publish(PatrolReport(1, 2, 3), valid=60)
    assert await reports.latest() == PatrolReport(1, 2, 3)

    token = "t" * 22
    await redis.set(ticket(token), '{"subject":')
    assert await RedisTickets(redis).redeem(token) is None


async def test_the_audit_of_periods_stands_an_event_that_is_none(redis: Redis) -> None:
    audit: Any = RedisAudit(redis, keyspace=KEYSPACE)
    meta: Any = KEYSPACE.board("arena").meta
    await redis.hset(meta, mapping={"event": "latest", "period:week": "junk"})
    now, periods = await audit.periods("arena", ["week"])
    assert now > 0
    assert periods == {"week": "junk"}
