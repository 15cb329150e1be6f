"""POST /api/scores: many actions in one call, each with its own answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration.api.conftest import StartApi
from tests.integration.api.described_api import Api


def action(user: str = "ann", action: str = "a1", points: Any = 15) -> dict[str, Any]:
    return {"userId": user, "actionId": action, "points": points}


async def test_each_action_gets_its_answer_in_order(api: Api) -> None:
    batch = [action("ann", "a1", 10), action("bob", "b1", 20), action("ann", "a2", 30)]
    answer = await api.post("/api/scores", {"actions": batch})

    assert answer.json["results"] == [
        {"status": 200, "userId": "ann", "score": 10, "rank": 1, "actionId": "a1"},
        {"status": 200, "userId": "bob", "score": 20, "rank": 1, "actionId": "b1"},
        {"status": 200, "userId": "ann", "score": 40, "rank": 1, "actionId": "a2"},
    ]
    assert await api.top() == {"ann": 40, "bob": 20}


async def test_the_same_call_exists_for_a_named_board(api: Api) -> None:
    await api.post("/api/boards/arena/scores", {"actions": [action()]})

    assert await api.top("arena") == {"ann": 15}


async def test_a_bad_action_never_fails_the_others(api: Api) -> None:
    await api.score("ann", 15, "counted before")
    await api.score("ann", 15, "other points before")
    batch = [
        action("ann", "a1"),
        action("ann", "a2", 1.5),
        {"userId": "ann", "points": 15},
        action("ann", "counted before"),
        action("ann", "other points before", 16),
        "no action at all",
        {**action("ann", "a3"), "context": {"latitude": 91}},
        {**action("ann", "a4"), "context": {"occurredAt": "2026-02-30T00:00:00Z"}},
        action("", "a5"),
        action("bob", "b1"),
    ]
    answer = await api.post("/api/scores", {"actions": batch})

    results = answer.json["results"]
    assert [(r["status"], r.get("code"), r.get("path")) for r in results] == [
        (200, None, None),
        (400, "invalid_request", "actions[1].points"),
        (400, "invalid_request", "actions[2].actionId"),
        (409, "duplicate_action", None),
        (409, "action_conflict", None),
        (400, "invalid_request", "actions[5]"),
        (400, "invalid_request", "actions[6].context.latitude"),
        (400, "invalid_request", "actions[7].context.occurredAt"),
        (400, "invalid_request", "actions[8].userId"),
        (200, None, None),
    ]
    assert results[3]["score"] == 15
    assert await api.top() == {"ann": 45, "bob": 15}


@pytest.mark.parametrize("depth", [984, 5_000, 50_000])
async def test_an_action_that_is_nested_too_deeply_fails_alone(api: Api, depth: int) -> None:
    good, other = (json.dumps(action("ann", name)) for name in ("a1", "a2"))
    deep = f'{{"userId":"ann","actionId":"a3","points":{"[" * depth}{"]" * depth}}}'
    answer = await api.post("/api/scores", f'{{"actions":[{good},{deep},{other}]}}'.encode())

    assert [result["status"] for result in answer.json["results"]] == [200, 400, 200]
    assert answer.json["results"][1]["path"] == "actions[1].points"


async def test_an_action_twice_in_one_batch_counts_once(api: Api) -> None:
    batch = [action(), action(), action(points=16)]
    answer = await api.post("/api/scores", {"actions": batch})

    assert [(r["status"], r.get("code"), r.get("score")) for r in answer.json["results"]] == [
        (200, None, 15),
        (409, "duplicate_action", 15),
        (409, "action_conflict", None),
    ]
    assert await api.top() == {"ann": 15}


async def test_the_actions_of_others_are_forbidden_one_by_one(api: Api) -> None:
    await api.score("bob", 1, "makes the board")
    ann = api.bearing(api.service.token("score:submit", subject="ann"))
    answer = await ann.post("/api/scores", {"actions": [action("bob"), action("ann")]})

    assert [(r["status"], r.get("code")) for r in answer.json["results"]] == [
        (403, "forbidden"),
        (200, None),
    ]
    assert await api.top() == {"ann": 15, "bob": 1}


async def test_a_rate_holds_within_a_batch(api: Api) -> None:
    await api.service.make_board("dice", rate={"actions": 2, "seconds": 60})
    batch = [action(action=f"roll {n}") for n in range(3)]
    answer = await api.post("/api/boards/dice/scores", {"actions": batch})

    assert [r["status"] for r in answer.json["results"]] == [200, 200, 429]
    assert 50 < answer.json["results"][2]["retryAfter"] <= 60


async def test_a_thousand_actions_fit(api: Api) -> None:
    batch = [action(f"user {n}", "a1", n) for n in range(1000)]
    answer = await api.post("/api/scores", {"actions": batch})

    assert [r["score"] for r in answer.json["results"]] == list(range(1000))
    assert list((await api.top()).values()) == list(range(999, 989, -1))


MALFORMED_BATCHES: dict[str, tuple[Any, str]] = {
    "none": ({"actions": []}, "actions"),
    "1001": ({"actions": [action()] * 1001}, "actions"),
    "an object": ({"actions": action()}, "actions"),
    "null": ({"actions": None}, "actions"),
    "missing": ({}, "actions"),
    "unknown field": ({"actions": [action()], "board": "arena"}, "board"),
    "no object": ([action()], ""),
}


async def test_a_malformed_batch_fails_as_a_whole(api: Api) -> None:
    for case, (body, path) in MALFORMED_BATCHES.items():
        answer = await api.post("/api/scores", body)

        assert answer.outcome == (400, "invalid_request"), case
        assert answer.json["path"] == path, case


async def test_a_batch_without_a_good_action_is_answered_all_the_same(api: Api) -> None:
    answer = await api.post("/api/boards/arena/scores", {"actions": [action(points=None)] * 3})

    assert [r["path"] for r in answer.json["results"]] == [f"actions[{n}].points" for n in range(3)]
    assert (await api.get("/api/boards/arena/top")).code == "unknown_board"


async def test_a_batch_too_large_in_bytes_is_refused(start_api: StartApi) -> None:
    api = await start_api(max_body_bytes=4096)
    batch = {"actions": [action(action="x" * 128)] * 100}

    assert (await api.post("/api/scores", batch)).outcome == (413, "payload_too_large")
