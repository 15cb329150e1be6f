"""Who may open a WebSocket, and for how long."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec
import pytest
from aiohttp import ClientWebSocketResponse, WSServerHandshakeError
from redis.asyncio import Redis

from scoreboard.domain.revocations import Revocation
from scoreboard.wire.tickets import decode_ticket, encode_ticket
from tests.integration.api.live.hub_server import Reader, Server, Start, close_code, next_message
from tests.support.named_case import named
from tests.support.waiting import PATIENCE


async def test_a_foreign_origin_is_refused_before_the_upgrade(start: Start) -> None:
    server = await start(allowed_origins="https://game.example, https://www.game.example")
    for origin in ("https://game.example", None):
        with named(origin):
            assert not (await server.connect(origin=origin)).closed
    for origin in ("https://evil.example", "null"):
        with named(origin), pytest.raises(WSServerHandshakeError) as refusal:
            await server.connect(origin=origin)
        assert refusal.value.status == 403, origin


READERS = (
    (None, 401),
    (Reader(scopes=frozenset({"score:write"})), 403),
    (Reader(boards=frozenset({"other"})), 403),
    (Reader(boards=frozenset({"global"})), 101),
    (Reader(), 101),
)


async def test_private_boards_need_a_token_that_allows_them(start: Start) -> None:
    server = await start(public_reads=False)
    headers = {"Authorization": "Bearer x"}
    for reader, status in READERS:
        if reader:
            server.tokens.readers["Bearer x"] = reader
        with named(reader):
            if status == 101:
                ws = await server.connect(headers=headers)
                assert (await next_message(ws))["type"] == "snapshot"
                continue
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


async def opened_with_a_brief_token(
    server: Server, seconds: float
) -> tuple[ClientWebSocketResponse, float]:
    """A connection whose token ends so many seconds after it was made, and when."""
    while True:
        expires_at = time.time() + seconds
        server.tokens.readers["Bearer brief"] = Reader(expires_at=expires_at)
        try:
            return await server.connect(headers={"Authorization": "Bearer brief"}), expires_at
        except WSServerHandshakeError:
            assert time.time() >= expires_at, "a token that is good is taken"


async def test_a_connection_ends_when_its_token_does_and_not_a_heartbeat_later(
    start: Start,
) -> None:
    server = await start(public_reads=False, heartbeat=600)
    lasting = await server.connect(headers={"Authorization": "Bearer good"})
    brief, expires_at = await opened_with_a_brief_token(server, 0.8)
    assert await close_code(brief) == 4401
    # The loop has a clock of its own, which the wall's may fall behind a little.
    assert expires_at - 0.1 <= time.time() < expires_at + PATIENCE
    assert not lasting.closed


async def test_a_token_that_outlives_a_turn_of_the_wheel_ends_on_time_too(start: Start) -> None:
    server = await start(public_reads=False, heartbeat=0.2)
    lasting = await server.connect(headers={"Authorization": "Bearer good"})
    brief, _ = await opened_with_a_brief_token(server, 0.7)
    ended = asyncio.create_task(close_code(brief))
    while not ended.done():  # reading is what makes aiohttp answer pings
        assert (await next_message(lasting))["type"] in {"snapshot", "heartbeat"}

    assert await ended == 4401
    assert (await next_message(lasting))["type"] == "heartbeat"


async def ticket_of(server: Server, token: str) -> str:
    async with server.http.post("/api/ws-ticket", headers={"Authorization": token}) as answer:
        return str((await answer.json())["ticket"])


async def test_a_ticket_ends_with_its_token(start: Start, redis: Redis) -> None:
    server = await start(public_reads=False)
    ticket = await ticket_of(server, "Bearer good")
    [key] = await redis.keys("sb:ticket:*")
    kept: Any = await redis.get(key)
    expired = msgspec.structs.replace(decode_ticket(kept), expires_at=time.time())
    await redis.set(key, encode_ticket(expired), ex=30)

    with pytest.raises(WSServerHandshakeError) as refusal:
        await server.connect(f"/ws/leaderboard?ticket={ticket}")
    assert refusal.value.status == 401


async def test_a_revoked_token_closes_its_connections_and_its_tickets_open_none(
    start: Start,
) -> None:
    server = await start(public_reads=False)
    for name, reader in {
        "Bearer one": Reader(token_id="one"),
        "Bearer two": Reader(token_id="two"),
        "Bearer old": Reader(subject="bob", issued_at=100),
        "Bearer new": Reader(subject="bob", issued_at=200),
        "Bearer mute": Reader(subject="bob"),
    }.items():
        server.tokens.readers[name] = reader
    sockets = {
        name: await server.connect(headers={"Authorization": name})
        for name in server.tokens.readers
    }
    tickets = {name: await ticket_of(server, name) for name in server.tokens.readers}
    server.tokens.revoked.add(Revocation(token="one"))
    server.tokens.revoked.add(Revocation(subject="bob", before=150))
    await server.hub.dismiss_revoked(server.tokens.revoked)

    for name in ("Bearer one", "Bearer old", "Bearer mute"):
        assert await close_code(sockets[name]) == 4401
        with pytest.raises(WSServerHandshakeError, match="401"):
            await server.connect(f"/ws/leaderboard?ticket={tickets[name]}")
    await server.publish(2)
    for name in ("Bearer two", "Bearer new", "Bearer good"):
        assert (await next_message(sockets[name]))["type"] == "snapshot"
        assert (await next_message(sockets[name]))["type"] == "update"
        await server.connect(f"/ws/leaderboard?ticket={tickets[name]}")


NO_UPGRADES = (
    {"Upgrade": "h2c"},
    {"Connection": "keep-alive"},
    {"Sec-WebSocket-Key": "short"},
    {"Sec-WebSocket-Key": "ü"},
)


async def test_what_is_no_upgrade_gets_400(start: Start) -> None:
    server = await start()
    headers = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    for change in NO_UPGRADES:
        async with server.http.get("/ws/leaderboard", headers={**headers, **change}) as answer:
            assert answer.status == 400, change
            assert (await answer.json())["code"] == "invalid_request", change
