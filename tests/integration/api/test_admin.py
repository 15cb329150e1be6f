"""Moderation over HTTP: who may, what is shown, what a decision answers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.integration.api.conftest import StartApi
from tests.integration.api.described_api import Answer, Api
from tests.support.waiting import wait_until

REVIEWS = "/api/admin/reviews"
FUTURE = {"occurredAt": "2199-01-01T00:00:00Z"}


class Moderation:
    """A service with a persister, seen by a game server and by a moderator."""

    def __init__(self, api: Api) -> None:
        self.game = api
        self.admin = self.bearer()

    def bearer(self, subject: str = "eve", **claims: Any) -> Api:
        """The service for the bearer of a moderator's token."""
        token = self.game.service.token(**{"scope": "admin", "subject": subject, **claims})
        return self.game.bearing(token)

    async def put(self, board: str, body: Any, by: Api | None = None) -> Answer:
        return await (by or self.admin).call(
            "PUT",
            f"/api/admin/boards/{board}",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )

    async def refused(self, action: str, *, user: str = "ann", board: str = "arena") -> None:
        """An action that the time agent refuses, on a board that rejects."""
        answer = await self.game.post(
            f"/api/boards/{board}/score",
            {"userId": user, "actionId": action, "points": 5, "context": FUTURE},
        )
        assert answer.outcome == (403, "anomaly_rejected"), answer

    async def cases(self, number: int, query: str = "") -> list[dict[str, Any]]:
        """The queue, once it holds that many cases."""

        async def listed() -> list[dict[str, Any]]:
            answer = await self.admin.get(f"{REVIEWS}{query}")
            assert answer.status == 200, answer
            found: list[dict[str, Any]] = answer.json["reviews"]
            return found if len(found) == number else []

        return await wait_until(listed, description=f"{number} cases in the queue")


@pytest.fixture
async def moderation(start_api: StartApi) -> AsyncIterator[Moderation]:
    api = await start_api()
    async with api.service.persisting():
        running = Moderation(api)
        assert (await running.put("arena", {"mode": "reject"})).status == 200
        yield running


async def test_only_a_moderators_token_is_let_in(moderation: Moderation) -> None:
    for path in (REVIEWS, f"{REVIEWS}/1", "/api/admin/boards/arena"):
        assert (await moderation.game.bearing(None).get(path)).outcome == (401, "unauthorized")
        assert (await moderation.game.get(path)).outcome == (403, "forbidden")
    for verb in ("approve", "confirm"):
        answer = await moderation.game.post(f"{REVIEWS}/1/{verb}", {})
        assert answer.outcome == (403, "forbidden")
    assert (await moderation.put("arena", {}, moderation.game)).outcome == (403, "forbidden")


async def test_a_token_for_some_boards_moderates_only_those(moderation: Moderation) -> None:
    await moderation.put("other", {"mode": "reject"})
    await moderation.refused("k1", board="arena")
    await moderation.refused("k2", board="other")
    foreign = next(c for c in await moderation.cases(2) if c["board"] == "arena")

    limited = moderation.bearer(boards=["other"])
    listed = (await limited.get(REVIEWS)).json["reviews"]
    assert [case["board"] for case in listed] == ["other"]
    assert (await limited.get(f"{REVIEWS}?board=arena")).outcome == (403, "forbidden")
    assert (await limited.get(f"{REVIEWS}/{foreign['id']}")).outcome == (403, "forbidden")
    answer = await limited.post(f"{REVIEWS}/{foreign['id']}/approve", {})
    assert answer.outcome == (403, "forbidden")
    assert (await moderation.put("arena", {}, limited)).outcome == (403, "forbidden")
    answer = await limited.post("/api/admin/boards/arena/users/ann/hide", {})
    assert answer.outcome == (403, "forbidden")


