"""The reads: the top 10 with its ETag, a user's place, the neighbours, a list of friends."""

from __future__ import annotations

import asyncio
from itertools import product
from typing import Any

import pytest

from scoreboard.settings import Settings
from tests.integration.api.conftest import StartApi
from tests.integration.api.described_api import Api
from tests.support.waiting import wait_until

AT_ONCE = 90  # far more than the process has connections to Redis

TOPS = ["/api/score/top", "/api/boards/global/top"]


@pytest.fixture
async def twelve(api: Api) -> Api:
    """user1 leads with 1,200 points, user12 comes last with 100."""
    actions = [
        {"userId": f"user{n}", "actionId": "a1", "points": 1300 - 100 * n} for n in range(1, 13)
    ]
    assert (await api.post("/api/scores", {"actions": actions})).status == 200
    return api


async def test_the_top_10_is_in_order_of_score(twelve: Api) -> None:
    best = [{"userId": f"user{n}", "score": 1300 - 100 * n} for n in range(1, 11)]
    for path in TOPS:
        assert (await twelve.get(path)).json == {"topScores": best}, path


async def test_of_equal_scores_the_one_reached_earlier_stands_higher(api: Api) -> None:
    for user in ("zoe", "ann", "mia"):
        await api.score(user, 10)
    await api.score("ann", 5, "a2")
    await api.score("zoe", 5, "a2")

    assert list(await api.top()) == ["ann", "zoe", "mia"]
    assert [
        (await api.get(f"/api/boards/global/users/{u}")).json["rank"] for u in ("zoe", "mia")
    ] == [2, 3]


@pytest.mark.parametrize("path", TOPS)
async def test_the_etag_is_good_until_the_top_10_changes(twelve: Api, path: str) -> None:
    first = await twelve.get(path)
    tag = first.headers["ETag"]
    assert first.headers["Cache-Control"] == "no-cache"
    for known in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        unchanged = await twelve.get(path, If_None_Match=known)
        assert (unchanged.status, unchanged.headers["ETag"]) == (304, tag)

    await twelve.score("user12", 1, "below the tenth")
    assert (await twelve.get(path, If_None_Match=tag)).status == 304
    await twelve.score("user12", 500, "into the top 10")
    changed = await twelve.get(path, If_None_Match=tag)
    assert changed.status == 200
    assert changed.headers["ETag"] != tag


async def test_another_etag_gets_the_whole_answer(twelve: Api) -> None:
    for known in ("", "17", '"', '"x"', "W/", "\x80"):
        assert (await twelve.get(TOPS[0], If_None_Match=known)).status == 200, known


async def test_a_user_has_a_rank_a_score_and_a_percentile(twelve: Api) -> None:
    first, fourth, last = [
        (await twelve.get(f"/api/boards/global/users/user{n}")).json for n in (1, 4, 12)
    ]
    for answer in (first, fourth, last):  # tests/integration/api/test_standings.py is about these
        del answer["next"], answer["top10"]

    assert first == {"userId": "user1", "score": 1200, "rank": 1, "percentile": 100.0}
    assert fourth == {"userId": "user4", "score": 900, "rank": 4, "percentile": 75.0}
    assert last == {"userId": "user12", "score": 100, "rank": 12, "percentile": 8.33}


async def test_a_user_who_is_not_on_the_board_is_unknown(twelve: Api) -> None:
    for suffix in ("", "/around"):
        answer = await twelve.get(f"/api/boards/global/users/nobody{suffix}")

        assert answer.outcome == (404, "unknown_user"), suffix


MALFORMED_USERS = ("%00", "a%0Ab", "%C2%85", "x" * 129, "%F0%9F%8E%B2" * 129)


async def test_a_malformed_user_id_in_a_path_is_named(api: Api) -> None:
    for case in product(MALFORMED_USERS, ("", "/around")):
        answer = await api.get(f"/api/boards/global/users/{''.join(case)}")

        assert answer.outcome == (400, "invalid_request"), case
        assert answer.json["path"] == "userId", case


NEIGHBOURS = (
    ("user6/around?radius=2", range(4, 9)),
    ("user6/around", range(1, 12)),
    ("user6/around?radius=0", range(6, 7)),
    ("user1/around?radius=3", range(1, 5)),
    ("user12/around?radius=3", range(9, 13)),
    ("user6/around?radius=100", range(1, 13)),
)


