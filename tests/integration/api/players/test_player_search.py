"""How operators find players on all boards, and readers of a board those of that board."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from unittest.mock import AsyncMock, Mock

import asyncpg
import pytest
from aiohttp.test_utils import make_mocked_request

from scoreboard.api.players.board_search import MOST_AT_ONCE, BoardSearchHandlers
from scoreboard.domain.found_players import FoundPlayer
from scoreboard.errors import Unavailable
from scoreboard.pg.sql import statements
from tests.integration.api.conftest import StartApi
from tests.integration.api.described_api import Api
from tests.support.waiting import wait_until

PLAYERS = "/api/admin/players"
USERS = "/api/boards/global/users"


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


async def test_a_reader_finds_players_of_a_board_by_the_beginning_of_their_names(api: Api) -> None:
    names = {"u1": "Ada", "u2": "ADAM", "u3": "Bob", "u4": "Adam", "u5": "Adele", "u6": "Adrian"}
    for points, (user, name) in enumerate(names.items(), start=1):
        await put_profile(api, user, displayName=name)
        if user != "u6":  # who is on no board
            assert (await api.score(user, 100 - points, board="global")).status == 200
    await put_profile(api, "u4", displayName="Adam", visibility="anonymous")
    await put_profile(api, "u5", displayName="Adele", visibility="hidden")

    found = (await api.get(f"{USERS}?name=aD")).json
    assert [
        (one["userId"], one["rank"], one["score"], one["player"]) for one in found["users"]
    ] == [
        ("u1", 1, 99, {"displayName": "Ada"}),
        ("u2", 2, 98, {"displayName": "ADAM"}),
    ]
    assert found["more"] is False
    first = (await api.get(f"{USERS}?name=ada&limit=1")).json
    assert ([one["userId"] for one in first["users"]], first["more"]) == (["u1"], True)
    assert (await api.get(f"{USERS}?name=u1")).json == {"users": [], "more": False}
    assert (await api.get("/api/boards/nowhere/users?name=a")).outcome == (404, "unknown_board")


async def test_a_search_on_a_board_goes_by_who_may_read_it_and_has_bounds(
    start_api: StartApi,
) -> None:
    api = await start_api(public_reads=False)
    assert (await api.score("bob", 1, board="global")).status == 200
    assert (await api.bearing(None).get(f"{USERS}?name=a")).outcome == (401, "unauthorized")
    reader = api.bearing(api.service.token("board:read"))
    assert (await reader.get(f"{USERS}?name=a")).json == {"users": [], "more": False}
    for query, path in (("", "name"), (f"name={'x' * 41}", "name"), ("name=a&limit=101", "limit")):
        answer = await reader.get(f"{USERS}?{query}")
        assert (answer.outcome, answer.json["path"]) == ((400, "invalid_request"), path)


async def test_more_searches_at_once_than_there_are_places_for_are_put_off() -> None:
    going, busy = asyncio.Event(), asyncio.Event()

    async def named(beginning: str, limit: int) -> list[FoundPlayer]:
        busy.set()
        await going.wait()
        return []

    presentation = Mock(seen=AsyncMock())
    handlers = BoardSearchHandlers(
        *(Mock(named=named), Mock(), AsyncMock(), presentation, AsyncMock())
    )
    request = make_mocked_request("GET", "/?name=ada", match_info={"board": "arena"})
    presentation.seen.return_value.standings = Mock(return_value=[])
    running = [asyncio.create_task(handlers.find(request)) for _ in range(MOST_AT_ONCE)]
    await busy.wait()
    with pytest.raises(Unavailable, match="Many players are being looked for"):
        await handlers.find(request)
    going.set()
    assert [answer.status for answer in await asyncio.gather(*running)] == [200] * MOST_AT_ONCE
    assert (await handlers.find(request)).status == 200
