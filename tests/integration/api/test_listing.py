"""What a board is, and which boards there are."""

from __future__ import annotations

from scoreboard.domain.actions import MAX_POINTS
from tests.integration.api.described_api import Api

PLAIN = {
    "operator": "sum",
    "order": "desc",
    "decimals": 0,
    "rankStyle": "ordinal",
    "topSize": 10,
    "title": "",
    "unit": "",
    "description": "",
    "minPoints": -MAX_POINTS,
    "maxPoints": MAX_POINTS,
    "rate": None,
    "ids": "any",
    "opens": None,
    "closes": None,
    "attempts": None,
    "capacity": None,
    "join": "open",
    "periods": [],
    "allTime": True,
}


async def names(api: Api, query: str) -> tuple[list[str], str | None]:
    answer = await api.get(f"/api/boards?{query}")
    return [one["board"] for one in answer.json["boards"]], answer.json["next"]


async def test_a_board_is_told_with_every_rule_that_concerns_players(api: Api) -> None:
    await api.service.make_board("arena")
    for user in ("ann", "bob", "eve"):
        await api.score(user, 5, board="arena")
    version = (await api.get("/api/boards/arena/top")).headers["ETag"].strip('"')
    assert (await api.get("/api/boards/arena")).json == {
        "board": "arena",
        "rules": PLAIN,
        "users": 3,
        "version": int(version),
        "periods": [],
    }


async def test_what_an_operator_sets_is_told_at_once_but_not_what_the_gate_does(api: Api) -> None:
    admin = api.bearing(api.service.token("admin"))
    rules = {
        "operator": "best",
        "order": "asc",
        "decimals": 3,
        "rankStyle": "standard",
        "topSize": 3,
        "ids": "ascii",
        "title": "Monza",
        "unit": "s",
        "description": "The best lap.",
        "minPoints": 1,
        "maxPoints": 900_000,
        "rate": {"actions": 3, "seconds": 60.0},
        "opens": "2026-01-01T00:00:00Z",
        "closes": "2999-01-01T00:00:00Z",
        "attempts": 3,
        "capacity": 100,
        "join": "required",
    }
    hidden = {"mode": "flag", "allowHistory": True}
    answer = await admin.call("PUT", "/api/admin/boards/laps", json=rules | hidden)
    assert answer.status == 200, answer
    assert (await api.get("/api/boards/laps")).json["rules"] == PLAIN | rules

    await admin.call("PATCH", "/api/admin/boards/laps", json={"title": "Spa"})

    assert (await api.get("/api/boards/laps")).json["rules"] == PLAIN | rules | {"title": "Spa"}


async def test_a_board_that_nobody_made_is_unknown(api: Api) -> None:
    for board in ("nowhere", "No-Board"):
        assert (await api.get(f"/api/boards/{board}")).outcome == (404, "unknown_board"), board


async def test_boards_are_listed_page_by_page_in_the_order_of_their_names(api: Api) -> None:
    made = ["a-b", "a-z", "ab", "arena", "global", "zz_9", "zz_a"]
    await api.score("ann", 5)
    for board in ("zz_a", "ab", "a-z", "zz_9", "arena", "a-b"):
        await api.service.make_board(board)

    assert await names(api, "") == (made, None)
    assert await names(api, "limit=7") == (made, None)
    found: list[str] = []
    page, cursor = await names(api, "limit=3")
    while cursor:
        assert len(page) == 3
        found += page
        page, cursor = await names(api, f"limit=3&after={cursor}")
    assert found + page == made


async def test_a_prefix_takes_the_boards_that_begin_with_it(api: Api) -> None:
    for board in ("a-b", "a-z", "ab", "a_b", "b", "zz"):
        await api.service.make_board(board)
    assert await names(api, "prefix=a-") == (["a-b", "a-z"], None)
    assert await names(api, "prefix=a&limit=2") == (["a-b", "a-z"], "a-z")
    assert await names(api, "prefix=a&limit=2&after=a-z") == (["a_b", "ab"], None)
    assert await names(api, "prefix=ab") == (["ab"], None)
    assert await names(api, "prefix=ac") == ([], None)
    assert await names(api, "prefix=b&after=c") == ([], None)


async def test_the_list_tells_what_people_are_told_of_each_board(api: Api) -> None:
    await api.service.make_board("laps", title="Monza", description="The best lap.")
    assert (await api.get("/api/boards?prefix=laps")).json == {
        "boards": [{"board": "laps", "title": "Monza", "description": "The best lap."}],
        "next": None,
    }


NO_LISTS = ("limit=0", "limit=1001", "prefix=A", "prefix=%25", "after=", "after=a.b")


async def test_a_list_names_the_parameter_that_is_wrong(api: Api) -> None:
    for query in NO_LISTS:
        answer = await api.get(f"/api/boards?{query}")
        assert answer.outcome == (400, "invalid_request"), query
        assert answer.json["path"] == query.partition("=")[0], query
