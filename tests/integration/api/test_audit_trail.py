"""What administrators and operators did, as it is read over HTTP."""

from __future__ import annotations

import asyncpg
import pytest

from tests.integration.api.described_api import Api

AUDIT = "/api/admin/audit"
LINES = (  # actor, decision, board, user
    ("eve", "board_set", "arena", None),
    ("eve", "user_hidden", "arena", "ann"),
    ("mallory", "user_hidden", "laps", "ann"),
    ("mallory", "token_revoked", None, None),
)


@pytest.fixture
async def admin(api: Api, database: asyncpg.Connection) -> Api:
    """An administrator of a service in which these four things were done, one on each of the first
    days of 2026, in this order."""
    for day, line in enumerate(LINES):
        await database.execute(
            "INSERT INTO admin_audit (actor, decision, board, user_id, reason, details, at)"
            " VALUES ($1, $2, $3, $4, 'so', '{\"a\": [1]}',"
            " '2026-01-01Z'::timestamptz + make_interval(days => $5))",
            *line,
            day,
        )
    return api.bearing(api.service.token("admin"))


async def done(admin: Api, query: str = "") -> list[int]:
    """The ids of the lines that are listed."""
    answer = await admin.get(f"{AUDIT}?{query}")
    assert answer.status == 200, answer
    return [one["id"] for one in answer.json["entries"]]


async def test_lines_are_listed_whole_the_newest_first(admin: Api) -> None:
    assert await done(admin) == [4, 3, 2, 1]
    newest, hidden, *_ = (await admin.get(AUDIT)).json["entries"]
    assert newest.keys() == hidden.keys()
    assert hidden | {"at": None} == {
        "id": 3,
        "at": None,
        "actor": "mallory",
        "decision": "user_hidden",
        "board": "laps",
        "userId": "ann",
        "actionId": None,
        "reviewId": None,
        "reason": "so",
        "details": {"a": [1]},
    }
    assert hidden["at"] is not None
    assert newest["board"] is None


async def test_a_filter_leaves_what_fits_all_of_it(admin: Api) -> None:
    assert await done(admin, "actor=eve") == [2, 1]
    assert await done(admin, "decision=user_hidden") == [3, 2]
    assert await done(admin, "board=arena") == [2, 1]
    assert await done(admin, "user=ann") == [3, 2]
    assert await done(admin, "user=ann&board=laps&actor=mallory") == [3]
    assert await done(admin, "actor=nobody") == []
    assert await done(admin, "from=2026-01-03T00:00:00Z") == [4, 3]
    assert await done(admin, "to=2026-01-03T00:00:00Z") == [2, 1]
    assert await done(admin, "from=2026-01-02T00:00:00Z&to=2026-01-04T00:00:00Z&user=ann") == [3, 2]


async def test_pages_follow_one_another_and_end(admin: Api) -> None:
    first = (await admin.get(f"{AUDIT}?limit=3")).json
    assert [one["id"] for one in first["entries"]] == [4, 3, 2]
    last = (await admin.get(f"{AUDIT}?limit=3&cursor={first['next']}")).json
    assert ([one["id"] for one in last["entries"]], last["next"]) == ([1], None)


async def test_what_is_wrong_with_a_question_is_named(admin: Api) -> None:
    for query in (
        *("board=No%20Board", "decision=board-set", "actor=", "user=a%00b", "limit=201"),
        *("limit=0", "cursor=x", "from=yesterday", "from=2026-01-02&to=2026-01-02"),
    ):
        answer = await admin.get(f"{AUDIT}?{query}")
        assert answer.outcome == (400, "invalid_request"), query
        assert answer.json["path"] == query.partition("=")[0]


async def test_a_token_for_some_boards_sees_what_is_about_these(admin: Api) -> None:
    some = admin.bearing(admin.service.token("admin", boards=["arena"]))
    assert await done(some) == [2, 1]
    assert await done(some, "user=ann") == [2]
    assert (await some.get(f"{AUDIT}?board=laps")).outcome == (403, "forbidden")
    game = admin.bearing(admin.service.token("score:write"))
    assert (await game.get(AUDIT)).outcome == (403, "forbidden")
    assert (await admin.bearing(None).get(AUDIT)).outcome == (401, "unauthorized")
