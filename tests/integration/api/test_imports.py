"""Standings that are sent to a board, some rows a call."""

from __future__ import annotations

from typing import Any

import asyncpg
import msgspec
import pytest

from tests.integration.api.described_api import Answer, Api

IMPORT = "/api/admin/boards/arena/import"


@pytest.fixture
async def admin(api: Api) -> Api:
    """An administrator of a service with the board ``arena``, whose gate is off."""
    await api.service.make_board("arena")
    return api.bearing(api.service.token("admin", subject="eve"))


async def take(admin: Api, *rows: tuple[str, str], **more: Any) -> Answer:
    listed = [{"userId": user, "score": score} for user, score in rows]
    return await admin.post(IMPORT, {"source": "season.csv", "rows": listed, **more})


async def test_totals_are_imported_in_their_order_and_a_second_time_changes_nothing(
    admin: Api, database: asyncpg.Connection
) -> None:
    rows = (("bob", "7"), ("cy", "7"), ("ann", "3000000000"))
    first = await take(admin, *rows)
    assert first.json == {"imported": 3, "before": 0, "leftOut": []}
    again = await take(admin, *rows)
    assert again.json == {"imported": 0, "before": 3, "leftOut": []}
    assert await admin.top("arena") == {"ann": 3_000_000_000, "bob": 7, "cy": 7}
    audited = await database.fetch("SELECT actor, decision, board, details FROM admin_audit")
    assert [tuple(row)[:3] for row in audited] == [("eve", "board_imported", "arena")] * 2
    details = msgspec.json.decode(audited[0]["details"])
    assert details | {"counts": {}} == {
        "source": "season.csv", "decimals": 0, "rows": 3, "counts": {},
    }  # fmt: skip


async def test_a_row_that_can_not_be_taken_is_told_by_its_number_and_stops_no_other(
    admin: Api,
) -> None:
    answer = await take(
        admin, ("ann", "83.204"), ("bob", "1.2345"), ("", "1"), ("cy", "NaN"), decimals=3, first=41
    )
    assert answer.json["imported"] == 1
    told = {one["row"]: (one["userId"], one["score"]) for one in answer.json["leftOut"]}
    assert told == {42: ("bob", "1.2345"), 43: ("", "1"), 44: ("cy", "NaN")}
    assert "has 4 decimals" in answer.json["leftOut"][0]["reason"]
    assert await admin.top("arena") == {"ann": 83_204}

    other = (await take(admin, ("ann", "84"), decimals=3)).json
    assert (other["imported"], other["before"]) == (0, 0)
    assert other["leftOut"][0]["reason"] == "imported before with another total"


async def test_a_user_who_comes_twice_counts_by_the_first_row_and_makes_no_case(
    admin: Api, database: asyncpg.Connection
) -> None:
    rows = (("ann", "5"), ("bob", "6"), ("ann", "3000000000"), ("bob", "6.0"), ("cy", "NaN"))
    answer = (await take(admin, *rows, ("cy", "sNaN"), ("cy", "7"))).json
    assert (answer["imported"], answer["before"]) == (2, 1)
    reasons = {one["row"]: one["reason"] for one in answer["leftOut"]}
    assert reasons.keys() == {3, 5, 6, 7}
    assert reasons[3] == "the user is in an earlier row with another score"
    assert await admin.top("arena") == {"bob": 6, "ann": 5}
    assert await database.fetchval("SELECT count(*) FROM review") == 0


async def test_of_a_total_that_takes_several_actions_nothing_counts_when_the_first_does_not(
    admin: Api,
) -> None:
    await take(admin, ("ann", "5"))
    answer = (await take(admin, ("ann", "3000000000"))).json
    assert answer["leftOut"][0]["reason"] == "imported before with another total"
    assert await admin.top("arena") == {"ann": 5}


async def test_a_board_whose_gate_is_on_takes_nothing(admin: Api) -> None:
    change = {"mode": "flag"}
    assert (await admin.call("PATCH", "/api/admin/boards/arena", json=change)).status == 200
    assert (await take(admin, ("ann", "1"))).outcome == (409, "gate_is_on")
    assert await admin.top("arena") == {}


async def test_what_is_wrong_with_a_call_is_named(admin: Api) -> None:
    for wrong, path in (
        ({"rows": []}, "rows"),
        ({"rows": [{"userId": "a", "score": "x"}]}, "rows[0].score"),
        ({"rows": [{"userId": "a", "score": "1"}] * 1001}, "rows"),
        ({"source": ""}, "source"),
        ({"decimals": 7}, "decimals"),
        ({"more": 1}, "more"),
    ):
        answer = await take(admin, ("ann", "1"), **wrong)
        assert answer.outcome == (400, "invalid_request"), wrong
        assert answer.json["path"] == path, wrong
    unknown = await admin.post(
        IMPORT.replace("arena", "none"),
        {"source": "x", "rows": [{"userId": "a", "score": "1"}]},
    )
    assert unknown.outcome == (404, "unknown_board")


async def test_erased_players_stay_erased(admin: Api) -> None:
    assert (await take(admin, ("ann", "5"))).json["imported"] == 1
    async with admin.service.persisting():
        assert (await admin.call("DELETE", "/api/users/ann?mode=erase")).status == 202
        answer = await take(admin, ("ann", "5"), ("bob", "4"))
    assert answer.json["imported"] == 1
    assert [one["reason"] for one in answer.json["leftOut"]] == ["the player was erased"]


async def test_it_is_for_administrators_of_the_board(admin: Api) -> None:
    body = {"source": "x", "rows": [{"userId": "a", "score": "1"}]}
    for token, outcome in (
        (None, (401, "unauthorized")),
        (admin.service.token("score:write"), (403, "forbidden")),
        (admin.service.token("admin", boards=["laps"]), (403, "forbidden")),
    ):
        assert (await admin.bearing(token).post(IMPORT, body)).outcome == outcome
