"""A relay on a free port, over a real Valkey, with boards and tokens that a test decides."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, web
from redis.asyncio import Redis

from scoreboard.api.live.connections import Connection
from scoreboard.api.live.hub import Hub
from scoreboard.api.live.ports import OccurrenceTop
from scoreboard.api.live.ports import Reader as Bearing
from scoreboard.api.live.websockets import LiveLeaderboard
from scoreboard.api.problems import guarded
from scoreboard.api.route_metrics import RouteMetrics
from scoreboard.domain.revocations import RevokedTokens
from scoreboard.errors import Unauthorized, Unavailable, UnknownBoard
from scoreboard.redisio.cluster_updates import updates_of
from scoreboard.redisio.tickets import RedisTickets
from scoreboard.redisio.topologies import topology_at
from scoreboard.settings import Settings
from scoreboard.wire import messages
from scoreboard.wire.keys import Keyspace
from tests.support.waiting import PATIENCE

PARTITIONS = 8
FIGURES = RouteMetrics("GET", "/ws/leaderboard")
LONG_TOP = b"[%b]" % b",".join([b'{"userId":"%b","score":1}' % (b"x" * 128)] * 10)


def channel_of(board: str) -> str:
    return Keyspace(PARTITIONS).board(board).channel


@dataclass
class Boards:
    """The boards that can be read."""

    versions: dict[str, int] = field(default_factory=lambda: {"global": 1, "other": 1})
    away: bool = False

    async def top(self, board: str, *, watched: bool) -> tuple[int, bytes]:
        if self.away:
            raise Unavailable("away")
        if board not in self.versions:
            raise UnknownBoard("There is no such board.")
        return self.versions[board], b"[]"

    async def latest_top(
        self, board: str, period: str, *, shown: int, watched: bool
    ) -> OccurrenceTop:
        raise AssertionError("no board here has periods")

    async def occurrence_top(
        self, board: str, period: str, number: int, *, watched: bool
    ) -> OccurrenceTop:
        raise AssertionError("no board here has periods")

    async def number(self, board: str, period: str, wanted: int | Literal["previous"]) -> int:
        raise AssertionError("no board here has periods")


@dataclass(frozen=True)
class Reader:
    subject: str = "alice"
    scopes: frozenset[str] = frozenset({"board:read"})
    boards: frozenset[str] | None = None
    expires_at: float = 2**40
    token_id: str | None = None
    issued_at: float | None = None


class Tokens:
    """Stands for the verification of tokens, which has tests of its own."""

    def __init__(self) -> None:
        self.readers: dict[str, Reader] = {"Bearer good": Reader()}
        self.revoked = RevokedTokens()

    async def authenticate(self, request: web.BaseRequest) -> Reader:
        try:
            return self.readers[request.headers["Authorization"]]
        except KeyError:
            raise Unauthorized from None

    def check(self, reader: Bearing) -> None:
        if reader.expires_at <= time.time() or self.revoked.covers(reader):
            raise Unauthorized


class Server:
    """A relay on a free port."""

    def __init__(
        self, url: str, redis: Redis, settings: Settings, *, silence: float, timeout: float
    ) -> None:
        self.boards, self.tokens = Boards(), Tokens()
        self.redis = redis
        updates = updates_of(topology_at(url), channel_of, timeout=timeout, silence=silence)
        self.hub = Hub(updates, self.boards, settings)
        none: Any = None  # nobody follows players here
        live = LiveLeaderboard(
            self.hub, none, self.boards, self.tokens, RedisTickets(redis), settings
        )
        app = web.Application()
        app.router.add_get("/ws/leaderboard", guarded(live.leaderboard, FIGURES))
        app.router.add_get("/ws/boards/{board}", guarded(live.leaderboard, FIGURES))
        app.router.add_post("/api/ws-ticket", guarded(live.issue_ticket, FIGURES))
        self.runner = web.AppRunner(app)
        self.port = 0
        self.http: ClientSession
        self._opened: list[ClientWebSocketResponse] = []

    async def __aenter__(self) -> Server:
        self.running = asyncio.create_task(self.hub.run())
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        self.port = self.runner.addresses[0][1]
        self.http = ClientSession(f"http://127.0.0.1:{self.port}")
        return self

    async def __aexit__(self, *_: object) -> None:
        for ws in self._opened:
            await ws.close()
        await self.http.close()
        await self.hub.close()
        self.running.cancel()
        await asyncio.gather(self.running, return_exceptions=True)
        await self.runner.cleanup()

    async def connect(
        self, path: str = "/ws/leaderboard", **options: Any
    ) -> ClientWebSocketResponse:
        """Opens a WebSocket, which is closed with the server at the latest."""
        self._opened.append(await self.http.ws_connect(path, **options))
        return self._opened[-1]

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

    def connection_of(self, client: socket.socket) -> Connection:
        """The relay's side of ``client``, which has joined."""
        [connection] = [
            each
            for each in self.hub._connections
            if each.transport.get_extra_info("peername") == client.getsockname()
        ]
        return connection


Start = Callable[..., Awaitable[Server]]


async def next_message(ws: ClientWebSocketResponse) -> dict[str, Any]:
    message = await ws.receive(timeout=PATIENCE)
    assert message.type is WSMsgType.TEXT, message
    decoded: dict[str, Any] = json.loads(message.data)
    return decoded


async def close_code(ws: ClientWebSocketResponse) -> int | None:
    """The code with which the server closes the connection, whatever comes before."""
    while (await ws.receive(timeout=PATIENCE)).type is WSMsgType.TEXT:
        pass
    return ws.close_code
