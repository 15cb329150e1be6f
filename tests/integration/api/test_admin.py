"""Moderation over HTTP: who may, what is shown, what a decision answers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from itertools import product
from typing import Any

import asyncpg
import pytest

from scoreboard.api import admin
from scoreboard.domain.reviews import Decision
from scoreboard.errors import Unavailable
from scoreboard.workers.moderator import Moderator
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
        return await self.configure("PUT", board, body, by)

    async def patch(self, board: str, body: Any, by: Api | None = None) -> Answer:
        return await self.configure("PATCH", board, body, by)

    async def configure(self, method: str, board: str, body: Any, by: Api | None = None) -> Answer:
        return await (by or self.admin).call(
            method,
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
    for verb, body in (("hide", {}), ("revert", {"actionId": "k1", "reason": "a script"})):
        answer = await limited.post(f"/api/admin/boards/arena/users/ann/{verb}", body)
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


NO_FILTERS = (
    *("status=closed", "kind=x", "limit=0", "limit=201", "cursor=x", "board=A!", "user=%00"),
    "user=",
)


async def test_a_filter_that_makes_no_sense_is_named(moderation: Moderation) -> None:
    for query in NO_FILTERS:
        answer = await moderation.admin.get(f"{REVIEWS}?{query}")
        assert answer.outcome == (400, "invalid_request"), query
        assert answer.json["path"] == query.partition("=")[0], query


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


async def test_an_action_that_counts_is_taken_back_by_its_id(moderation: Moderation) -> None:
    for number, points in enumerate((7, 5)):
        await moderation.game.score("ann", points, f"k{number}", board="arena")
    path, body = "/api/admin/boards/arena/users/ann/revert", {"actionId": "k0", "reason": "a bot"}
    for wrong in ({"actionId": "k0"}, body | {"reason": ""}, body | {"actionId": ""}):
        answer = await moderation.admin.post(path, wrong)
        assert answer.outcome == (400, "invalid_request"), wrong
    answer = await moderation.admin.post(path, body)
    assert answer.json == {"board": "arena", "userId": "ann", "actionId": "k0"}
    assert await moderation.game.top("arena") == {"ann": 5}
    past = await moderation.game.get("/api/boards/arena/users/ann/history")
    assert [one["status"] for one in past.json["actions"]] == ["accepted", "reverted"]
    assert (await moderation.admin.post(path, body)).outcome == (409, "already_decided")
    answer = await moderation.admin.post(path, body | {"actionId": "k9"})
    assert answer.outcome == (404, "not_found")
    answer = await moderation.admin.post(path.replace("arena", "nowhere"), body)
    assert answer.outcome == (404, "unknown_board")
    (entry,) = (await moderation.admin.get("/api/admin/audit?decision=action_reverted")).json[
        "entries"
    ]
    assert (entry["userId"], entry["actionId"], entry["reason"]) == ("ann", "k0", "a bot")
    assert entry["details"] == {"event": past.json["actions"][1]["reverted"]}


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
        "ids": "ascii",
    }
    left_out = {
        "operator": "sum",
        "order": "desc",
        "decimals": 0,
        "rankStyle": "ordinal",
        "topSize": 10,
        "title": "",
        "unit": "",
        "description": "",
        "opens": None,
        "closes": None,
        "attempts": None,
        "capacity": None,
        "join": "open",
        "periods": [],
        "allTime": True,
        "events": [],
    }
    answer = await moderation.put("duel", rules)
    assert (answer.status, answer.json) == (200, {"board": "duel", **rules, **left_out})
    assert (await moderation.admin.get("/api/admin/boards/duel")).json == answer.json
    assert await moderation.game.top("duel") == {}

    score = moderation.game.score
    assert (await score("ann", 11, "k1", board="duel")).outcome == (422, "points_out_of_bounds")
    assert (await score("ann", 10, "k1", board="duel")).status == 200
    assert (await score("ann", 10, "k2", board="duel")).status == 200
    assert (await score("ann", 10, "k3", board="duel")).outcome == (429, "rate_limited")

    changed = await moderation.patch("duel", {"maxPoints": 20})
    assert (changed.status, changed.json["rate"]) == (200, {"actions": 2, "seconds": 60})
    await moderation.patch("duel", {"rate": None})
    assert (await score("ann", 20, "k3", board="duel")).status == 200
    assert (await score("ann", 21, "k4", board="duel")).outcome == (422, "points_out_of_bounds")


async def test_put_erases_no_rule_of_a_board_that_exists(
    moderation: Moderation, database: asyncpg.Connection
) -> None:
    made = await moderation.put("duel", {"maxPoints": 10})
    assert (made.status, made.json["minPoints"]) == (200, -(2**31) + 1)
    whole = {name: value for name, value in made.json.items() if name != "board"}

    for body in ({}, {"maxPoints": 11}, {name: whole[name] for name in whole if name != "rate"}):
        answer = await moderation.put("duel", body)
        assert answer.outcome == (400, "invalid_request")
        assert "PATCH" in answer.json["detail"]
        assert answer.json["path"] not in body
    assert (await moderation.admin.get("/api/admin/boards/duel")).json == made.json

    replaced = await moderation.put("duel", {**whole, "maxPoints": 11})
    assert (replaced.status, replaced.json) == (200, {**made.json, "maxPoints": 11})
    audited = await database.fetch(
        "SELECT actor, details ->> 'after' AS after FROM admin_audit WHERE board = 'duel'"
        " ORDER BY id"
    )
    assert [(row["actor"], json.loads(row["after"])["maxPoints"]) for row in audited] == [
        *(("eve", 10), ("eve", 11)),
    ]


async def test_patch_makes_no_board(moderation: Moderation) -> None:
    assert (await moderation.patch("duel", {"maxPoints": 10})).outcome == (404, "unknown_board")
    assert (await moderation.admin.get("/api/admin/boards/duel")).outcome == (
        *(404, "unknown_board"),
    )


async def test_bounds_that_a_patch_would_cross_are_refused(moderation: Moderation) -> None:
    await moderation.patch("arena", {"minPoints": 5})
    answer = await moderation.patch("arena", {"maxPoints": 4})
    assert (answer.outcome, answer.json["path"]) == ((400, "invalid_request"), "minPoints")
    assert (await moderation.patch("arena", {"maxPoints": 5.0})).json["maxPoints"] == 5


NO_RULES: tuple[Any, ...] = (
    {"mode": "on"},
    {"minPoints": 5, "maxPoints": 4},
    {"maxPoints": 2**31},
    {"rate": {"actions": 0, "seconds": 1}},
    {"rate": {"actions": 1, "seconds": 0}},
    {"speed": 1},
    [],
)


async def test_settings_that_make_no_sense_change_nothing(moderation: Moderation) -> None:
    before = (await moderation.admin.get("/api/admin/boards/arena")).json
    for case in product(("PUT", "PATCH"), NO_RULES):
        method, rules = case
        answer = await moderation.configure(method, "arena", rules)
        assert answer.outcome == (400, "invalid_request"), case
        assert (await moderation.admin.get("/api/admin/boards/arena")).json == before, case


async def test_strange_users_are_refused_or_not_on_the_board(moderation: Moderation) -> None:
    for user in ("%ED%A0%80", "%FF", "%00", "a%2Fb", "%7Bx%7D", "%20"):
        answer = await moderation.admin.post(f"/api/admin/boards/arena/users/{user}/hide", {})
        assert answer.outcome in ((400, "invalid_request"), (404, "unknown_user")), user
        answer = await moderation.admin.get(f"{REVIEWS}?user={user}")
        assert answer.status in (200, 400), user


async def test_a_name_that_no_board_can_have_is_not_made(moderation: Moderation) -> None:
    assert (await moderation.put("Arena!", {})).outcome == (404, "unknown_board")


@pytest.mark.parametrize(
    ("time", "shown"),
    [
        ("9999-12-31T23:59:59.9999Z", "9999-12-31T23:59:59.999000Z"),
        ("9999-12-31t22:59:59.999999999-01:00", "9999-12-31T23:59:59.999000Z"),
        ("1970-01-01T00:00:00z", "1970-01-01T00:00:00Z"),
    ],
)
async def test_a_case_of_any_time_can_be_read_and_decided(
    moderation: Moderation, time: str, shown: str
) -> None:
    await moderation.patch("arena", {"mode": "off"})
    action = {"userId": "ann", "actionId": "k1", "points": 1, "context": {"occurredAt": time}}
    await moderation.game.post("/api/boards/arena/score", action)
    again = await moderation.game.post("/api/boards/arena/score", {**action, "points": 2})
    assert again.outcome == (409, "action_conflict")

    (case,) = await moderation.cases(1)
    assert case["occurredAt"] == shown
    details = await moderation.admin.get(f"{REVIEWS}/{case['id']}")
    assert [recent["at"] for recent in details.json["recent"]] == [shown]
    confirmed = await moderation.admin.post(f"{REVIEWS}/{case['id']}/confirm", {})
    assert (confirmed.status, confirmed.json["review"]["status"]) == (200, "confirmed")


async def test_a_case_that_was_kept_with_a_time_beyond_all_calendars_can_be_read(
    moderation: Moderation, database: asyncpg.Connection
) -> None:
    await moderation.refused("k1")
    await moderation.cases(1)
    await database.execute("UPDATE review SET occurred_at = to_timestamp(253402300800)")
    await database.execute("UPDATE score_action SET occurred_at = to_timestamp(253402300800)")

    (case,) = await moderation.cases(1)
    details = await moderation.admin.get(f"{REVIEWS}/{case['id']}")
    assert case["occurredAt"] == details.json["recent"][0]["at"] == "9999-12-31T23:59:59.999000Z"


async def test_a_time_that_nobody_could_read_is_refused(moderation: Moderation) -> None:
    for time in ("9999-12-31T23:59:59-00:01", "1969-12-31T23:59:59Z", "2026-02-29T00:00:00Z"):
        action = {"userId": "ann", "actionId": "k1", "points": 1, "context": {"occurredAt": time}}
        answer = await moderation.game.post("/api/boards/arena/score", action)
        assert answer.outcome == (400, "invalid_request"), time
        assert answer.json["path"] == "context.occurredAt", time


async def selected(
    moderation: Moderation, verdict: str = "approved"
) -> tuple[list[int], list[dict[str, Any]]]:
    """Three cases, and what became of each when they were decided in one call."""
    for action in ("a1", "a2", "a3"):
        await moderation.refused(action, user=action)
    ids = [case["id"] for case in await moderation.cases(3, "?status=open")]
    answer = await moderation.admin.post(f"{REVIEWS}:decide", {"ids": ids, "verdict": verdict})
    assert answer.status == 200, answer
    return ids, answer.json["results"]


async def test_when_a_server_is_away_the_rest_of_a_selection_is_not_tried(
    moderation: Moderation, monkeypatch: pytest.MonkeyPatch
) -> None:
    approve, tried = Moderator.approve, []

    async def away_at_the_second(self: Moderator, review_id: int, **how: Any) -> Decision:
        tried.append(review_id)
        if len(tried) == 2:
            raise Unavailable("Postgres did not answer in time.")
        return await approve(self, review_id, **how)

    monkeypatch.setattr(Moderator, "approve", away_at_the_second)
    ids, results = await selected(moderation)

    assert [(one["id"], one["status"]) for one in results] == [
        (ids[0], 200), (ids[1], 503), (ids[2], 503)
    ]  # fmt: skip
    assert results[2]["detail"] == "Postgres did not answer in time."
    assert tried == ids[:2], "each further one would have waited as long"


async def test_a_selection_that_takes_long_is_continued_by_the_same_call(
    moderation: Moderation, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(admin, "PATIENCE", 0.0)
        ids, results = await selected(moderation, "confirmed")
        assert [one["status"] for one in results] == [503] * 3
        assert "Repeat the call" in results[0]["detail"]

    body = {"ids": ids, "verdict": "confirmed"}
    again = await moderation.admin.post(f"{REVIEWS}:decide", body)
    assert [one["status"] for one in again.json["results"]] == [200] * 3
