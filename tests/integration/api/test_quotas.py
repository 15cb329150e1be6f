"""What players' own tokens may post, and how many boards a game server's may open."""

from __future__ import annotations

import asyncio

import pytest

from scoreboard.errors import ConfigurationError
from scoreboard.settings import load
from tests.integration.api.conftest import StartApi


async def test_a_player_that_posts_without_pause_is_told_to_wait_and_others_are_not(
    start_api: StartApi,
) -> None:
    api = await start_api(player_rate="5/300")
    await api.score("bob", 1)
    ann = api.bearing(api.service.token("score:submit", subject="ann"))
    again = api.bearing(api.service.token("score:submit", subject="ann"))
    answers = [await ann.score("ann", 1, f"a{n}") for n in range(4)]
    answers.append(await again.score("ann", 1, "a4"))
    assert [answer.status for answer in answers] == [200] * 5
    late = await again.score("ann", 1, "a5")

    assert late.outcome == (429, "rate_limited")
    assert 0 < late.json["retryAfter"] <= 60
    assert (late.json["userId"], late.json["actionId"]) == ("ann", "a5")
    carl = api.bearing(api.service.token("score:submit", subject="carl"))
    assert (await carl.score("carl", 1)).status == 200
    for n in range(10):
        assert (await api.score("ann", 1, f"b{n}")).status == 200, "a game server's has no rate"
    assert (await api.top())["ann"] == 15


async def test_each_action_of_a_players_batch_counts_and_those_beyond_get_their_own_answer(
    start_api: StartApi,
) -> None:
    api = await start_api(player_rate="5/300")
    await api.score("bob", 1)
    ann = api.bearing(api.service.token("score:submit", subject="ann"))
    actions = [{"userId": "ann", "actionId": f"a{n}", "points": 1} for n in range(8)]
    results = (await ann.post("/api/scores", {"actions": actions})).json["results"]

    assert [result["status"] for result in results] == [200] * 5 + [429] * 3
    assert {result.get("code") for result in results[5:]} == {"rate_limited"}
    assert await api.top() == {"ann": 5, "bob": 1}


async def test_by_default_a_flood_of_a_player_ends_early(start_api: StartApi) -> None:
    api = await start_api()
    await api.score("bob", 1)
    ann = api.bearing(api.service.token("score:submit", subject="ann"))
    counted = 0
    for call in range(2):
        actions = [{"userId": "ann", "actionId": f"{call}.{n}", "points": 1} for n in range(1000)]
        results = (await ann.post("/api/scores", {"actions": actions})).json["results"]
        counted += sum(result["status"] == 200 for result in results)
    assert 600 <= counted < 1200


async def test_a_token_opens_so_many_boards_and_goes_on_posting_to_those(
    start_api: StartApi,
) -> None:
    api = await start_api(board_quota="3/180")
    for n in range(3):
        assert (await api.score("ann", 1, board=f"b{n}")).status == 200
    beyond = await api.score("ann", 1, board="b3")
    batch = await api.post(
        "/api/boards/b3/scores", {"actions": [{"userId": "ann", "actionId": "a", "points": 1}]}
    )

    assert beyond.outcome == batch.outcome == (429, "board_quota_exceeded")
    assert (await api.get("/api/boards/b3/top")).outcome == (404, "unknown_board")
    assert (await api.score("bob", 1, board="b2")).status == 200
    other = api.bearing(api.service.token(subject="another-server"))
    assert (await other.score("ann", 1, board="b3")).status == 200
    assert (await api.score("bob", 1, board="b3")).status == 200, "it exists now"


async def test_many_first_posts_to_one_board_open_it_once(start_api: StartApi) -> None:
    api = await start_api(board_quota="2/120")
    answers = await asyncio.gather(*(api.score(f"user{n}", 1, board="arena") for n in range(32)))
    assert {answer.status for answer in answers} == {200}
    assert (await api.score("ann", 1, board="duel")).status == 200


@pytest.mark.parametrize("text", ["5", "0/1", "1001/1", "none/1", "5/0"])
def test_a_setting_that_is_no_rate_is_refused_by_name(text: str) -> None:
    for name in ("SCOREBOARD_PLAYER_RATE", "SCOREBOARD_BOARD_QUOTA"):
        with pytest.raises(ConfigurationError, match=name):
            load({name: text})
