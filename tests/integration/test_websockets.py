"""The relay over real sockets and a real Valkey, on both event loops."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
import uvloop
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, WSServerHandshakeError, web
from redis.asyncio import Redis
from structlog.testing import capture_logs

from scoreboard.api.connections import MAX_MESSAGES, Connection
from scoreboard.api.problems import problems
from scoreboard.api.relay import Hub
from scoreboard.api.websockets import LiveLeaderboard
from scoreboard.errors import Unauthorized, Unavailable, UnknownBoard
from scoreboard.redisio.tickets import RedisTickets
from scoreboard.redisio.updates import RedisUpdates
from scoreboard.roles.embedded import Valkey
from scoreboard.settings import Settings
from scoreboard.wire import messages
from scoreboard.wire.keys import board_keys
from tests.waiting import wait_until

PARTITIONS = 8
LONG_TOP = b"[%b]" % b",".join([b'{"userId":"%b","score":1}' % (b"x" * 128)] * 10)
SILENCE = 0.2


def channel_of(board: str) -> str:
    return board_keys(board, PARTITIONS).channel


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def event_loop_policy(request: pytest.FixtureRequest) -> asyncio.AbstractEventLoopPolicy:
    if request.param == "uvloop":
        return uvloop.EventLoopPolicy()
    return asyncio.DefaultEventLoopPolicy()


@dataclass
class Boards:
    """The boards that can be read."""

    versions: dict[str, int] = field(default_factory=lambda: {"global": 1, "other": 1})
    away: bool = False

    async def top(self, board: str) -> tuple[int, bytes]:
        if self.away:
            raise Unavailable("away")
        if board not in self.versions:
            raise UnknownBoard("There is no such board.")
        return self.versions[board], b"[]"


@dataclass(frozen=True)
class Reader:
    subject: str = "alice"
    scopes: frozenset[str] = frozenset({"board:read"})
    boards: frozenset[str] | None = None
    expires_at: float = 2**40


class Tokens:
    """Stands for the verification of tokens, which has tests of its own."""

    def __init__(self) -> None:
        self.readers: dict[str, Reader] = {"Bearer good": Reader()}

    async def authenticate(self, request: web.BaseRequest) -> Reader:
        try:
            return self.readers[request.headers["Authorization"]]
        except KeyError:
            raise Unauthorized from None


class Server:
    """A relay on a free port."""

    def __init__(self, url: str, redis: Redis, settings: Settings) -> None:
        self.boards, self.tokens = Boards(), Tokens()
        self.redis = redis
        updates = RedisUpdates(url, channel_of, timeout=1.0, silence=SILENCE)
        self.hub = Hub(updates, self.boards, settings)
        live = LiveLeaderboard(self.hub, self.tokens, RedisTickets(redis), settings)
        app = web.Application(middlewares=[problems])
        app.router.add_get("/ws/leaderboard", live.leaderboard)
        app.router.add_get("/ws/boards/{board}", live.leaderboard)
        app.router.add_post("/api/ws-ticket", live.issue_ticket)
        self.runner = web.AppRunner(app)
        self.port = 0
        self.http: ClientSession

    async def __aenter__(self) -> Server:
        self.running = asyncio.create_task(self.hub.run())
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        self.port = self.runner.addresses[0][1]
        self.http = ClientSession(f"http://127.0.0.1:{self.port}")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.close()
        await self.hub.close()
        self.running.cancel()
        await asyncio.gather(self.running, return_exceptions=True)
        await self.runner.cleanup()

    async def connect(
        self, path: str = "/ws/leaderboard", **options: Any
    ) -> ClientWebSocketResponse:
        return await self.http.ws_connect(path, **options)

    async def publish(self, version: int, board: str = "global", top: bytes = b"[]") -> None:
        """What the script does when the top 10 has changed."""
        self.boards.versions[board] = version
        await self.redis.publish(channel_of(board), messages.update(board, version, top))

    def raw(self, receive_buffer: int | None = None) -> socket.socket:
        """A connection of which nothing is read after the answer to its upgrade."""
        sock = socket.socket()
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.connect(("127.0.0.1", self.port))
        sock.sendall(
            b"GET /ws/leaderboard HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\n"
            b"Upgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        sock.setblocking(False)
        return sock


SETTINGS = Settings(update_interval=0.01, shutdown_grace=0, heartbeat=30, write_timeout=2)

Start = Callable[..., Awaitable[Server]]


@pytest.fixture
async def start(redis_url: str, redis: Redis) -> AsyncIterator[Start]:
    """Starts a server with some settings changed."""
    servers: list[Server] = []

    async def start(**changes: Any) -> Server:
        settings = msgspec.structs.replace(SETTINGS, **changes)
        servers.append(await Server(redis_url, redis, settings).__aenter__())
        return servers[-1]

    yield start
    for server in servers:
        await server.__aexit__()


async def next_message(ws: ClientWebSocketResponse) -> dict[str, Any]:
    message = await ws.receive(timeout=5)
    assert message.type is WSMsgType.TEXT, message
    decoded: dict[str, Any] = json.loads(message.data)
    return decoded


async def close_code(ws: ClientWebSocketResponse) -> int | None:
    """The code with which the server closes the connection, whatever comes before."""
    while (await ws.receive(timeout=5)).type is WSMsgType.TEXT:
        pass
    return ws.close_code


async def test_a_client_gets_a_snapshot_and_then_newer_versions(start: Start) -> None:
    server = await start()
    ws = await server.connect()
    snapshot = await next_message(ws)
    for version in (2, 3, 3, 2, 4):
        await server.publish(version)
    seen = [snapshot["version"]]
    while seen[-1] != 4:
        update = await next_message(ws)
        assert update["type"] == "update"
        seen.append(update["version"])

    assert msgspec.convert(snapshot, messages.BoardMessage).type == "snapshot"
    assert seen == sorted(set(seen)), "versions only grow"


async def test_a_client_sees_only_its_board(start: Start) -> None:
    server = await start()
    by_query = await server.connect("/ws/leaderboard?board=other")
    by_path = await server.connect("/ws/boards/other")
    default = await server.connect()
    assert (await next_message(by_query))["board"] == "other"
    assert (await next_message(by_path))["board"] == "other"
    assert (await next_message(default))["board"] == "global"
    await server.publish(2, board="other")
    await server.publish(7, board="global")

    assert (await next_message(by_query))["version"] == 2
    assert (await next_message(by_path))["version"] == 2
    assert (await next_message(default))["version"] == 7


@pytest.mark.parametrize("board", ["unknown", "Not-A-Name", "x" * 65])
async def test_an_unknown_board_closes_with_4404(start: Start, board: str) -> None:
    server = await start()

    assert await close_code(await server.connect(f"/ws/boards/{board}")) == 4404


async def test_a_board_that_cannot_be_read_closes_with_1013(start: Start) -> None:
    server = await start()
    server.boards.away = True

    assert await close_code(await server.connect()) == 1013


async def test_one_client_too_many_is_closed_with_4429(start: Start) -> None:
    server = await start(max_connections=2)
    first, second = await server.connect(), await server.connect()
    assert await close_code(await server.connect()) == 4429

    await first.close()
    await wait_until(lambda: len(server.hub._connections) == 1, description="its place is free")
    assert (await next_message(await server.connect()))["type"] == "snapshot"
    assert (await next_message(second))["type"] == "snapshot"


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

    assert await close_code(brief) == 4401
    assert not lasting.closed


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


async def test_an_idle_board_sends_heartbeats_and_pings_with_its_version(start: Start) -> None:
    server = await start(heartbeat=0.2)
    ws = await server.connect(autoping=False)
    await next_message(ws)
    kinds = [await ws.receive(timeout=5) for _ in range(2)]
    await ws.pong()

    assert [message.type for message in kinds] == [WSMsgType.PING, WSMsgType.TEXT]
    beat = msgspec.json.decode(kinds[1].data, type=messages.Heartbeat)
    assert (beat.board, beat.version) == ("global", 1)


async def test_a_client_that_answers_no_ping_is_aborted(start: Start) -> None:
    server = await start(heartbeat=0.2)
    answering = await server.connect()
    silent = server.raw()
    with capture_logs() as logs:
        await wait_until(lambda: len(server.hub._connections) == 2, description="both are there")
        while len(server.hub._connections) == 2:
            await next_message(answering)  # reading is what makes aiohttp answer pings

    assert [entry["event"] for entry in logs] == ["client_silent"]
    assert not answering.closed
    silent.close()


@pytest.mark.parametrize(
    ("abuse", "code"),
    [
        (lambda ws: ws.send_str("x" * 1025), 1009),
        (lambda ws: asyncio.gather(*(ws.send_str("hi") for _ in range(MAX_MESSAGES + 1))), 1008),
    ],
)
async def test_a_client_that_talks_too_much_is_closed(
    start: Start, abuse: Callable[[ClientWebSocketResponse], Awaitable[Any]], code: int
) -> None:
    server = await start()
    ws = await server.connect()
    await abuse(ws)

    assert await close_code(ws) == code
    await wait_until(lambda: not server.hub._connections, description="the connection is gone")


async def test_a_ping_is_answered_and_a_close_is_echoed(start: Start) -> None:
    server = await start()
    ws = await server.connect(autoping=False)
    await next_message(ws)
    await ws.ping(b"are you there")
    answer = await ws.receive(timeout=5)
    await ws.close(code=3999)

    assert (answer.type, answer.data) == (WSMsgType.PONG, b"are you there")
    assert ws.close_code == 3999
    await wait_until(lambda: not server.hub._connections, description="the connection is gone")


async def test_a_stalled_client_holds_up_nobody_and_wakes_to_the_newest(start: Start) -> None:
    server = await start(write_timeout=20)
    live = await server.connect()
    await next_message(live)
    stalled = server.raw(receive_buffer=4096)
    await wait_until(lambda: len(server.hub._connections) == 2, description="both are there")
    [held] = [
        c
        for c in server.hub._connections
        if c.transport.get_extra_info("peername") == stalled.getsockname()
    ]
    version = 1
    while held.drained:
        version += 1
        await server.publish(version, top=LONG_TOP)
        assert (await next_message(live))["version"] == version
    assert held.transport.get_write_buffer_size() <= len(held.feed.frame())
    for _ in range(20):
        version += 1
        await server.publish(version, top=LONG_TOP)
        assert (await next_message(live))["version"] == version

    woken_at = time.monotonic()
    received = b""
    while b'"version":%d,' % version not in received:
        received += await asyncio.get_running_loop().sock_recv(stalled, 65_536)

    assert time.monotonic() - woken_at < 0.1
    assert received.count(b'"update"') < version - 10, "the versions between were skipped"
    stalled.close()


async def test_a_client_that_stays_stalled_is_aborted(start: Start) -> None:
    server = await start(write_timeout=0.3, update_interval=0)
    live = await server.connect()
    await next_message(live)
    stalled = server.raw(receive_buffer=4096)
    await wait_until(lambda: len(server.hub._connections) == 2, description="both are there")
    version = 1
    with capture_logs() as logs:
        while len(server.hub._connections) == 2:
            version += 1
            await server.publish(version, top=LONG_TOP)
            await next_message(live)

    assert [entry["event"] for entry in logs] == ["client_stalled"]
    stalled.close()


async def test_updates_come_again_after_redis_was_away(start: Start, valkey: Valkey) -> None:
    server = await start()
    ws = await server.connect()
    await next_message(ws)
    with capture_logs() as logs:
        valkey.kill()
        await wait_until(lambda: logs, description="the loss is noticed")
        server.boards.versions["global"] = 5  # a change that is told to nobody
        valkey.start()
        assert (await next_message(ws))["version"] == 5
        await server.publish(6)
        assert (await next_message(ws))["version"] == 6

    assert [entry["event"] for entry in logs] == ["redis_updates_lost", "redis_updates_back"]


async def test_a_redis_that_went_silent_is_given_up(start: Start, valkey: Valkey) -> None:
    server = await start()
    ws = await server.connect()
    await next_message(ws)
    assert valkey.process.pid is not None
    with capture_logs() as logs:
        os.kill(valkey.process.pid, signal.SIGSTOP)
        try:
            await wait_until(lambda: logs, description="the silence is noticed")
        finally:
            os.kill(valkey.process.pid, signal.SIGCONT)
        server.boards.versions["global"] = 5
        assert (await next_message(ws))["version"] == 5

    assert logs[0]["event"] == "redis_updates_lost"


async def test_a_client_that_comes_while_redis_is_away_is_served_when_it_is_back(
    start: Start, valkey: Valkey
) -> None:
    server = await start()
    valkey.kill()
    ws = await server.connect()
    assert (await next_message(ws))["type"] == "snapshot"
    valkey.start()
    server.boards.versions["global"] = 2

    assert (await next_message(ws))["version"] == 2


async def test_at_shutdown_clients_are_told_to_come_back(start: Start) -> None:
    server = await start()
    clients = [await server.connect() for _ in range(30)]
    unresponsive = server.raw()
    await wait_until(lambda: len(server.hub._connections) == 31, description="all are there")
    closing = asyncio.create_task(server.hub.close())

    assert [await close_code(ws) for ws in clients] == [1012] * 30
    assert await close_code(await server.connect()) == 1012
    await closing
    await wait_until(lambda: not server.hub._connections, description="nobody is left")
    unresponsive.close()


async def test_a_closed_connection_leaves_no_cycle_behind(start: Start) -> None:
    server = await start()
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            ws = await server.connect()
            await ws.close()
        await wait_until(lambda: not server.hub._connections, description="all are gone")
        left = [o for o in gc.get_objects() if isinstance(o, Connection)]
    finally:
        gc.enable()

    assert len(left) <= 1  # the last one may still be in a local variable of the event loop
