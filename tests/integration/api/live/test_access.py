"""Who may open a WebSocket, and for how long."""

from __future__ import annotations

import asyncio
import time

import pytest
from aiohttp import WSServerHandshakeError
from redis.asyncio import Redis

from tests.integration.api.live.hub_server import Reader, Start, close_code, next_message


@pytest.mark.parametrize(
    ("origin", "status"),
    [("https://game.example", 101), (None, 101), ("https://evil.example", 403), ("null", 403)],
)
async def test_a_foreign_origin_is_refused_before_the_upgrade(
    start: Start, origin: str | None, status: int
) -> None:
    server = await start(allowed_origins="https://game.example, https://www.game.example")
    if status == 101:
        assert not (await server.connect(origin=origin)).closed
        return
    with pytest.raises(WSServerHandshakeError) as refusal:
        await server.connect(origin=origin)
    assert refusal.value.status == status


@pytest.mark.parametrize(
    ("reader", "status"),
    [
        (None, 401),
        (Reader(scopes=frozenset({"score:write"})), 403),
        (Reader(boards=frozenset({"other"})), 403),
        (Reader(boards=frozenset({"global"})), 101),
        (Reader(), 101),
    ],
)
async def test_private_boards_need_a_token_that_allows_them(
    start: Start, reader: Reader | None, status: int
) -> None:
    server = await start(public_reads=False)
    headers = {"Authorization": "Bearer x"}
    if reader:
        server.tokens.readers["Bearer x"] = reader
    if status == 101:
        ws = await server.connect(headers=headers)
        assert (await next_message(ws))["type"] == "snapshot"
        return
    with pytest.raises(WSServerHandshakeError) as refusal:
        await server.connect(headers=headers)
    assert refusal.value.status == status


async def test_a_ticket_opens_one_connection(start: Start, redis: Redis) -> None:
    server = await start(public_reads=False)
    async with server.http.post(
        "/api/ws-ticket", headers={"Authorization": "Bearer good"}
    ) as answer:
        assert answer.status == 200
        assert answer.headers["Cache-Control"] == "no-store"
        ticket = (await answer.json())["ticket"]
    [key] = await redis.keys("sb:ticket:*")
    assert 0 < await redis.ttl(key) <= 30

    ws = await server.connect(f"/ws/leaderboard?ticket={ticket}")
    assert (await next_message(ws))["type"] == "snapshot"
    for used in (ticket, "x" * 22, "", "sb:ticket:x"):
        with pytest.raises(WSServerHandshakeError) as refusal:
            await server.connect(f"/ws/leaderboard?ticket={used}")
        assert refusal.value.status == 401


async def test_a_ticket_has_the_rights_of_its_token(start: Start) -> None:
    server = await start(public_reads=False)
    server.tokens.readers["Bearer other"] = Reader(boards=frozenset({"other"}))
    server.tokens.readers["Bearer writer"] = Reader(scopes=frozenset({"score:write"}))
    for token, status in (("Bearer writer", 403), ("Bearer none", 401)):
        async with server.http.post("/api/ws-ticket", headers={"Authorization": token}) as answer:
            assert answer.status == status
    for board, allowed in (("global", False), ("other", True)):
        async with server.http.post(
            "/api/ws-ticket", headers={"Authorization": "Bearer other"}
        ) as answer:
            ticket = (await answer.json())["ticket"]
        path = f"/ws/boards/{board}?ticket={ticket}"
        if allowed:
            assert not (await server.connect(path)).closed
        else:
            with pytest.raises(WSServerHandshakeError, match="403"):
                await server.connect(path)


async def test_a_connection_ends_with_its_token(start: Start) -> None:
    server = await start(public_reads=False, heartbeat=0.2)
    server.tokens.readers["Bearer brief"] = Reader(expires_at=time.time() + 0.3)
    lasting = await server.connect(headers={"Authorization": "Bearer good"})
    brief = await server.connect(headers={"Authorization": "Bearer brief"})
    ended = asyncio.create_task(close_code(brief))
    while not ended.done():  # reading is what makes aiohttp answer pings
        assert (await next_message(lasting))["type"] in {"snapshot", "heartbeat"}

    assert await ended == 4401
    assert (await next_message(lasting))["type"] == "heartbeat"


@pytest.mark.parametrize(
    "change",
    [
        {"Upgrade": "h2c"},
        {"Connection": "keep-alive"},
        {"Sec-WebSocket-Version": "8"},
        {"Sec-WebSocket-Key": "short"},
        {"Sec-WebSocket-Key": "ü"},
    ],
)
async def test_what_is_no_upgrade_gets_400(start: Start, change: dict[str, str]) -> None:
    server = await start()
    headers = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        **change,
    }
    async with server.http.get("/ws/leaderboard", headers=headers) as answer:
        assert answer.status == 400
        assert (await answer.json())["code"] == "invalid_request"
