"""A slot that moves key by key, stopped in between: some of a board's keys are here, some there,
and the servers refuse what names both (TRYAGAIN)."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import ClientSession

from scoreboard.settings import Settings
from scoreboard.wire.keys import Keyspace
from scripts.load.clusters import PASSWORD, RedisCluster
from tests.support.whole_service import Service, service

BOARD = "/api/boards/arena"
ADMIN = f"/api/admin{BOARD[4:]}"
ANN = {"userId": "ann", "actionId": "a1", "points": 5}
BOB = {"userId": "bob", "actionId": "b1", "points": 7}

READS = [
    *(f"{BOARD}{rest}" for rest in ("", "/top", "/standings", "/rank?score=3")),
    *(f"{BOARD}/users/ann{rest}" for rest in ("", "/around", "/history", "/explain")),
    *(f"{ADMIN}{rest}" for rest in ("", "/export")),
    *("/api/users/ann", "/api/users/ann/export", "/api/admin/players/ann", "/api/admin/health"),
]
CHANGES: list[tuple[str, str, Any]] = [
    ("POST", f"{BOARD}/score", BOB),
    ("POST", f"{BOARD}/scores", {"actions": [ANN, BOB]}),
    ("POST", f"{BOARD}/score", ANN),
    ("POST", f"{BOARD}/users:lookup", {"userIds": ["ann", "bob"]}),
    ("POST", f"{BOARD}/join", {"userId": "bob"}),
    ("POST", "/api/ws-ticket", {}),
    ("PATCH", ADMIN, {"title": "Arena"}),
    ("POST", f"{ADMIN}/users/ann/hide", {"reason": "tried"}),
    ("POST", f"{ADMIN}/users/ann/show", {"reason": "tried"}),
    ("PUT", "/api/users/ann", {"displayName": "Ann"}),
]


async def test_in_the_middle_of_a_move_calls_get_an_answer_or_503_and_nothing_counts_twice(
    redis_cluster: RedisCluster, settings: Settings, http: ClientSession
) -> None:
    named = msgspec.structs.replace(settings, redis_url=redis_cluster.url)
    keys = Keyspace(named.partitions).board("arena")
    async with (
        service(named) as patient,
        service(named, redis_timeout=0.3) as running,
        patient.persisting(),
    ):
        assert await call(patient, http, "POST", f"{BOARD}/score", ANN) == (200, 5)
        home = await redis_cluster.owner(keys.meta)
        away = next(server for server in redis_cluster.servers if server is not home)
        there = (away.host, away.port, keys.board, 0, 5000, "AUTH", PASSWORD)
        async with redis_cluster.moving_slot(keys.meta, away), redis_cluster.client(home) as old:
            await old.execute_command("MIGRATE", *there)
            told = {path: (await call(running, http, "GET", path))[0] for path in READS}
            for method, path, body in CHANGES:
                told[f"{method} {path}"] = (await call(running, http, method, path, body))[0]
            assert set(told.values()) <= {200, 201, 202, 204, 404, 503}, told
            assert told[f"POST {BOARD}/score"] == 503
            assert told[f"{BOARD}/top"] == 200  # from Postgres
        await redis_cluster.move_slot(keys.meta, away)

        answers = [await call(patient, http, "POST", f"{BOARD}/score", one) for one in (ANN, BOB)]
        assert answers == [(409, 5), (200, 7)]
        (_, top) = await call(patient, http, "GET", f"{BOARD}/top")
        assert top == [("bob", 7), ("ann", 5)]
        await redis_cluster.move_slot(keys.meta, home)


async def call(
    running: Service, http: ClientSession, method: str, path: str, body: Any = None
) -> tuple[int, Any]:
    """The status, and the score or the top that the answer has. Who can't be told on a busy machine
    what became of a call repeats it, as clients do."""
    token = running.token("score:write admin board:read")
    bearer = {"Authorization": f"Bearer {token}"}
    async with http.request(method, running.url + path, json=body, headers=bearer) as answer:
        told = {} if answer.content_type == "text/csv" else await answer.json(content_type=None)
    if answer.status == 503:
        assert answer.headers["Retry-After"], path
        if told["code"] == "outcome_unknown":
            return await call(running, http, method, path, body)
        assert told["code"] == "unavailable", (path, told)
    told = told or {}
    top = [(row["userId"], row["score"]) for row in told.get("topScores", ())]
    return answer.status, top or told.get("score")
