"""How operators find players."""

from __future__ import annotations

import json
from typing import Any

import asyncpg
import pytest

from scoreboard.pg.sql import statements
from tests.integration.api.conftest import StartApi
from tests.integration.api.described_api import Api
from tests.support.waiting import wait_until

PLAYERS = "/api/admin/players"


@pytest.fixture
def admin(api: Api) -> Api:
    return api.bearing(api.service.token("admin"))


async def put_profile(api: Api, user: str, **profile: Any) -> None:
    answer = await api.call(
        "PUT",
        f"/api/users/{user}",
        data=json.dumps(profile).encode(),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status == 200, answer


async def test_a_player_is_found_by_the_beginning_of_the_name_whoever_may_see_it(
    api: Api, admin: Api
) -> None:
    await put_profile(api, "u1", displayName="Ada Lovelace")
    await put_profile(api, "u2", displayName="ADAM", visibility="hidden")
    await put_profile(api, "u3", displayName="Bob 100%")
    ada = {"userId": "u1", "displayName": "Ada Lovelace", "visibility": "public"}
    adam = {"userId": "u2", "displayName": "ADAM", "visibility": "hidden"}
    found = (await admin.get(f"{PLAYERS}?name=ada")).json
    assert found == {"players": [ada, adam], "more": False}
    assert (await admin.get(f"{PLAYERS}?name=ADA&limit=1")).json == {"players": [ada], "more": True}
    # It is text, and no pattern.
    assert (await admin.get(f"{PLAYERS}?name=%25")).json["players"] == []
    assert len((await admin.get(f"{PLAYERS}?name=bob%20100%25")).json["players"]) == 1


async def test_names_are_found_by_their_index_in_whatever_script(
    api: Api, admin: Api, database: asyncpg.Connection
) -> None:
    for number, name in enumerate(("ÅdaM", "ÅDA", "Ada", "\u0622\u062f\u0627", "Åe")):
        await put_profile(api, f"u{number}", displayName=name)
    found = (await admin.get(f"{PLAYERS}?name=%C3%85dA")).json["players"]
    assert [one["displayName"] for one in found] == ["ÅDA", "ÅdaM"]
    arabic = (await admin.get(f"{PLAYERS}?name=%D8%A2")).json["players"]
    assert [one["userId"] for one in arabic] == ["u3"]

    await database.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
    query = statements("player_search")["named"].replace("$1", "'ad'").replace("$2", "20")
    plan = "\n".join(row[0] for row in await database.fetch(f"EXPLAIN {query}"))
    assert "Index Scan using profile_name" in plan
    assert "Sort" not in plan


@pytest.mark.parametrize("query", ["", "?name=", f"?name={'a' * 41}", "?name=a&limit=0"])
async def test_what_can_be_no_name_is_refused(admin: Api, query: str) -> None:
    assert (await admin.get(f"{PLAYERS}{query}")).outcome == (400, "invalid_request")


async def test_a_player_is_told_with_all_boards(api: Api, admin: Api) -> None:
    await api.service.make_board("laps", order="asc")
    await api.score("ann", 30, board="arena")
    await api.score("ann", 83204, board="laps")
    await api.score("bob", 1, board="duel")

    async def all_persisted() -> bool:
        return len((await admin.get(f"{PLAYERS}/ann")).json["boards"]) == 2

    async with api.service.persisting():
        await wait_until(all_persisted, description="ann's totals in Postgres")
        assert (await admin.post("/api/admin/boards/arena/users/ann/hide", {})).status == 200
        arena = {"board": "arena", "score": 30, "hidden": True, "unlisted": False}
        laps = {"board": "laps", "score": 83204, "hidden": False, "unlisted": False}
        told = (await admin.get(f"{PLAYERS}/ann")).json
        assert told == {"userId": "ann", "boards": [arena, laps]}

    some = api.bearing(api.service.token("admin", boards=["laps"]))
    assert (await some.get(f"{PLAYERS}/ann")).json["boards"] == [laps]
    assert (await some.get(f"{PLAYERS}?name=a")).outcome == (403, "forbidden")
    assert (await admin.get(f"{PLAYERS}/nobody")).json == {"userId": "nobody", "boards": []}


async def test_only_administrators_look_for_players(start_api: StartApi) -> None:
    api = await start_api(public_reads=True)
    for path in (f"{PLAYERS}?name=a", f"{PLAYERS}/ann"):
        assert (await api.bearing(None).get(path)).outcome == (401, "unauthorized")
        assert (await api.get(path)).outcome == (403, "forbidden")