async def test_neighbours_are_those_within_the_radius(twelve: Api) -> None:
    for path, ranks in NEIGHBOURS:
        answer = await twelve.get(f"/api/boards/global/users/{path}")

        assert answer.status == 200, path
        assert [(u["userId"], u["rank"], u["score"]) for u in answer.json["users"]] == [
            (f"user{n}", n, 1300 - 100 * n) for n in ranks
        ], path


NO_RADII = (
    *("101", "-1", "1.5", "", "x", "1e1", "%D9%A3", "0x5", "9" * 5000, "%2B5", "%205"),
    "0000001000000",
)


async def test_a_radius_is_a_number_from_0_to_100(twelve: Api) -> None:
    for radius in NO_RADII:
        answer = await twelve.get(f"/api/boards/global/users/user6/around?radius={radius}")

        assert answer.outcome == (400, "invalid_request"), radius
        assert answer.json["path"] == "radius", radius


async def test_friends_are_looked_up_in_the_order_of_the_list(twelve: Api) -> None:
    body = {"userIds": ["user12", "nobody", "user1", "user12"]}
    answer = await twelve.post("/api/boards/global/users:lookup", body)

    assert answer.json == {
        "users": [
            {"userId": "user12", "score": 100, "rank": 12, "percentile": 8.33},
            {"userId": "user1", "score": 1200, "rank": 1, "percentile": 100.0},
        ],
        "missing": ["nobody"],
    }


async def test_friends_are_sorted_by_rank_with_their_places_among_the_listed(twelve: Api) -> None:
    body = {"userIds": ["user12", "nobody", "user1", "user7", "user12"]}
    answer = await twelve.post("/api/boards/global/users:lookup?sort=rank", body)

    assert answer.json["missing"] == ["nobody"]
    assert [(one["userId"], one["rank"], one["place"]) for one in answer.json["users"]] == [
        *(("user1", 1, 1), ("user7", 7, 2), ("user12", 12, 3)),
    ]


async def test_friends_who_share_a_rank_share_a_place(api: Api) -> None:
    await api.service.make_board("shared", rank_style="standard")
    for user, points in (("ann", 9), ("bob", 5), ("cy", 5), ("dan", 1)):
        assert (await api.score(user, points, board="shared")).status == 200
    body = {"userIds": ["dan", "cy", "bob"]}
    answer = await api.post("/api/boards/shared/users:lookup?sort=rank", body)

    assert [(one["userId"], one["rank"], one["place"]) for one in answer.json["users"]] == [
        *(("cy", 2, 1), ("bob", 2, 1), ("dan", 4, 3)),
    ]


async def test_friends_are_sorted_by_nothing_but_rank(twelve: Api) -> None:
    answer = await twelve.post("/api/boards/global/users:lookup?sort=score", {"userIds": ["ann"]})
    assert (*answer.outcome, answer.json["path"]) == (400, "invalid_request", "sort")


async def test_500_friends_are_looked_up_at_once(twelve: Api) -> None:
    body = {"userIds": [f"user{n}" for n in range(500)]}
    answer = await twelve.post("/api/boards/global/users:lookup", body)

    assert len(answer.json["users"]) == 12
    assert len(answer.json["missing"]) == 488


MALFORMED_LISTS: dict[str, tuple[Any, str]] = {
    "501": ({"userIds": ["ann"] * 501}, "userIds"),
    "none": ({"userIds": []}, "userIds"),
    "a text": ({"userIds": "ann"}, "userIds"),
    "a number": ({"userIds": ["ann", 7]}, "userIds[1]"),
    "too long": ({"userIds": ["ann", "x" * 129]}, "userIds[1]"),
    "control": ({"userIds": ["ann", "a\u0000b"]}, "userIds[1]"),
    "unknown field": ({"users": ["ann"]}, "users"),
    "missing": ({}, "userIds"),
}


async def test_a_malformed_list_is_named(twelve: Api) -> None:
    for case, (body, path) in MALFORMED_LISTS.items():
        answer = await twelve.post("/api/boards/global/users:lookup", body)

        assert answer.outcome == (400, "invalid_request"), case
        assert answer.json["path"] == path, case


