"""POST /api/score: one test for each row of its table of answers."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any

from redis.asyncio import Redis

from scoreboard.wire.keys import Keyspace
from scoreboard.wire.receipts import Kept, receipt
from tests.integration.api.conftest import StartApi
from tests.integration.api.described_api import Api

ACTION = {"userId": "ann", "actionId": "match-7:kill-31", "points": 15}


async def test_an_accepted_action_answers_the_new_total_and_the_rank(api: Api) -> None:
    await api.score("bob", 40)
    await api.score("ann", 20)
    answer = await api.post("/api/score", ACTION)

    assert answer.status == 200
    assert answer.json == {
        "userId": "ann",
        "score": 35,
        "rank": 2,
        "actionId": "match-7:kill-31",
    }


async def test_the_same_call_exists_for_a_named_board(api: Api) -> None:
    assert (await api.post("/api/boards/arena/score", ACTION)).json["score"] == 15
    assert await api.top("arena") == {"ann": 15}
    assert (await api.post("/api/score", ACTION)).status == 200, "the default board is another"


async def test_points_may_be_taken_away_and_a_total_may_be_negative(api: Api) -> None:
    await api.score("ann", 5)
    assert (await api.score("ann", -12, "a2")).json["score"] == -7


async def test_no_points_put_a_user_on_the_board(api: Api) -> None:
    assert (await api.score("ann", 0)).json == {
        "userId": "ann",
        "score": 0,
        "rank": 1,
        "actionId": "a1",
    }


async def test_a_retry_learns_the_total_that_the_action_led_to(api: Api) -> None:
    await api.post("/api/score", ACTION)
    await api.score("ann", 100, "later")
    retry = await api.post("/api/score", ACTION)

    assert retry.outcome == (409, "duplicate_action")
    assert (retry.json["userId"], retry.json["actionId"]) == ("ann", "match-7:kill-31")
    assert retry.json["score"] == 15
    assert await api.top() == {"ann": 115}


async def test_an_action_counts_once_per_user_and_board(api: Api) -> None:
    assert (await api.score("ann", 15)).status == 200
    assert (await api.score("bob", 15)).status == 200
    assert (await api.score("ann", 15, board="arena")).status == 200
    assert (await api.score("ann", 15)).outcome == (409, "duplicate_action")


async def test_64_concurrent_posts_of_one_action_move_the_total_once(api: Api) -> None:
    await api.score("ann", 1000, "before")
    answers = await asyncio.gather(*(api.post("/api/score", ACTION) for _ in range(64)))

    assert Counter(answer.outcome for answer in answers) == {
        (200, None): 1,
        (409, "duplicate_action"): 63,
    }
    assert {answer.json["score"] for answer in answers} == {1015}
    assert await api.top() == {"ann": 1015}


async def test_an_action_id_with_other_points_conflicts_and_is_recorded(
    api: Api, redis: Redis
) -> None:
    await api.post("/api/score", ACTION)
    conflict = await api.post("/api/score", {**ACTION, "points": 16})

    assert conflict.outcome == (409, "action_conflict")
    assert "score" not in conflict.json
    assert await api.top() == {"ann": 15}
    events: Any = await redis.xrange(Keyspace(8).board("global").events)
    assert [fields[b"o"] for _, fields in events] == [b"A", b"C"]


async def test_a_refusal_names_the_agents_and_no_threshold(api: Api, redis: Redis) -> None:
    await api.score("bob", 1)
    refusal = receipt(
        Kept.REFUSED,
        points=15,
        score=None,
        attempt="another",
        event="1-0",
        agents=("time", "behavior"),
    )
    await redis.set(Keyspace(8).board("global").action(b"ann", b"match-7:kill-31"), refusal)
    answer = await api.post("/api/score", ACTION)

    assert answer.outcome == (403, "anomaly_rejected")
    assert answer.json["agents"] == ["time", "behavior"]
    assert set(answer.json) == {
        *("type", "title", "status", "code", "detail", "userId", "actionId", "agents")
    }


async def test_a_total_stays_within_2_to_the_50th(api: Api, redis: Redis) -> None:
    await api.score("ann", 0)
    await redis.zadd(Keyspace(8).board("global").board, {"ann": 2.0**50 - 7})
    assert (await api.score("ann", 7, "reaches it")).json["score"] == 2**50
    beyond = await api.score("ann", 1, "goes beyond")

    assert beyond.outcome == (422, "score_out_of_range")
    assert (await api.get("/api/boards/global/users/ann")).json["score"] == 2**50
    assert (await api.score("ann", -1, "goes beyond")).status == 200, "nothing was written"


async def test_a_board_sets_bounds_on_the_points_of_an_action(api: Api) -> None:
    await api.service.make_board("dice", min_points=1, max_points=6)

    assert (await api.score("ann", 6, board="dice")).status == 200
    for points in (0, 7, -3):
        answer = await api.score("ann", points, f"roll {points}", board="dice")
        assert answer.outcome == (422, "points_out_of_bounds")
    assert await api.top("dice") == {"ann": 6}


async def test_a_board_sets_a_rate_and_says_when_to_come_back(api: Api) -> None:
    await api.service.make_board("dice", rate={"actions": 2, "seconds": 30})
    began = time.monotonic()
    for n in range(2):
        assert (await api.score("ann", 1, f"roll {n}", board="dice")).status == 200
    limited = await api.score("ann", 1, "roll 3", board="dice")

    assert limited.outcome == (429, "rate_limited")
    assert 29 - (time.monotonic() - began) <= int(limited.headers["Retry-After"]) <= 30
    assert (await api.score("ann", 1, "roll 0", board="dice")).code == "duplicate_action"
    assert (await api.score("bob", 1, "roll 1", board="dice")).status == 200


async def test_a_full_backlog_takes_no_writes(start_api: StartApi, redis: Redis) -> None:
    api = await start_api(backlog_limit=1000)
    await api.score("ann", 1)
    async with redis.pipeline() as pipe:
        for _ in range(999):
            pipe.xadd(Keyspace(8).board("global").events, {"o": "?"})
        await pipe.execute()
    answer = await api.score("ann", 1, "a2")

    assert answer.outcome == (503, "unavailable")
    assert await api.top() == {"ann": 1}


async def test_a_body_has_a_largest_size(start_api: StartApi) -> None:
    api = await start_api(max_body_bytes=1024)
    body = b'{"userId":"ann","actionId":"a1","points":15}'

    too_large = await api.post("/api/score", body.ljust(1025))
    assert too_large.outcome == (413, "payload_too_large")
    assert (await api.post("/api/score", body.ljust(1024))).outcome == (200, None)


CONTENT_TYPES = (
    ("application/json", 200),
    ("application/json; charset=utf-8", 200),
    ("Application/JSON", 200),
    ("text/plain", 415),
    ("application/jsonp", 415),
    ("application/x-www-form-urlencoded", 415),
    ("", 415),
)


async def test_only_json_is_taken(api: Api) -> None:
    for content_type, status in CONTENT_TYPES:
        action = {**ACTION, "actionId": f"as {content_type}"}
        answer = await api.post("/api/score", action, Content_Type=content_type)

        code = "unsupported_media_type" if status == 415 else None
        assert answer.outcome == (status, code), content_type
