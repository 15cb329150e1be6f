"""The board setting ``ids``: ids that look like another's are refused by the boards of a new
installation, and taken as ever by those of one that was there before."""

from __future__ import annotations

from typing import Any

import asyncpg

from tests.integration.api.conftest import StartApi
from tests.integration.api.described_api import Api
from tests.support.waiting import wait_until

HIDDEN = "ann\u202e"


async def is_open(api: Api) -> None:
    """Returns once the default board is there, and with it the row that says how new this is."""

    async def found() -> bool:
        return (await api.get("/readyz")).status == 200

    await wait_until(found, description="the service is ready")


def admin(api: Api) -> Api:
    return api.bearing(api.service.token("admin"))


async def join(api: Api, user: str) -> Any:
    return await api.post("/api/boards/arena/join", {"userId": user})


async def put(api: Api, board: str, **rules: Any) -> Any:
    answer = await admin(api).call("PUT", f"/api/admin/boards/{board}", json=rules)
    assert answer.status == 200, answer
    return answer.json


async def test_boards_of_a_new_installation_take_what_can_be_seen(api: Api) -> None:
    for board in ("global", "arena"):
        refused = await api.score(HIDDEN, 15, board=board)
        assert refused.outcome == (400, "invalid_request")
        assert (refused.json["path"], "U+202E" in refused.json["detail"]) == ("userId", True)
        assert (await api.score("josé", 15, board=board)).status == 200
        assert await api.top(board) == {"josé": 15}
    assert (await admin(api).get("/api/admin/boards/arena")).json["ids"] == "nfc-visible"


async def test_so_do_those_that_are_made_before_its_first_process_has_said_that_it_is_new(
    api: Api, database: asyncpg.Connection
) -> None:
    await is_open(api)
    await database.execute("DELETE FROM setup")
    assert (await put(api, "arena"))["ids"] == "nfc-visible"
    assert (await api.score("ann", 15, board="duel")).status == 200
    assert (await admin(api).get("/api/admin/boards/duel")).json["ids"] == "nfc-visible"


async def test_in_a_batch_each_is_refused_by_itself_with_its_path(api: Api) -> None:
    users = ["ann", HIDDEN, "bob", "jose\u0301"]
    actions = [{"userId": user, "actionId": "a", "points": 1} for user in users]
    results = (await api.post("/api/scores", {"actions": actions})).json["results"]
    assert [result["status"] for result in results] == [200, 400, 200, 400]
    assert [results[at]["path"] for at in (1, 3)] == ["actions[1].userId", "actions[3].userId"]
    assert await api.top() == {"bob": 1, "ann": 1}


async def test_boards_of_an_installation_that_was_there_before_take_any_id(
    old_api: Api,
) -> None:
    api = old_api
    for board in ("global", "arena"):
        assert (await api.score(HIDDEN, 15, board=board)).status == 200
    assert (await put(api, "duel"))["ids"] == "any"


async def test_the_rule_can_be_set_and_holds_from_the_next_call_on(
    start_api: StartApi,
) -> None:
    api, other = await start_api(), await start_api()
    assert (await put(api, "arena"))["ids"] == "nfc-visible"
    assert (await put(api, "duel", ids="any"))["ids"] == "any"
    for server in (api, other):
        assert (await server.score("josé", 1, board="arena")).status in (200, 409)
        assert (await server.score(HIDDEN, 1, board="duel")).status in (200, 409)
    for board, rule in (("arena", "ascii"), ("duel", "nfc-visible")):
        change = await admin(api).call("PATCH", f"/api/admin/boards/{board}", json={"ids": rule})
        assert (change.status, change.json["ids"]) == (200, rule)
    for server in (api, other):
        assert (await server.score("josé", 1, "a2", board="arena")).status == 400
        assert (await server.score("ann", 1, "a2", board="arena")).status in (200, 409)
        assert (await server.score(HIDDEN, 1, "a2", board="duel")).status == 400


async def test_a_rule_that_was_loosened_refuses_nobody_any_more_even_if_nobody_else_posts(
    start_api: StartApi,
) -> None:
    api, other = await start_api(), await start_api()
    await put(api, "arena", ids="ascii", join="required")
    for server in (api, other):
        for body in (await server.score("josé", 1, board="arena"), await join(server, "josé")):
            assert body.status == 400
    change = await admin(api).call("PATCH", "/api/admin/boards/arena", json={"ids": "any"})
    assert change.status == 200
    for server in (api, other):
        assert (await join(server, "josé")).status == 200
        assert (await server.score("josé", 1, board="arena")).status in (200, 409)


NO_RULES: tuple[Any, ...] = ("none", "ASCII", "", None, 1)


async def test_a_rule_that_there_is_not_is_refused_by_name(api: Api) -> None:
    for rule in NO_RULES:
        answer = await admin(api).call("PUT", "/api/admin/boards/arena", json={"ids": rule})
        assert answer.outcome == (400, "invalid_request"), rule
        assert answer.json["path"] == "ids", rule
