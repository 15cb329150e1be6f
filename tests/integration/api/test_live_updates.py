"""The WebSocket of the whole service: what a post does to it, and whom it lets in."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType, WSServerHandshakeError
from redis.asyncio import Redis

from tests.integration.api.conftest import StartApi
from tests.integration.api.described_api import Api
from tests.support.waiting import PATIENCE, wait_until

Message = dict[str, Any]


async def next_message(ws: ClientWebSocketResponse) -> Message:
    received = await ws.receive(timeout=PATIENCE)
    assert received.type is WSMsgType.TEXT, received
    message: Message = json.loads(received.data)
    return message


async def watched_until(ws: ClientWebSocketResponse, top: dict[str, int]) -> list[Message]:
    """All messages up to the one that shows ``top``."""
    messages = [await next_message(ws)]
    while scores(messages[-1]) != top:
        messages.append(await next_message(ws))
    return messages


def scores(message: Message) -> dict[str, int]:
    return {entry["userId"]: entry["score"] for entry in message.get("topScores", ())}


async def test_a_client_sees_the_board_and_then_every_change_of_its_top_10(api: Api) -> None:
    await api.score("ann", 10)
    async with api.http.ws_connect(f"{api.service.url}/ws/leaderboard") as ws:
        snapshot = await next_message(ws)
        await api.score("bob", 20)
        update = await next_message(ws)

    assert (snapshot["type"], snapshot["board"]) == ("snapshot", "global")
    assert snapshot["topScores"] == [{"userId": "ann", "score": 10}]
    assert update["type"] == "update"
    assert update["topScores"] == [{"userId": "bob", "score": 20}, {"userId": "ann", "score": 10}]
    assert update["version"] == snapshot["version"] + 1
    for message in (snapshot, update):
        assert set(message) == {"type", "board", "version", "topScores", "at"}
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", message["at"])


async def test_the_version_is_the_etag_of_the_top_10(api: Api) -> None:
    await api.score("ann", 10)
    async with api.http.ws_connect(f"{api.service.url}/ws/leaderboard") as ws:
        version = (await next_message(ws))["version"]

    assert (await api.get("/api/score/top")).headers["ETag"] == f'"{version}"'


async def test_what_does_not_change_the_top_10_is_not_sent(api: Api) -> None:
    actions = [{"userId": f"user{n}", "actionId": "a1", "points": 100 + n} for n in range(10)]
    await api.post("/api/scores", {"actions": actions})
    async with api.http.ws_connect(f"{api.service.url}/ws/leaderboard") as ws:
        before = await next_message(ws)
        await api.score("below", 99)
        await api.score("user3", 103, "a1")  # a duplicate
        await api.score("user3", 0, "a2")
        await api.score("user9", 1, "a2")
        after = await next_message(ws)

    assert after["topScores"][0] == {"userId": "user9", "score": 110}
    assert after["version"] == before["version"] + 1


async def test_each_board_has_its_own_watchers(api: Api) -> None:
    await api.score("ann", 1)
    await api.score("ann", 2, board="arena")
    async with (
        api.http.ws_connect(f"{api.service.url}/ws/leaderboard?board=arena") as by_query,
        api.http.ws_connect(f"{api.service.url}/ws/boards/arena") as by_path,
        api.http.ws_connect(f"{api.service.url}/ws/leaderboard") as default,
    ):
        assert [scores(await next_message(ws)) for ws in (by_query, by_path, default)] == [
            *({"ann": 2}, {"ann": 2}, {"ann": 1})
        ]
        await api.score("ann", 2, "a2", board="arena")
        assert scores(await next_message(by_query)) == {"ann": 4}
        assert scores(await next_message(by_path)) == {"ann": 4}
        await api.score("ann", 1, "a2")
        assert scores(await next_message(default)) == {"ann": 2}


async def test_a_post_to_one_service_is_seen_by_the_clients_of_another(
    api: Api, start_api: StartApi
) -> None:
    other = await start_api()
    await api.score("ann", 1)
    async with api.http.ws_connect(f"{other.service.url}/ws/leaderboard") as ws:
        await next_message(ws)
        await api.score("ann", 1, "a2")
        assert scores(await next_message(ws)) == {"ann": 2}


async def test_versions_only_grow_across_an_emptied_redis_and_a_restart(
    api: Api, redis: Redis
) -> None:
    versions: list[int] = []
    total = 0

    async def see_a_change(ws: ClientWebSocketResponse) -> None:
        nonlocal total
        total += 1
        await api.score("ann", 1, f"action {total}")
        versions.extend(m["version"] for m in await watched_until(ws, {"ann": total}))

    async def all_persisted() -> bool:
        return bool((await api.get("/readyz")).json["parts"]["redis"]["backlog"] == 0)

    await api.score("ann", 0, "makes the board")
    async with api.service.persisting():
        async with api.http.ws_connect(f"{api.service.url}/ws/leaderboard") as ws:
            await see_a_change(ws)
            await wait_until(all_persisted, description="all is persisted")
            await redis.flushall()
            await see_a_change(ws)
        async with api.service.away():
            pass
        await api.service.takes_tokens()
        async with api.http.ws_connect(f"{api.service.url}/ws/leaderboard") as ws:
            again = (await next_message(ws))["version"]
            assert again >= versions[-1]
            await see_a_change(ws)

    assert versions == sorted(set(versions))


async def test_clients_are_told_to_come_back_at_a_shutdown(api: Api) -> None:
    await api.score("ann", 1)
    async with api.http.ws_connect(f"{api.service.url}/ws/leaderboard") as ws:
        await next_message(ws)
        stopping = asyncio.create_task(api.service.stop())
        assert (await ws.receive(timeout=PATIENCE)).type is WSMsgType.CLOSE
        await stopping

    assert ws.close_code == 1012


async def test_a_board_that_does_not_exist_closes_with_4404(api: Api) -> None:
    for board in ("unknown", "No-Name"):
        async with api.http.ws_connect(f"{api.service.url}/ws/boards/{board}") as ws:
            assert (await ws.receive(timeout=PATIENCE)).type is WSMsgType.CLOSE
        assert ws.close_code == 4404


async def test_without_an_upgrade_it_is_a_bad_request(api: Api) -> None:
    for path in ("/ws/leaderboard", "/ws/boards/global"):
        assert (await api.get(path)).outcome == (400, "invalid_request")


class TestPrivateBoards:
    @pytest.fixture
    async def private(self, start_api: StartApi) -> Api:
        api = await start_api(public_reads=False, allowed_origins="https://game.example")
        await api.score("ann", 1)
        await api.score("ann", 1, board="arena")
        return api

    @pytest.fixture
    async def refusal(self, private: Api) -> Callable[..., Awaitable[int]]:
        async def refusal(path: str = "/ws/leaderboard", **headers: str) -> int:
            """The status with which an upgrade is refused."""
            with pytest.raises(WSServerHandshakeError) as refused:
                await private.http.ws_connect(private.service.url + path, headers=headers)
            return refused.value.status

        return refusal

    async def test_a_program_opens_them_with_its_token(
        self, private: Api, refusal: Callable[..., Awaitable[int]]
    ) -> None:
        token = private.service.token
        headers = {"Authorization": f"Bearer {token('board:read')}"}
        url = f"{private.service.url}/ws/leaderboard"
        async with private.http.ws_connect(url, headers=headers) as ws:
            assert scores(await next_message(ws)) == {"ann": 1}

        assert await refusal() == 401
        assert await refusal(Authorization="Bearer nonsense") == 401
        assert await refusal(Authorization=f"Bearer {token('board:read', ttl=-1)}") == 401
        assert await refusal(Authorization=f"Bearer {token('score:write')}") == 403
        elsewhere = token("board:read", boards=["arena"])
        assert await refusal(Authorization=f"Bearer {elsewhere}") == 403
        assert await refusal(**headers, Origin="https://evil.example") == 403
        assert await refusal(f"/ws/leaderboard?token={token('board:read')}") == 401

    async def test_a_browser_opens_them_with_a_ticket_good_for_once(
        self, private: Api, refusal: Callable[..., Awaitable[int]]
    ) -> None:
        reader = private.bearing(private.service.token("board:read", boards=["arena"]))
        tickets = [(await reader.post("/api/ws-ticket", b"")).json["ticket"] for _ in range(2)]
        url = f"{private.service.url}/ws/boards/arena?ticket={tickets[0]}"
        async with private.http.ws_connect(url, origin="https://game.example") as ws:
            assert scores(await next_message(ws)) == {"ann": 1}

        assert re.fullmatch(r"[\w-]{22}", tickets[0]), "128 bits"
        assert await refusal(f"/ws/boards/arena?ticket={tickets[0]}") == 401
        assert await refusal(f"/ws/leaderboard?ticket={tickets[1]}") == 403

    async def test_only_who_may_read_gets_a_ticket(self, private: Api) -> None:
        assert (await private.post("/api/ws-ticket", b"")).outcome == (403, "forbidden")
        nobody = private.bearing(None)
        assert (await nobody.post("/api/ws-ticket", b"")).outcome == (401, "unauthorized")
