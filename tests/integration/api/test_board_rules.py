"""Boards with rules of their own, as docs/boards.md tells of them."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import ClientSession

from tests.integration.api.conftest import StartApi
from tests.integration.api.described_api import Answer, Api
from tests.support.waiting import PATIENCE

OLD = {
    "mode": "off",
    "minPoints": -1000,
    "maxPoints": 2**31 - 1,
    "rate": None,
    "allowHistory": False,
    "ids": "any",
}


class Track:
    """The board ``laps``, its administrator and its game server."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.admin = api.bearing(api.service.token("admin"))

    async def make(self, **rules: Any) -> Answer:
        return await self.admin.call("PUT", "/api/admin/boards/laps", json=rules)

    async def change(self, **rules: Any) -> Answer:
        return await self.admin.call("PATCH", "/api/admin/boards/laps", json=rules)

    async def score(self, user: str, points: int, action: str) -> dict[str, Any]:
        answer = await self.api.score(user, points, action, board="laps")
        assert answer.status == 200, answer
        found: dict[str, Any] = answer.json
        return found

    async def top(self) -> list[tuple[str, int]]:
        answer = await self.api.get("/api/boards/laps/top")
        return [(entry["userId"], entry["score"]) for entry in answer.json["topScores"]]


@pytest.fixture
async def track(api: Api) -> Track:
    return Track(api)


async def test_lap_times_the_lower_stands_higher_and_only_a_better_one_counts(
    track: Track,
) -> None:
    await track.make(operator="best", order="asc", decimals=3, unit="s", title="Monza")
    first = await track.score("ada", 83_204, "lap-1")
    assert (first["score"], first["changed"], first["previous"]) == (83_204, True, None)
    slower = await track.score("ada", 84_000, "lap-2")
    assert (slower["score"], slower["changed"], slower["previous"]) == (83_204, False, 83_204)
    assert (await track.score("bob", 82_999, "lap-1"))["rank"] == 1
    faster = await track.score("ada", 82_998, "lap-3")
    assert (faster["rank"], faster["changed"], faster["previous"]) == (1, True, 83_204)

    assert await track.top() == [("ada", 82_998), ("bob", 82_999)]
    again = await track.api.score("ada", 84_000, "lap-2", board="laps")
    assert (again.outcome, again.json["score"]) == ((409, "duplicate_action"), 83_204)
    standing = await track.api.get("/api/boards/laps/users/bob")
    assert (standing.json["score"], standing.json["rank"]) == (82_999, 2)


async def test_the_zone_of_a_boards_days_is_told_where_it_was_set(track: Track) -> None:
    await track.make()
    plain = await track.api.get("/api/boards/laps")
    assert "zone" not in plain.json["rules"]
    assert (await track.change(zone="Europe/Berlin")).json["zone"] == "Europe/Berlin"
    told = await track.api.get("/api/boards/laps")
    assert told.json["rules"] == {**plain.json["rules"], "zone": "Europe/Berlin"}

    answer = await track.change(zone="Europe/Nowhere")
    assert (*answer.outcome, answer.json["path"]) == (400, "invalid_request", "zone")


async def test_live_clients_see_totals_as_people_do(track: Track) -> None:
    await track.make(order="asc", topSize=2)
    url = f"{track.api.service.url}/ws/boards/laps"
    async with ClientSession() as http, http.ws_connect(url) as socket:
        assert (await socket.receive_json(timeout=PATIENCE))["topScores"] == []
        for user, points in (("ann", 7), ("bob", 5), ("cid", 6)):
            await track.score(user, points, "a1")
            told = await socket.receive_json(timeout=PATIENCE)
        shown = [(entry["userId"], entry["score"]) for entry in told["topScores"]]
    assert shown == [("bob", 5), ("cid", 6)]


async def test_users_with_equal_totals_share_a_rank_where_the_style_is_standard(
    track: Track,
) -> None:
    await track.make(rankStyle="standard")
    for user, points in (("ann", 9), ("bob", 7), ("cid", 7)):
        await track.score(user, points, "a1")
    assert (await track.score("dan", 5, "a1"))["rank"] == 4
    assert (await track.score("eve", 7, "a1"))["rank"] == 2
    around = (await track.api.get("/api/boards/laps/users/cid/around?radius=5")).json["users"]
    assert [(one["userId"], one["rank"]) for one in around] == [
        *(("ann", 1), ("bob", 2), ("cid", 2)),
        *(("eve", 2), ("dan", 5)),
    ]


@pytest.mark.parametrize(
    "rule",
    [{"operator": "best"}, {"order": "asc"}, {"decimals": 2}],
    ids=lambda rule: next(iter(rule)),
)
async def test_what_scores_mean_cannot_change_once_there_are_some(
    track: Track, rule: dict[str, Any]
) -> None:
    [(name, value)] = rule.items()
    assert (await track.make()).status == 200
    assert (await track.change(**rule)).json[name] == value, "before there are scores it can"
    assert (await track.score("ann", 5, "a1"))["score"] == 5
    before = {"operator": "sum", "order": "desc", "decimals": 0}[name]
    refused = await track.change(**{name: before})
    assert refused.outcome == (409, "board_has_scores")
    assert refused.json["path"] == name
    assert (await track.admin.get("/api/admin/boards/laps")).json[name] == value
    assert (await track.change(title="Monza", topSize=5, rankStyle="standard")).status == 200
    assert (await track.score("ann", 6, "a2"))["rank"] == 1


async def test_a_client_that_knows_only_the_first_settings_can_go_on_replacing_them(
    track: Track,
) -> None:
    assert (await track.make(**OLD)).status == 200
    assert (await track.make(**{**OLD, "maxPoints": 7})).json["maxPoints"] == 7
    await track.change(topSize=5)
    refused = await track.make(**OLD)
    assert refused.outcome == (400, "invalid_request")
    assert refused.json["path"] == "topSize", "which it would erase unseen"


async def test_a_board_without_rules_answers_as_it_always_did(track: Track) -> None:
    answer = await track.api.score("ann", 5, "a1", board="plain")
    assert answer.body == b'{"userId":"ann","score":5,"rank":1,"actionId":"a1"}'


async def test_reads_from_postgres_are_the_same(start_api: StartApi, track: Track) -> None:
    await track.make(operator="last", order="asc", rankStyle="standard", topSize=3)
    async with track.api.service.persisting():
        for user, points in (("ann", 9), ("bob", 7), ("cid", 7), ("dan", 5)):
            await track.api.call(
                "POST",
                "/api/boards/laps/score",
                json={"userId": user, "actionId": "a1", "points": points},
                headers={"Prefer": "durability=postgres"},
            )
    reads = (
        *("/api/boards/laps/top", "/api/boards/laps/users/ann"),
        *("/api/boards/laps/users/cid/around?radius=2", "/api/boards/laps/standings"),
        *("/api/boards/laps/standings?rank=3&limit=1", "/api/boards/laps/rank?score=7"),
        *("/api/boards/laps/standings?minScore=7", "/api/boards/laps/rank?score=6"),
    )
    live = [(await track.api.get(read)).json for read in reads]
    assert [one["rank"] for one in live[3]["standings"]] == [1, 2, 2, 4]
    assert (live[5]["rank"], live[7]["rank"]) == (2, 2)
    assert [one["userId"] for one in live[6]["standings"]] == ["bob", "cid", "ann"]
    away = await start_api(redis_url="redis://127.0.0.1:1/0", redis_timeout=0.2)
    assert [(await away.get(read)).json for read in reads] == live
