"""Whole tables page by page, a score's place, and the way to the next and to the top 10."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from scoreboard.local.embedded_servers import Valkey
from tests.integration.api.conftest import StartApi
from tests.integration.api.described_api import Api
from tests.integration.api.test_outages import TIMEOUT, persisted

BOARD = "/api/boards/global"
PAGES = f"{BOARD}/standings"
TABLES = ["/api/score/standings", PAGES]


@pytest.fixture
async def twelve(api: Api) -> Api:
    """user1 leads with 1,200 points, user12 comes last with 100."""
    await post_twelve(api)
    return api


async def post_twelve(api: Api) -> None:
    actions = [
        {"userId": f"user{n}", "actionId": "a1", "points": 1300 - 100 * n} for n in range(1, 13)
    ]
    assert (await api.post("/api/scores", {"actions": actions})).status == 200


async def page(api: Api, query: str) -> tuple[list[int], str | None]:
    """The ranks on a page of the twelve, and the next page's cursor."""
    answer = await api.get(f"{PAGES}?{query}")
    assert answer.status == 200, answer
    for one in answer.json["standings"]:
        assert (one["userId"], one["score"]) == (f"user{one['rank']}", 1300 - 100 * one["rank"])
    return [one["rank"] for one in answer.json["standings"]], answer.json["next"]


async def test_a_page_has_users_by_rank_and_the_way_to_the_next(twelve: Api) -> None:
    for path in TABLES:
        first = (await twelve.get(f"{path}?limit=2")).json
        assert first["standings"] == [
            {"userId": "user1", "score": 1200, "rank": 1, "percentile": 100.0},
            {"userId": "user2", "score": 1100, "rank": 2, "percentile": 91.67},
        ], path
        second = (await twelve.get(f"{path}?limit=2&after={first['next']}")).json
        assert [one["userId"] for one in second["standings"]] == ["user3", "user4"], path


async def test_the_last_page_has_no_next(twelve: Api) -> None:
    assert await page(twelve, "") == ([*range(1, 13)], None)
    assert await page(twelve, "limit=12") == ([*range(1, 13)], None)
    ranks, after = await page(twelve, "limit=7")
    assert ranks == [*range(1, 8)]
    assert await page(twelve, f"limit=5&after={after}") == ([*range(8, 13)], None)


BEGINNINGS = (
    ("rank=1", range(1, 13)),
    ("rank=12", range(12, 13)),
    ("rank=13", range(0)),
    ("rank=1000000000", range(0)),
    ("minScore=900", range(4, 13)),
    ("minScore=901", range(4, 13)),
    ("minScore=899", range(5, 13)),
    ("minScore=1125899906842624", range(1, 13)),
    ("minScore=0", range(0)),
    ("minScore=-1125899906842624", range(0)),
)


async def test_a_page_may_begin_in_the_middle(twelve: Api) -> None:
    for query, ranks in BEGINNINGS:
        assert await page(twelve, query) == ([*ranks], None), query


async def test_pages_go_on_behind_a_user_who_has_moved_or_gone(twelve: Api) -> None:
    _, after = await page(twelve, "limit=6")
    await twelve.score("user6", 10_000, "up")
    answer = (await twelve.get(f"{PAGES}?limit=2&after={after}")).json
    assert [(one["userId"], one["rank"]) for one in answer["standings"]] == [
        ("user7", 7),
        ("user8", 8),
    ]
    await twelve.score("user5", -10_000, "down")
    answer = (await twelve.get(f"{PAGES}?limit=2&after={after}")).json
    assert [(one["userId"], one["rank"]) for one in answer["standings"]] == [
        ("user7", 6),
        ("user8", 7),
    ]


MALFORMED_QUERIES = (
    *(f"limit={text}" for text in ("0", "1001", "-1", "", "x", "1.5")),
    *(f"rank={text}" for text in ("0", "1000000001", "-1", "", "x")),
    *(
        f"minScore={text}"
        for text in ("", "x", "--1", "-", "%2B1", "1.5", "1125899906842625", "1" * 5000)
    ),
    *(f"after={text}" for text in ("", "x", "null", "AUAVAAAAAAAA", "%00")),
    *("rank=1&minScore=1", "rank=1&after=AUAVAAAAAAAAYW5u"),
)


async def test_a_malformed_part_of_the_query_is_named(api: Api) -> None:
    for query in MALFORMED_QUERIES:
        answer = await api.get(f"{PAGES}?{query}")
        assert answer.outcome == (400, "invalid_request"), query
        assert answer.json["path"] == query.partition("=")[0], query


@pytest.mark.parametrize("path", TABLES)
async def test_a_pages_etag_is_good_until_the_page_changes(twelve: Api, path: str) -> None:
    first = await twelve.get(f"{path}?limit=5&rank=6")
    tag = first.headers["ETag"]
    assert first.headers["Cache-Control"] == "no-cache"
    unchanged = await twelve.get(f"{path}?limit=5&rank=6", If_None_Match=tag)
    assert (unchanged.status, unchanged.headers["ETag"], unchanged.body) == (304, tag, b"")

    await twelve.score("user1", 5, "nobody passes anybody")
    assert (await twelve.get(f"{path}?limit=5&rank=6", If_None_Match=tag)).status == 304
    await twelve.score("user12", 550, "to the seventh place")
    changed = await twelve.get(f"{path}?limit=5&rank=6", If_None_Match=tag)
    assert changed.status == 200
    assert changed.headers["ETag"] != tag


