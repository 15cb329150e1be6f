"""Deleting and clearing boards over HTTP, and what those who watch them see."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator

import asyncpg
import msgspec
import pytest

from scoreboard.settings import Settings
from scoreboard.workers import remover
from tests.integration.api.conftest import StartApi
from tests.integration.api.described_api import Api
from tests.integration.api.test_periods import YEARS
from tests.support.posts_around import posts_around
from tests.support.waiting import PATIENCE, wait_until

ARENA = "/api/admin/boards/arena"


@pytest.fixture
async def api(start_api: StartApi) -> AsyncIterator[Api]:
    """A service whose board ``arena`` has a score, for the bearer of every right."""
    api = await start_api()
    token = api.service.token("score:write board:read admin")
    async with api.service.persisting():
        posting = api.bearing(token)
        assert (await posting.score("ann", 5, board="arena")).status == 200
        yield posting


async def test_a_removal_has_to_name_the_board_twice(api: Api) -> None:
    for query in ("", "?confirm=", "?confirm=global", "?confirm=arena&confirm=global"):
        for method, path in (("DELETE", ARENA), ("POST", f"{ARENA}/clear")):
            answer = await api.call(method, path + query)
            assert answer.outcome == (400, "invalid_request"), query
            assert answer.json["path"] == "confirm"
    assert (await api.get("/api/boards/arena/users/ann")).json["score"] == 5


async def test_only_those_who_may_moderate_the_board_may_remove_it(api: Api) -> None:
    service = api.service
    for token in (service.token(), service.token("admin", boards=["global"])):
        answer = await api.bearing(token).call("DELETE", f"{ARENA}?confirm=arena")
        assert answer.outcome == (403, "forbidden")


async def test_who_watches_a_board_that_is_cleared_sees_it_empty_and_then_fill_again(
    api: Api,
) -> None:
    async with api.http.ws_connect(f"{api.service.url}/ws/boards/arena") as socket:
        snapshot = await socket.receive_json(timeout=PATIENCE)
        answer = await api.call("POST", f"{ARENA}/clear?confirm=arena")
        assert (answer.status, answer.json) == (200, {"board": "arena", "done": True})
        empty = await socket.receive_json(timeout=PATIENCE)
        assert (empty["type"], empty["topScores"]) == ("update", [])
        assert (await api.score("ann", 5, board="arena")).status == 200, "it is a new action"
        filled = await socket.receive_json(timeout=PATIENCE)
        assert [entry["score"] for entry in filled["topScores"]] == [5]
    assert snapshot["version"] < empty["version"] < filled["version"]


async def test_who_watches_a_board_that_is_deleted_is_told_4404(api: Api) -> None:
    async with api.http.ws_connect(f"{api.service.url}/ws/boards/arena") as socket:
        before = (await socket.receive_json(timeout=PATIENCE))["version"]
        answer = await api.call("DELETE", f"{ARENA}?confirm=arena")
        assert (answer.status, answer.json) == (200, {"board": "arena", "done": True})
        await socket.receive(timeout=PATIENCE)
        assert socket.close_code == 4404
    for path in ("/api/boards/arena/top", ARENA):
        assert (await api.get(path)).outcome == (404, "unknown_board")
    answer = await api.call("DELETE", f"{ARENA}?confirm=arena")
    assert answer.outcome == (404, "unknown_board")

    assert (await api.score("ann", 5, board="arena")).status == 200
    async with api.http.ws_connect(f"{api.service.url}/ws/boards/arena") as socket:
        assert (await socket.receive_json(timeout=PATIENCE))["version"] > before


async def test_a_removal_that_takes_long_answers_202_and_writes_get_503(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = remover.Remover._finish

    async def stuck(*_: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(remover.Remover, "_finish", stuck)
    answer = await api.call("POST", f"{ARENA}/clear?confirm=arena")
    assert (answer.status, answer.json) == (202, {"board": "arena", "done": False})
    for refused in (
        await api.score("ann", 5, board="arena"),
        await api.get("/api/boards/arena/top"),
        await api.get(ARENA),
    ):
        assert refused.outcome == (503, "unavailable")
        assert int(refused.headers["Retry-After"]) > 0
    monkeypatch.setattr(remover.Remover, "_finish", finish)
    assert (await api.call("POST", f"{ARENA}/clear?confirm=arena")).status == 200
    assert (await api.score("ann", 5, board="arena")).status == 200


async def test_the_occurrences_of_a_cleared_board_are_gone_and_counted_from_the_first_again(
    api: Api,
) -> None:
    every = {"name": "era", "every": "P3660D", "start": "2026-01-01T00:00:00Z"}
    made = await api.call("PUT", "/api/admin/boards/cup", json={"periods": [every]})
    assert made.status == 200
    for action in ("a1", "a2"):
        answer = await api.score("ann", 5, action, board="cup")
        assert answer.json["periods"]["era"] == {
            "occurrence": 1, "score": 5, "rank": 1, "changed": True,
        }  # fmt: skip
        assert (await api.call("POST", "/api/admin/boards/cup/clear?confirm=cup")).status == 200


async def test_a_role_with_the_rights_of_before_serves_all_but_this(
    api: Api, start_api: StartApi, settings: Settings, database: asyncpg.Connection
) -> None:
    """The role may not delete rows of the ledger; it is told so, and nothing has changed."""
    role = f"before_{settings.database_url.rpartition('/')[2]}"
    await database.execute(f"""
        CREATE ROLE "{role}" LOGIN PASSWORD 'x';
        GRANT USAGE ON SCHEMA public TO "{role}";
        GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO "{role}";
        GRANT DELETE ON dead_event, revoked_token TO "{role}";
    """)
    try:
        scheme, _, rest = settings.database_url.partition("://")
        url = f"{scheme}://{role}:x@{rest.partition('@')[2] or rest}"
        limited = await start_api(msgspec.structs.replace(settings, database_url=url))
        limited = limited.bearing(api.service.token("score:write board:read admin"))
        answer = await limited.call("DELETE", f"{ARENA}?confirm=arena")
        assert answer.outcome == (503, "unavailable")
        assert "--grant-to" in answer.json["detail"]
        assert (await limited.score("ann", 5, "another", board="arena")).status == 200
        assert (await limited.score("ann", 5, board="made")).status == 200
        await limited.service.stop()
    finally:
        await database.execute(f'DROP OWNED BY "{role}"')
        await database.execute(f'DROP ROLE "{role}"')


@pytest.mark.parametrize(("method", "path"), [("DELETE", ARENA), ("POST", f"{ARENA}/clear")])
async def test_whoever_posts_while_a_board_is_removed_counts_after_it_or_gets_503(
    api: Api, database: asyncpg.Connection, method: str, path: str
) -> None:
    assert (await api.call("PATCH", ARENA, json={"periods": [YEARS]})).status == 200

    async def post(user: str, action: str) -> bool:
        answer = await api.score(user, 1, action, board="arena")
        if answer.status == 503:
            assert int(answer.headers["Retry-After"]) > 0
            return False
        assert answer.status == 200, answer
        return True

    async def remove() -> None:
        answer = await api.call(method, f"{path}?confirm=arena")
        assert answer.status in (200, 202), answer
        while not answer.json["done"]:
            answer = await api.call(method, f"{path}?confirm=arena")
            assert answer.status in (200, 202), answer

    acknowledged = await posts_around(remove, post)
    assert (await api.score("last", 1, board="arena")).status == 200
    shown = await api.top("arena")
    if method == "POST":  # its rules are there still
        answer = await api.get("/api/boards/arena/top?period=years")
        assert {one["userId"]: one["score"] for one in answer.json["topScores"]} == shown

    async def ledger() -> list[asyncpg.Record]:
        rows: list[asyncpg.Record] = await database.fetch(
            "SELECT user_id, action_id FROM score_action WHERE board = 'arena'"
        )
        return rows

    async def stored() -> bool:
        return Counter(row["user_id"] for row in await ledger()) == shown

    await wait_until(stored, description="the ledger has what the board shows")
    counted = {row["action_id"] for row in await ledger()} - {"a1"}
    assert acknowledged.after <= counted <= acknowledged.after | acknowledged.meanwhile
