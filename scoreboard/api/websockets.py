"""The live leaderboard's endpoints: the WebSocket and the tickets that let browsers open it."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from math import inf
from typing import Protocol

import msgspec
from aiohttp import WSMsgType, web

from scoreboard.api import frames
from scoreboard.api.connections import Connection, bound_kernel_buffers
from scoreboard.api.relay import Hub
from scoreboard.api.tokens import BOARD_READ
from scoreboard.domain.boards import is_board_name
from scoreboard.errors import (
    Forbidden,
    InvalidRequest,
    NotFound,
    ScoreboardError,
    TooManyConnections,
    Unauthorized,
)
from scoreboard.settings import Settings
from scoreboard.wire.tickets import Ticket

MAX_MESSAGE = 1024  # bytes of a message from a client, which has nothing to say
MAX_MESSAGES = 64  # messages and pings of a client between two of our pings
CLOSE_WAIT = 5.0  # seconds for a client to answer a close frame

POLICY_VIOLATION = 1008
TRY_AGAIN_LATER = 1013
UNKNOWN_BOARD = 4404
TOO_MANY_CONNECTIONS = 4429


class Reader(Protocol):
    """Who reads: a principal or the holder of a ticket."""

    @property
    def subject(self) -> str: ...
    @property
    def scopes(self) -> frozenset[str]: ...
    @property
    def boards(self) -> frozenset[str] | None: ...
    @property
    def expires_at(self) -> float: ...


class Authorizer(Protocol):
    """Verifies a request's token."""

    async def authenticate(self, request: web.BaseRequest) -> Reader:
        """Raises Unauthorized."""


class Tickets(Protocol):
    """Keeps one-use tickets. Both calls raise Unavailable."""

    async def issue(self, ticket: Ticket) -> str: ...

    async def redeem(self, token: str) -> Ticket | None: ...


class TicketReply(msgspec.Struct, frozen=True):
    """A ticket, good for opening one WebSocket within 30 seconds as ``?ticket=``."""

    ticket: str


class LiveLeaderboard:
    """Handlers; ``routes`` registers them."""

    def __init__(
        self, hub: Hub, authorizer: Authorizer, tickets: Tickets, settings: Settings
    ) -> None:
        self._hub = hub
        self._authorizer = authorizer
        self._tickets = tickets
        self._public = settings.public_reads
        self._origins: AbstractSet[str] = settings.origins
        self._default_board = settings.default_board

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/ws/leaderboard", self.leaderboard, allow_head=False),
            web.get("/ws/boards/{board}", self.leaderboard, allow_head=False),
            web.post("/api/ws-ticket", self.issue_ticket),
        ]

    async def issue_ticket(self, request: web.Request) -> web.Response:
        """``POST /api/ws-ticket``: a ticket for the bearer of a token with ``board:read``."""
        reader = await self._authorizer.authenticate(request)
        if BOARD_READ not in reader.scopes:
            raise Forbidden(f"The token lacks the scope {BOARD_READ}.")
        ticket = Ticket(reader.subject, reader.scopes, reader.boards, reader.expires_at)
        reply = TicketReply(await self._tickets.issue(ticket))
        return web.Response(
            body=msgspec.json.encode(reply),
            content_type="application/json",
            headers={"Cache-Control": "no-store"},
        )

    async def leaderboard(self, request: web.Request) -> web.WebSocketResponse:
        """``GET /ws/leaderboard?board=`` and ``GET /ws/boards/{board}``.

        A connection opened with a token or a ticket ends with 4401 within one heartbeat after the
        token's ``exp``. Refusals before the upgrade are problem documents, later ones close codes.
        """
        board = request.match_info.get("board") or request.query.get("board", self._default_board)
        self._check_origin(request)
        expires_at = await self._authorize(request, board)
        ws = web.WebSocketResponse(
            timeout=CLOSE_WAIT,
            autoclose=False,
            autoping=False,
            compress=False,
            max_msg_size=MAX_MESSAGE,
        )
        try:
            await ws.prepare(request)
        except web.HTTPBadRequest as error:
            raise InvalidRequest(f"This is a WebSocket endpoint. {error.text}") from error
        transport = request.transport
        if transport is None:
            return ws  # the client left during the handshake
        bound_kernel_buffers(transport)
        try:
            if not is_board_name(board):
                raise NotFound("There is no such board.")
            connection = await self._hub.join(transport, board, expires_at=expires_at)
        except ScoreboardError as error:
            await ws.close(code=_close_code(error), message=error.detail.encode())
            return ws
        try:
            await self._listen(ws, connection)
        finally:
            self._hub.leave(connection)
        if connection.closing:
            transport.close()  # our close frame was sent; aiohttp would send another
        return ws

    async def _listen(self, ws: web.WebSocketResponse, connection: Connection) -> None:
        """Reads what the client sends until one of the two sides closes."""
        while True:
            message = await ws.receive()
            if message.type not in _FRAMES:
                return
            connection.awaits_pong = False
            connection.messages += 1
            if connection.messages > MAX_MESSAGES:
                await ws.close(code=POLICY_VIOLATION, message=b"too many messages")
                return
            if message.type is WSMsgType.PING:
                connection.write(frames.pong(message.data))

    def _check_origin(self, request: web.Request) -> None:
        # Browsers always send one with a WebSocket; programs could send whatever they like.
        origin = request.headers.get("Origin")
        if self._origins and origin is not None and origin not in self._origins:
            raise Forbidden("This Origin may not open WebSockets here.")

    async def _authorize(self, request: web.Request, board: str) -> float:
        """The Unix time at which the right to read ends. Raises Unauthorized, Forbidden."""
        if self._public:
            return inf
        reader: Reader | None
        token = request.query.get("ticket")
        if token is None:
            reader = await self._authorizer.authenticate(request)
        else:
            reader = await self._tickets.redeem(token)
            if reader is None:
                raise Unauthorized("The ticket is unknown, used or expired.")
        if BOARD_READ not in reader.scopes:
            raise Forbidden(f"The token lacks the scope {BOARD_READ}.")
        if reader.boards is not None and board not in reader.boards:
            raise Forbidden("The token does not allow this board.")
        return reader.expires_at


_FRAMES = (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.PING, WSMsgType.PONG)


def _close_code(error: ScoreboardError) -> int:
    if isinstance(error, NotFound):
        return UNKNOWN_BOARD
    if isinstance(error, TooManyConnections):
        return TOO_MANY_CONNECTIONS
    return TRY_AGAIN_LATER