async def test_a_user_sees_the_one_above_and_the_way_to_the_top_10(twelve: Api) -> None:
    async def seen(user: str) -> tuple[Any, Any]:
        answer = (await twelve.get(f"{BOARD}/users/{user}")).json
        return answer["next"], answer["top10"]

    assert await seen("user1") == (None, {"score": 300, "gap": 0})
    assert await seen("user10") == (
        {"userId": "user9", "rank": 9, "gap": 100},
        {"score": 300, "gap": 0},
    )
    assert await seen("user12") == (
        {"userId": "user11", "rank": 11, "gap": 100},
        {"score": 300, "gap": 200},
    )


async def test_who_draws_level_stands_behind_until_one_more_point(twelve: Api) -> None:
    for points, rank in ((200, 11), (1, 10)):
        await twelve.score("user12", points, f"{points} more")
        assert (await twelve.get(f"{BOARD}/users/user12")).json["rank"] == rank


async def test_there_is_no_tenth_of_nine(api: Api) -> None:
    for n in range(9):
        await api.score(f"user{n}", n)
    answer = (await api.get(f"{BOARD}/users/user0")).json
    assert answer["top10"] == {"score": None, "gap": 0}


PLACES = (
    (1201, 1, 100.0),
    (1200, 2, 92.31),
    (650, 7, 53.85),
    (100, 13, 7.69),
    (-(2**50), 13, 7.69),
    (2**50, 1, 100.0),
)


async def test_a_score_stands_behind_all_who_have_it(twelve: Api) -> None:
    for path, place in product(("/api/score/rank", f"{BOARD}/rank"), PLACES):
        score, rank, percentile = place
        expected = {"score": score, "rank": rank, "percentile": percentile, "users": 12}
        assert (await twelve.get(f"{path}?score={score}")).json == expected, path


async def test_a_newcomer_stands_where_the_score_was_said_to_stand(twelve: Api) -> None:
    for score in (0, 100, 700, 1250):
        told = (await twelve.get(f"{BOARD}/rank?score={score}")).json
        await twelve.score(f"new{score}", score)
        stands = (await twelve.get(f"{BOARD}/users/new{score}")).json
        assert (told["rank"], told["percentile"]) == (stands["rank"], stands["percentile"])


async def test_a_score_that_is_none_is_named(api: Api) -> None:
    for query in ("", "?score=", "?score=x", "?score=1125899906842625"):
        answer = await api.get(f"{BOARD}/rank{query}")
        assert answer.outcome == (400, "invalid_request"), query
        assert answer.json["path"] == "score", query


async def test_a_table_of_nobody_has_one_empty_page(start_api: StartApi) -> None:
    api = await start_api()
    await api.service.make_board("arena")
    assert (await api.get("/api/boards/arena/standings")).json == {"standings": [], "next": None}
    assert (await api.get("/api/boards/arena/rank?score=0")).json == {
        "score": 0,
        "rank": 1,
        "percentile": 100.0,
        "users": 0,
    }


async def test_a_hidden_user_is_on_no_page_and_counts_for_nobody(twelve: Api) -> None:
    admin = twelve.bearing(twelve.service.token("admin"))
    hidden = await admin.post("/api/admin/boards/global/users/user2/hide", {"reason": "a bot"})
    assert hidden.status == 200, hidden
    answer = (await twelve.get(f"{PAGES}?limit=2")).json
    assert [(one["userId"], one["rank"]) for one in answer["standings"]] == [
        ("user1", 1),
        ("user3", 2),
    ]
    assert (await twelve.get(f"{BOARD}/rank?score=1000")).json["rank"] == 3
    assert (await twelve.get(f"{BOARD}/users/user3")).json["next"]["userId"] == "user1"
    assert (await twelve.get(f"{BOARD}/users/user2")).outcome == (404, "unknown_user")


async def test_what_was_begun_in_redis_is_read_on_in_postgres_and_back(
    api: Api, start_api: StartApi, valkey: Valkey
) -> None:
    impatient = await start_api(redis_timeout=TIMEOUT)
    await post_twelve(api)
    await persisted(api)
    calls = [f"{BOARD}/users/user12", f"{BOARD}/rank?score=500", f"{PAGES}?minScore=350"]
    live = [(await api.get(call)).json for call in calls]
    ranks, after = await page(api, "limit=4")
    assert ranks == [1, 2, 3, 4]
    valkey.stop()
    ranks, after = await page(impatient, f"limit=4&after={after}")
    assert ranks == [5, 6, 7, 8]
    assert [(await impatient.get(call)).json for call in calls] == live
    valkey.start()
    assert await page(api, f"limit=4&after={after}") == ([9, 10, 11, 12], None)


async def test_pages_need_the_right_to_read_where_reads_are_not_public(
    start_api: StartApi,
) -> None:
    api = await start_api(public_reads=False)
    await api.service.make_board("arena")
    for call in ("standings", "rank?score=1"):
        path = f"/api/boards/arena/{call}"
        assert (await api.bearing(None).get(path)).outcome == (401, "unauthorized")
        other = api.service.token("board:read", boards=["other"])
        assert (await api.bearing(other).get(path)).outcome == (403, "forbidden")
        reader = api.service.token("board:read", boards=["arena"])
        assert (await api.bearing(reader).get(path)).status == 200