async def test_a_case_says_why_and_what_the_user_did_lately(moderation: Moderation) -> None:
    await moderation.game.score("ann", 7, "k0", board="arena")
    await moderation.refused("k1")
    (case,) = await moderation.cases(1)
    answer = await moderation.admin.get(f"{REVIEWS}/{case['id']}")
    assert answer.json["review"] == case
    assert (case["kind"], case["status"], case["userId"]) == ("refused", "open", "ann")
    assert case["context"] == FUTURE
    (finding,) = case["findings"]
    assert (finding["agent"], finding["feature"], finding["unit"]) == ("time", "clock", "s")
    assert finding["value"] > finding["high"] > finding["low"]
    assert (answer.json["score"], answer.json["hidden"]) == (7, False)
    recent = [(a["actionId"], a["points"], a["outcome"]) for a in answer.json["recent"]]
    assert recent == [("k0", 7, "accepted"), ("k1", 5, "refused")]


async def test_the_queue_is_filtered_and_read_page_by_page(moderation: Moderation) -> None:
    for i in range(5):
        await moderation.refused(f"k{i}", user="ann" if i % 2 else "bob")
    cases = await moderation.cases(5)
    ids = [case["id"] for case in cases]
    assert ids == sorted(ids, reverse=True)

    paged: list[int] = []
    cursor = ""
    while True:
        page = (await moderation.admin.get(f"{REVIEWS}?limit=2{cursor}")).json
        paged += [case["id"] for case in page["reviews"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert paged == ids

    await moderation.admin.post(f"{REVIEWS}/{ids[0]}/confirm", {})
    for query, expected in (
        ("status=open", ids[1:]),
        ("status=confirmed", ids[:1]),
        ("user=ann", [c["id"] for c in cases if c["userId"] == "ann"]),
        ("kind=flagged", []),
        ("board=global", []),
        ("status=open&kind=refused&board=arena&user=bob&limit=1", [ids[2]]),
    ):
        listed = (await moderation.admin.get(f"{REVIEWS}?{query}")).json["reviews"]
        assert [case["id"] for case in listed] == expected, query


@pytest.mark.parametrize(
    "query",
    [
        "status=closed",
        "kind=x",
        "limit=0",
        "limit=201",
        "cursor=x",
        "board=A!",
        "user=%00",
        "user=",
    ],
)
async def test_a_filter_that_makes_no_sense_is_named(moderation: Moderation, query: str) -> None:
    answer = await moderation.admin.get(f"{REVIEWS}?{query}")
    assert answer.outcome == (400, "invalid_request")
    assert answer.json["path"] == query.partition("=")[0]


async def test_an_approved_action_counts_and_a_second_decision_learns_the_first(
    moderation: Moderation,
) -> None:
    await moderation.game.score("ann", 7, "k0", board="arena")
    await moderation.refused("k1")
    (case,) = await moderation.cases(1)
    path = f"{REVIEWS}/{case['id']}"
    answer = await moderation.admin.post(f"{path}/approve", {"reason": "her new phone"})
    assert answer.json["review"]["status"] == "approved"
    assert await moderation.game.top("arena") == {"ann": 12}

    for verb in ("approve", "confirm"):
        second = await moderation.bearer("bob").post(f"{path}/{verb}", {})
        assert second.outcome == (409, "already_decided")
        decision = second.json["decision"]
        assert (decision["status"], decision["by"]) == ("approved", "eve")
        assert decision["reason"] == "her new phone"
    retry = await moderation.game.post(
        "/api/boards/arena/score",
        {"userId": "ann", "actionId": "k1", "points": 5, "context": FUTURE},
    )
    assert retry.outcome == (409, "duplicate_action")
    assert retry.json["score"] == 12
    assert await moderation.game.top("arena") == {"ann": 12}


async def test_confirming_can_take_back_and_hide(moderation: Moderation) -> None:
    await moderation.game.score("ann", 7, "k0", board="arena")
    await moderation.refused("k1")
    (case,) = await moderation.cases(1)
    answer = await moderation.admin.post(
        f"{REVIEWS}/{case['id']}/confirm", {"revertEarlier": True, "hideUser": True}
    )
    assert (answer.json["reverted"], answer.json["hidden"]) == (1, True)
    assert await moderation.game.top("arena") == {}
    shown = await moderation.admin.post("/api/admin/boards/arena/users/ann/show", {})
    assert shown.json == {"board": "arena", "userId": "ann", "hidden": False}
    assert await moderation.game.top("arena") == {"ann": 0}
    answer = await moderation.admin.post("/api/admin/boards/arena/users/bob/hide", {})
    assert answer.outcome == (404, "unknown_user")
    answer = await moderation.admin.post("/api/admin/boards/nowhere/users/bob/hide", {})
    assert answer.outcome == (404, "unknown_board")


async def test_a_decision_needs_no_body_and_takes_no_unknown_field(
    moderation: Moderation,
) -> None:
    await moderation.refused("k1")
    (case,) = await moderation.cases(1)
    path = f"{REVIEWS}/{case['id']}"
    reasons: list[object] = [1, "x" * 501, "\0"]
    for body in ({"why": ""}, *({"reason": reason} for reason in reasons), []):
        answer = await moderation.admin.post(f"{path}/approve", body)
        assert answer.outcome == (400, "invalid_request"), body
    assert (await moderation.admin.call("POST", f"{path}/confirm")).status == 200


async def test_cases_that_do_not_exist_are_not_found(moderation: Moderation) -> None:
    for name in ("999", "0", "x", "9" * 30):
        answer = await moderation.admin.get(f"{REVIEWS}/{name}")
        assert answer.outcome == (404, "not_found")
        answer = await moderation.admin.post(f"{REVIEWS}/{name}/approve", {})
        assert answer.outcome == (404, "not_found")


async def test_settings_make_a_board_and_hold_from_the_next_action_on(
    moderation: Moderation,
) -> None:
    assert (await moderation.admin.get("/api/admin/boards/duel")).outcome == (
        *(404, "unknown_board"),
    )
    rules = {
        "mode": "off",
        "minPoints": 0,
        "maxPoints": 10,
        "rate": {"actions": 2, "seconds": 60},
        "allowHistory": True,
    }
    answer = await moderation.put("duel", rules)
    assert (answer.status, answer.json) == (200, {"board": "duel", **rules})
    assert (await moderation.admin.get("/api/admin/boards/duel")).json == answer.json
    assert await moderation.game.top("duel") == {}

    score = moderation.game.score
    assert (await score("ann", 11, "k1", board="duel")).outcome == (422, "points_out_of_bounds")
    assert (await score("ann", 10, "k1", board="duel")).status == 200
    assert (await score("ann", 10, "k2", board="duel")).status == 200
    assert (await score("ann", 10, "k3", board="duel")).outcome == (429, "rate_limited")

    await moderation.put("duel", {"maxPoints": 20})
    assert (await score("ann", 20, "k3", board="duel")).status == 200
    assert (await score("ann", 21, "k4", board="duel")).outcome == (422, "points_out_of_bounds")


@pytest.mark.parametrize(
    "rules",
    [
        {"mode": "on"},
        {"minPoints": 5, "maxPoints": 4},
        {"maxPoints": 2**31},
        {"rate": {"actions": 0, "seconds": 1}},
        {"rate": {"actions": 1, "seconds": 0}},
        {"speed": 1},
        [],
    ],
)
async def test_settings_that_make_no_sense_change_nothing(
    moderation: Moderation, rules: Any
) -> None:
    before = (await moderation.admin.get("/api/admin/boards/arena")).json
    assert (await moderation.put("arena", rules)).outcome == (400, "invalid_request")
    assert (await moderation.admin.get("/api/admin/boards/arena")).json == before


@pytest.mark.parametrize("user", ["%ED%A0%80", "%FF", "%00", "a%2Fb", "%7Bx%7D", "%20"])
async def test_strange_users_are_refused_or_not_on_the_board(
    moderation: Moderation, user: str
) -> None:
    answer = await moderation.admin.post(f"/api/admin/boards/arena/users/{user}/hide", {})
    assert answer.outcome in ((400, "invalid_request"), (404, "unknown_user"))
    answer = await moderation.admin.get(f"{REVIEWS}?user={user}")
    assert answer.status in (200, 400)


async def test_a_name_that_no_board_can_have_is_not_made(moderation: Moderation) -> None:
    assert (await moderation.put("Arena!", {})).outcome == (404, "unknown_board")