BOARD_READS = ("top", "users/ann", "users/ann/around", "standings", "rank?score=1")
NO_BOARDS = ("unknown", "Arena", "-arena", "a" * 65, "a%20b", "%C3%A9", "a.b", "%7Ba%7D")


async def test_a_board_that_does_not_exist_is_unknown_whatever_its_name(api: Api) -> None:
    for board, read in product(NO_BOARDS, BOARD_READS):
        path = f"/api/boards/{board}/{read}"
        assert (await api.get(path)).outcome == (404, "unknown_board"), path


async def test_what_is_no_name_of_a_board_never_becomes_one(api: Api) -> None:
    body = {"userId": "ann", "actionId": "a1", "points": 1}
    for board in ("Arena", "a" * 65, "a%2Fb", "a.b"):
        answer = await api.post(f"/api/boards/{board}/score", body)
        assert answer.outcome == (404, "unknown_board"), board
        answer = await api.post(f"/api/boards/{board}/users:lookup", {"userIds": ["ann"]})
        assert answer.outcome == (404, "unknown_board"), board


async def test_a_board_may_have_a_name_of_64_characters(api: Api) -> None:
    name = "0" + "a_-9" * 15 + "abc"
    assert len(name) == 64

    assert (await api.score("ann", 1, board=name)).status == 200
    assert await api.top(name) == {"ann": 1}


async def test_another_board_may_be_the_default(start_api: StartApi) -> None:
    api = await start_api(default_board="arena")
    body = {"userId": "ann", "actionId": "a1", "points": 1}
    await api.post("/api/score", body)

    assert await api.top("arena") == {"ann": 1}
    assert (await api.get("/api/score/top")).json["topScores"] == [{"userId": "ann", "score": 1}]


async def test_a_client_that_was_told_of_its_score_sees_it_in_its_next_read(api: Api) -> None:
    for points in range(1, 30):
        posted = await api.score("ann", points, f"action {points}")
        assert await api.top() == {"ann": posted.json["score"]}


async def test_two_services_on_the_same_servers_show_the_same(
    api: Api, start_api: StartApi, settings: Settings
) -> None:
    other = await start_api(settings)
    await api.score("ann", 1)
    assert (await other.score("ann", 2, "a2")).json["score"] == 3
    assert (await other.score("ann", 1)).outcome == (409, "duplicate_action")

    assert await api.top() == await other.top() == {"ann": 3}


async def test_readiness_tells_of_each_part_and_of_the_lag(api: Api) -> None:
    await api.score("ann", 1)
    ready = (await api.get("/readyz")).json
    assert ready["ready"] is True
    redis = ready["parts"]["redis"]
    assert (redis["up"], redis["backlog"]) == (True, 1)
    assert ready["parts"]["postgres"]["up"] is True

    async def persisted() -> bool:
        parts = (await api.get("/readyz")).json["parts"]
        return bool(parts["redis"]["backlog"] == 0)

    async with api.service.persisting():
        await wait_until(persisted, description="the backlog is carried to Postgres")


async def test_metrics_count_what_was_posted(api: Api) -> None:
    def counted(text: str) -> float:
        lines = [x for x in text.splitlines() if x.startswith("scoreboard_actions_total")]
        return sum(float(x.rpartition(" ")[2]) for x in lines if "accepted" in x.lower())

    before = counted((await api.get("/metrics")).body.decode())
    await api.score("ann", 1)
    await api.score("ann", 1, "a2")

    assert counted((await api.get("/metrics")).body.decode()) == before + 2


async def test_liveness_asks_nobody_else(api: Api) -> None:
    assert (await api.get("/healthz")).json == {"status": "ok"}


async def test_a_rush_of_reads_gets_what_each_alone_would_get(api: Api) -> None:
    # Postgres has not got the score yet, so it must be Redis that answers all.
    await api.score("user1", 10)

    answers = await asyncio.gather(
        *(api.get("/api/boards/global/users/user1") for _ in range(AT_ONCE))
    )

    assert {(answer.status, answer.json["score"]) for answer in answers} == {(200, 10)}
