"""Boards with limits, as docs/boards.md tells of them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.api.described_api import Answer, Api

OPENS, CLOSES = "2020-06-06T10:00:00+02:00", "2020-06-06T20:00:00+02:00"
LONG_AGO, FAR_AHEAD = "2020-06-06T10:00:00Z", "2089-06-06T10:00:00Z"


class Cup:
    """The board ``cup``, its administrator and its game server."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.admin = api.bearing(api.service.token("admin"))

    async def make(self, **rules: Any) -> Answer:
        return await self.admin.call("PUT", "/api/admin/boards/cup", json=rules)

    async def change(self, **rules: Any) -> Answer:
        return await self.admin.call("PATCH", "/api/admin/boards/cup", json=rules)

    async def play(self, user: str, action: str, points: int = 5) -> Answer:
        return await self.api.score(user, points, action, board="cup")

    async def join(self, user: str, by: Api | None = None) -> Answer:
        return await (by or self.api).post("/api/boards/cup/join", {"userId": user})

    async def users(self) -> list[str]:
        answer = await self.api.get("/api/boards/cup/standings")
        return [one["userId"] for one in answer.json["standings"]]


@pytest.fixture
async def cup(api: Api) -> Cup:
    return Cup(api)


async def test_a_cup_that_is_over_takes_nothing_and_one_to_come_says_when(cup: Cup) -> None:
    made = await cup.make(opens=OPENS, closes=CLOSES)
    assert (made.json["opens"], made.json["closes"]) == (OPENS, CLOSES)
    over = await cup.play("ada", "run-1")
    assert over.outcome == (409, "board_closed")
    assert "opensAt" not in over.json

    await cup.change(opens=FAR_AHEAD, closes=None)
    early = await cup.play("ada", "run-1")
    assert (early.outcome, early.json["opensAt"]) == ((409, "board_closed"), FAR_AHEAD)
    assert await cup.users() == []

    await cup.change(opens=LONG_AGO)
    assert (await cup.play("ada", "run-1")).status == 200
    await cup.change(closes=CLOSES)
    assert (await cup.play("ada", "run-1")).outcome == (409, "duplicate_action"), "it counts"


async def test_in_a_cup_the_best_of_three_attempts_counts(cup: Cup) -> None:
    await cup.make(operator="best", attempts=3)
    scores = [(await cup.play("ada", f"run-{i}", points)) for i, points in enumerate((7, 9, 8))]
    assert [answer.json["score"] for answer in scores] == [7, 9, 9]
    over = await cup.play("ada", "run-4", 100)
    assert over.outcome == (409, "attempts_exhausted")
    assert (await cup.play("ada", "run-1", 9)).outcome == (409, "duplicate_action")
    assert (await cup.play("bob", "run-1")).status == 200, "others have attempts of their own"


async def test_a_full_board_takes_nobody_new(cup: Cup) -> None:
    await cup.make(capacity=2)
    for user in ("ada", "bob"):
        assert (await cup.play(user, "run-1")).status == 200
    assert (await cup.play("cy", "run-1")).outcome == (409, "board_full")
    assert (await cup.play("ada", "run-2")).status == 200, "who is in plays on"
    assert await cup.users() == ["ada", "bob"]
    await cup.change(capacity=3)
    assert (await cup.play("cy", "run-1")).status == 200


async def test_a_limit_set_on_a_board_with_scores_counts_what_was_before(cup: Cup) -> None:
    await cup.make()
    for action in ("run-1", "run-2"):
        assert (await cup.play("ada", action)).status == 200
    await cup.change(attempts=2, capacity=1)
    assert (await cup.play("ada", "run-3")).outcome == (409, "attempts_exhausted")
    assert (await cup.play("bob", "run-1")).outcome == (409, "board_full")


async def test_where_joining_is_required_nobody_plays_without(cup: Cup) -> None:
    await cup.make(join="required", capacity=2)
    assert (await cup.play("ada", "run-1")).outcome == (403, "not_joined")
    for _ in range(2):
        joined = await cup.join("ada")
        assert (joined.status, joined.json) == (
            *(200, {"board": "cup", "userId": "ada", "joined": True}),
        )
    assert await cup.users() == [], "joined without a score is no 0"
    unranked = await cup.api.get("/api/boards/cup/users/ada")
    assert unranked.outcome == (404, "unknown_user")
    assert (await cup.play("ada", "run-1")).status == 200
    await cup.join("bob")
    assert (await cup.join("cy")).outcome == (409, "board_full")
    assert (await cup.play("cy", "run-1")).outcome == (403, "not_joined")
    await cup.change(closes=CLOSES, capacity=None)
    assert (await cup.join("cy")).outcome == (409, "board_closed")


async def test_players_join_for_themselves_and_game_servers_for_anybody(cup: Cup) -> None:
    await cup.make(join="required", ids="ascii")
    service = cup.api.service
    player = cup.api.bearing(service.token("score:submit", subject="ada"))
    reader = cup.api.bearing(service.token("board:read", subject="ada"))
    assert (await cup.join("ada", player)).status == 200
    assert (await cup.join("bob", player)).outcome == (403, "forbidden")
    assert (await cup.join("ada", reader)).outcome == (403, "forbidden")
    assert (await cup.join("bob")).status == 200
    assert (await cup.join("ada", cup.api.bearing(None))).outcome == (401, "unauthorized")
    unfit = await cup.join("bob\u00e9")
    assert (unfit.outcome, unfit.json["path"]) == ((400, "invalid_request"), "userId")
    nowhere = await cup.api.post("/api/boards/nowhere/join", {"userId": "ada"})
    assert nowhere.outcome == (404, "unknown_board")


async def test_clearing_a_board_keeps_its_joins_and_deleting_it_does_not(cup: Cup) -> None:
    await cup.make(join="required")
    async with cup.api.service.persisting():
        await cup.join("ada")
        await cup.play("ada", "run-1")
        cleared = await cup.admin.post("/api/admin/boards/cup/clear?confirm=cup", {})
        assert cleared.status == 200
        assert await cup.users() == []
        assert (await cup.play("ada", "run-2")).status == 200
        gone = await cup.admin.call("DELETE", "/api/admin/boards/cup?confirm=cup")
        assert gone.status == 200
        await cup.make(join="required")
        assert (await cup.play("ada", "run-3")).outcome == (403, "not_joined")


async def test_in_a_batch_each_action_is_told(cup: Cup) -> None:
    await cup.make(opens=FAR_AHEAD)
    actions = [{"userId": user, "actionId": "run-1", "points": 5} for user in ("ada", "bob")]
    answer = await cup.api.post("/api/boards/cup/scores", {"actions": actions})
    told = [(one["status"], one["code"], one["opensAt"]) for one in answer.json["results"]]
    assert told == [(409, "board_closed", FAR_AHEAD)] * 2


NO_LIMITS: tuple[tuple[dict[str, Any], str], ...] = (
    ({"opens": CLOSES, "closes": OPENS}, "closes"),
    ({"opens": OPENS, "closes": OPENS}, "closes"),
    ({"opens": "2020-06-06T10:00:00"}, "opens"),
    ({"closes": "tomorrow"}, "closes"),
    ({"attempts": 0}, "attempts"),
    ({"capacity": 10_000_001}, "capacity"),
)


async def test_limits_that_make_no_sense_are_named(cup: Cup) -> None:
    for rules, path in NO_LIMITS:
        answer = await cup.make(**rules)
        assert answer.outcome == (400, "invalid_request"), rules
        assert answer.json["path"] == path, rules
