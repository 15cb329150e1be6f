"""What could not be written to Postgres, and another attempt, over HTTP."""

from __future__ import annotations

import asyncpg
import pytest

from scoreboard.api import dead_letters
from tests.integration.api.described_api import Api
from tests.support.dead_letters import bury
from tests.support.ledger_entries import fields, sums

LETTERS = "/api/admin/dead-letters"
RETRY = f"{LETTERS}/retry"


@pytest.fixture
def admin(api: Api) -> Api:
    return api.bearing(api.service.token("admin", subject="eve"))


def unreadable(user: str) -> dict[bytes, bytes]:
    """An entry in a format that no version knows."""
    raw = fields(user)
    return raw | {b"d": raw[b"d"].replace(b'"v":1', b'"v":0')}


async def test_they_are_listed_the_oldest_first(admin: Api, database: asyncpg.Connection) -> None:
    assert (await admin.get(LETTERS)).json == {"letters": [], "more": False, "next": None}
    second = await bury(database, fields(), 2)
    first = await bury(database, fields(), 1, error="no such field")
    told = {"name": first, "created": "2026-01-01T00:00:00Z", "error": "no such field"}
    page = (await admin.get(f"{LETTERS}?limit=1")).json
    assert page == {"letters": [told], "more": True, "next": page["next"]}
    rest = (await admin.get(f"{LETTERS}?limit=1&cursor={page['next']}")).json
    assert ([one["name"] for one in rest["letters"]], rest["more"]) == ([second], False)
    listed = (await admin.get(LETTERS)).json
    assert [one["name"] for one in listed["letters"]] == [first, second]
    assert listed["more"] is False
    for query in ("limit=0", "cursor=1", f"cursor={'9' * 18}:0:1-1"):
        assert (await admin.get(f"{LETTERS}?{query}")).outcome == (400, "invalid_request")


async def test_what_can_be_written_by_now_counts_and_the_rest_says_why_not(
    admin: Api, database: asyncpg.Connection
) -> None:
    good = await bury(database, fields("ann", score=5), 1)
    bad = await bury(database, unreadable("cy"), 2)
    retried = await admin.call("POST", RETRY)
    assert retried.status == 200
    (first, second) = retried.json["results"]
    assert first == {"name": good, "error": None}
    assert second["name"] == bad
    assert "format 0" in second["error"]
    assert retried.json["more"] is False

    assert await sums(database) == {"ann": 5}
    assert (await admin.get("/api/boards/arena/users/ann")).json["score"] == 5
    (left,) = (await admin.get(LETTERS)).json["letters"]
    assert (left["name"], left["error"]) == (bad, second["error"])
    audited = await database.fetch("SELECT actor, decision, board, details FROM admin_audit")
    assert [tuple(row) for row in audited] == [
        ("eve", "dead_letter_written", "arena", f'{{"letter": "{good}"}}')
    ]


async def test_those_that_are_named_are_tried_and_no_others(
    admin: Api, database: asyncpg.Connection
) -> None:
    first = await bury(database, fields("ann", "a1", score=5), 1)
    second = await bury(database, fields("bob", "a2", score=5), 2)
    named = await admin.post(RETRY, {"names": [second, "0:1-1"]})
    assert named.json == {"results": [{"name": second, "error": None}], "more": False, "next": None}
    again = await admin.post(RETRY, {"names": [second]})
    assert again.json == {"results": [], "more": False, "next": None}
    assert [one["name"] for one in (await admin.get(LETTERS)).json["letters"]] == [first]
    for names in ([], ["no name"], ["0:1-1\n"], [first] * 201):
        assert (await admin.post(RETRY, {"names": names})).outcome == (400, "invalid_request")


async def test_what_stays_dead_does_not_keep_from_trying_what_is_behind_it(
    admin: Api, database: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "MAX_LETTERS", 2)
    for number in (1, 2, 3):
        await bury(database, unreadable("cy"), number)
    await bury(database, fields("ann", score=5), 4)
    first = (await admin.call("POST", RETRY)).json
    assert [len(first["results"]), first["more"]] == [2, True]
    last = (await admin.post(RETRY, {"cursor": first["next"]})).json
    assert [one["error"] is None for one in last["results"]] == [False, True]
    assert (last["more"], last["next"]) == (False, None)
    assert (await admin.post(RETRY, {"cursor": "1:2"})).outcome == (400, "invalid_request")


async def test_a_call_that_takes_long_says_that_there_are_more(
    admin: Api, database: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bury(database, fields("ann", score=5))
    monkeypatch.setattr(dead_letters, "PATIENCE", 0.0)
    assert (await admin.call("POST", RETRY)).json == {"results": [], "more": True, "next": None}
    monkeypatch.undo()
    assert len((await admin.call("POST", RETRY)).json["results"]) == 1


async def test_they_are_for_administrators_of_all_boards(api: Api) -> None:
    some = api.bearing(api.service.token("admin", boards=["arena"]))
    for method, path in (("GET", LETTERS), ("POST", RETRY)):
        assert (await api.bearing(None).call(method, path)).outcome == (401, "unauthorized")
        assert (await api.call(method, path)).outcome == (403, "forbidden")
        assert (await some.call(method, path)).outcome == (403, "forbidden"), "of any board"
